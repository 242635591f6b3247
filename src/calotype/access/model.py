"""The nouns of identity: domain, project, user, role, assignment, scope, and what a token grants.

Times are as in `images.model`. `extra` holds what a client stored with a thing besides its fields.
"""

from typing import Any, Literal, NamedTuple

import msgspec

from calotype.access.access_rules import AccessRule as AccessRule

# What a list of accounts asks for is told in the words of the database.
from calotype.database.assignments import AssignmentQuery as AssignmentQuery
from calotype.database.filters import OPERATORS as OPERATORS
from calotype.database.filters import Filter as Filter
from calotype.database.filters import Query as Query

ScopeKind = Literal["", "project", "domain", "system"]


class Domain(msgspec.Struct, frozen=True):
    """A name space of projects and users; the fields are the columns of `database.tables.domains`."""

    id: str
    name: str
    description: str
    enabled: bool
    extra: dict[str, Any] = {}


class Project(msgspec.Struct, frozen=True):
    """What owns images; the fields are the columns of `database.tables.projects`."""

    id: str
    domain_id: str
    name: str
    description: str
    enabled: bool
    extra: dict[str, Any] = {}


class User(msgspec.Struct, frozen=True):
    """An account; the fields are the columns of `database.tables.users` without the secret ones."""

    id: str
    domain_id: str
    name: str
    default_project_id: str | None
    email: str | None
    description: str
    enabled: bool
    extra: dict[str, Any] = {}


class Role(msgspec.Struct, frozen=True):
    """A name that policy rules ask for; the fields are the columns of `database.tables.roles`."""

    id: str
    name: str
    extra: dict[str, Any] = {}


class ApplicationCredential(msgspec.Struct, frozen=True):
    """An application credential; the fields are the columns of `database.tables.application_credentials`, without the
    secret one.

    `roles` are ids; of a role that is gone the id stays. `unrestricted` None was not said, which means no.
    """

    id: str
    user_id: str
    project_id: str
    name: str
    description: str | None
    roles: tuple[str, ...]
    access_rules: tuple[AccessRule, ...] | None
    unrestricted: bool | None
    expires_at: int | None


class Named(NamedTuple):
    """A thing inside a document, by id and name."""

    id: str
    name: str


class Scope(NamedTuple):
    """Where a token counts: `id` is the project's or domain's, "all" for the system, empty for an unscoped token."""

    kind: ScopeKind
    id: str


class Assignment(NamedTuple):
    """A role that a user has somewhere: `place` is the project or domain, null for the system, and `place_domain` the
    domain of the project. When the role was not given itself, it follows from the role `prior`, and that one from
    `given`, the role that was.
    """

    user: Named
    user_domain: Named
    role: Named
    scope: Scope
    place: Named | None = None
    place_domain: Named | None = None
    prior: Named | None = None
    given: Named | None = None


class Implication(NamedTuple):
    """Whoever has the role `prior` has the role `implied` too."""

    prior: Named
    implied: Named


UNSCOPED = Scope("", "")
SYSTEM = Scope("system", "all")


class GrantedBy(NamedTuple):
    """The application credential that a token was made with."""

    id: str
    name: str
    unrestricted: bool
    access_rules: tuple[AccessRule, ...] | None


class Grant(msgspec.Struct, frozen=True):
    """All that a token tells. `roles` holds the implied ones too; times are microseconds since 1970.

    `project_domain` is the domain of `project`; `domain` is that of a domain scope. `audit_ids` are the token's own
    and, when it was made from another token, that of the first of its line.
    """

    user: Named
    user_domain: Named
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]
    issued_at: int
    expires_at: int
    scope: Scope
    roles: tuple[Named, ...] = ()
    project: Named | None = None
    project_domain: Named | None = None
    domain: Named | None = None
    credential: GrantedBy | None = None


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Who proved to be whom, and how: the ground on which a token is issued.

    `verified` is the stored hash that a password was compared with, None when none was. `parent` is the SHA-256 of
    the token that was shown and `chain_id` the first of its line; the new token expires at `expires_at` like it.
    `credential_id` is the application credential that was shown, which is good for `credential_scope` alone, and
    `not_after` its end.
    """

    user_id: str
    domain_id: str
    default_project_id: str | None = None
    methods: tuple[str, ...] = ("password",)
    verified: str | None = None
    parent: str | None = None
    parent_scope: Scope = UNSCOPED
    chain_id: str | None = None
    expires_at: int | None = None
    credential_id: str | None = None
    credential_scope: Scope | None = None
    not_after: int | None = None

    def __repr__(self) -> str:
        """Without the hashes."""
        return f"Login(user_id={self.user_id!r}, methods={self.methods!r})"
