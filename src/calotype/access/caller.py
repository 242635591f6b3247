"""Who is asking."""

import msgspec


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The person and scope behind a token.

    `roles` are lower-case names with the implied ones included. `expires_at` is in microseconds since 1970.
    A token has at most one scope: a project, a domain, or the system. `service` is set when a trusted service passes
    the call on (as the Compute API does), which lifts the demand for a project.
    """

    user_id: str
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    service: bool = False
    roles: frozenset[str] = frozenset()
    expires_at: int = 0

    @property
    def is_admin(self) -> bool:
        """Whether the caller holds the admin role."""
        return "admin" in self.roles


NOBODY = Caller(user_id="")
"""Who asks before anybody has proven who asks: without any right."""
