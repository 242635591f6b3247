"""What is raised when a Keystone cannot be asked."""


class Unreachable(Exception):
    """Keystone does not answer, or answers what cannot be used; that may pass."""
