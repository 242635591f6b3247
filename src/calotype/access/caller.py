"""Who is asking."""

import msgspec

from calotype.access.access_rules import AccessRule


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The person and scope behind a token.

    `roles` are lower-case names with the implied ones included. `expires_at` is in microseconds since 1970.
    `service_roles` are those of the service whose token came beside (X-Service-Token).
    A token has at most one scope: a project, a domain, or the system. `service` is set when a trusted service passes
    on a call of the system (as the Compute API does), which lifts the demand for a project. `administers` is what the
    operator's rules make of the caller, None if they leave it to the role.
    `credential_id` is set when the token was made with an application credential: `unrestricted` if it may make others,
    and with `access_rules` if the token is good for these requests only.
    """

    user_id: str
    user_domain_id: str | None = None
    project_id: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    service: bool = False
    roles: frozenset[str] = frozenset()
    service_roles: frozenset[str] = frozenset()
    expires_at: int = 0
    administers: bool | None = None
    credential_id: str | None = None
    unrestricted: bool = False
    access_rules: tuple[AccessRule, ...] | None = None

    @property
    def is_admin(self) -> bool:
        """Whether the caller is an administrator of the cloud: by default, holds the admin role."""
        return "admin" in self.roles if self.administers is None else self.administers

    @property
    def speaks_for_a_service(self) -> bool:
        """Whether the caller is a service itself; what came beside its token does not make it one."""
        return "service" in self.roles

    @property
    def asks_through_a_service(self) -> bool:
        """Whether a service is in between, or is the caller."""
        return "service" in self.roles | self.service_roles


NOBODY = Caller(user_id="")
"""Who asks before anybody has proven who asks: without any right."""
