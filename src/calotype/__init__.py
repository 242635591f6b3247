"""Calotype: the OpenStack image service in one process."""

__version__ = "0.1.0"
