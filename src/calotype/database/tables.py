"""Every table, defined once. Times are whole microseconds since 1970, in UTC.

The row of an image renders the image: `properties`, `tags`, `locations` and `staged` are JSON text. The tables
`image_properties` and `image_tags` repeat them only to be searched. Text compares by code point on both databases, so
that order and paging are the same everywhere.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    literal_column,
)

from calotype.images.model import PROPERTY_HEAD

metadata = MetaData()


def _text(name: str, *more: object, **options: object) -> Column[str]:
    kind = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, kind, *more, **{"nullable": False, **options})  # type: ignore[arg-type]


def _extra() -> Column[str]:
    """What a client stored with an account besides the columns: a JSON object."""
    return _text("extra", server_default="{}")


def _of_image() -> Column[str]:
    return _text("image_id", ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)


images = Table(
    "images",
    metadata,
    _text("id", primary_key=True),
    _text("name", nullable=True),
    _text("owner", nullable=True),
    _text("status"),
    _text("visibility"),
    Column("protected", Boolean, nullable=False),
    Column("os_hidden", Boolean, nullable=False),
    _text("disk_format", nullable=True),
    _text("container_format", nullable=True),
    Column("min_disk", BigInteger, nullable=False),
    Column("min_ram", BigInteger, nullable=False),
    Column("size", BigInteger),
    Column("virtual_size", BigInteger),
    _text("checksum", nullable=True),
    _text("os_hash_algo", nullable=True),
    _text("os_hash_value", nullable=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    _text("upload", nullable=True),
    Column("attempts", Integer, nullable=False),
    _text("properties"),
    _text("tags"),
    _text("locations", server_default="[]"),
    _text("staged", nullable=True),
    Column("reserved", BigInteger, nullable=False, server_default="0"),
    # What counts against the owner's storage quota: the size once for each location, and what is reserved.
    Column("charged", BigInteger, nullable=False, server_default="0"),
    Index("images_newest", "created_at", "id"),
    Index("images_of_owner", "owner", "created_at", "id"),
    Index("images_by_visibility", "visibility", "created_at", "id"),
    Index("images_by_name", "name"),
)

image_properties = Table(
    "image_properties",
    metadata,
    _of_image(),
    _text("name", primary_key=True),
    _text("value"),
)


def value_head(value: ColumnElement[str]) -> ColumnElement[str]:
    """The part of a property's value that is indexed: PostgreSQL cannot index more than some 2,700 bytes.

    Written without parameters, since a database uses the index only for the very expression it was made of.
    """
    return func.substr(value, literal_column("1"), literal_column(str(PROPERTY_HEAD)))


Index(
    "image_properties_by_value",
    image_properties.c.name,
    value_head(image_properties.c.value),
    image_properties.c.image_id,
)

image_tags = Table(
    "image_tags",
    metadata,
    _of_image(),
    _text("tag", primary_key=True),
    Index("image_tags_by_tag", "tag", "image_id"),
)

image_members = Table(
    "image_members",
    metadata,
    _of_image(),
    _text("member_id", primary_key=True),
    _text("status"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("image_members_by_member", "member_id", "image_id"),
)

# The id of a deleted image is never given out again.
tombstones = Table(
    "tombstones", metadata, _text("image_id", primary_key=True), Column("deleted_at", BigInteger, nullable=False)
)

# Data that no image refers to: being written by `holder`, or to be removed when `holder` is empty or dead.
loose_data = Table(
    "loose_data",
    metadata,
    _text("store", primary_key=True),
    _text("name", primary_key=True),
    _text("image_id"),
    _text("holder"),
    Column("seen_at", BigInteger, nullable=False),
)

# Work that outlives its request. `holder` runs it until `lease_until` and longer if it renews the lease; while the task
# is pending that is the time before which nobody begins. `state` is how far a run came, for the next to go on from.
# `secret` is what only the work may see (a token); it goes when the task ends.
tasks = Table(
    "tasks",
    metadata,
    _text("id", primary_key=True),
    _text("type"),
    _text("status"),
    _text("owner", nullable=True),
    _text("user_id", nullable=True),
    _text("request_id", nullable=True),
    _text("image_id", nullable=True),
    _text("input"),
    _text("result", nullable=True),
    _text("message"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    _text("state"),
    _text("holder"),
    Column("lease_until", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    _text("secret", nullable=True),
    Index("tasks_newest", "created_at", "id"),
    Index("tasks_of_image", "image_id", "created_at"),
    Index("tasks_due", "status", "lease_until"),
)

# A row for each project that a storage quota was checked for: whoever checks holds it until the end of its transaction.
quota_locks = Table(
    "quota_locks", metadata, _text("project_id", primary_key=True), Column("held", BigInteger, nullable=False)
)

domains = Table(
    "domains",
    metadata,
    _text("id", primary_key=True),
    _text("name", unique=True),
    _text("description"),
    Column("enabled", Boolean, nullable=False),
    _extra(),
)

projects = Table(
    "projects",
    metadata,
    _text("id", primary_key=True),
    _text("domain_id", ForeignKey("domains.id")),
    _text("name"),
    _text("description"),
    Column("enabled", Boolean, nullable=False),
    _extra(),
    Index("projects_by_name", "domain_id", "name", unique=True),
)

users = Table(
    "users",
    metadata,
    _text("id", primary_key=True),
    _text("domain_id", ForeignKey("domains.id")),
    _text("name"),
    _text("password_hash"),
    _text("default_project_id", nullable=True),
    _text("email", nullable=True),
    _text("description"),
    Column("enabled", Boolean, nullable=False),
    # Tokens issued before this moment are void: set when the password changes.
    Column("tokens_valid_from", BigInteger, nullable=False),
    _extra(),
    Index("users_by_name", "domain_id", "name", unique=True),
)

roles = Table("roles", metadata, _text("id", primary_key=True), _text("name", unique=True), _extra())

# Whoever has the prior role has the implied one too.
implied_roles = Table(
    "implied_roles",
    metadata,
    _text("prior_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    _text("implied_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
)

# `scope` is "project", "domain" or "system"; `scope_id` is the project's or domain's id, "all" for the system.
assignments = Table(
    "assignments",
    metadata,
    _text("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    _text("role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    _text("scope", primary_key=True),
    _text("scope_id", primary_key=True),
    Index("assignments_by_scope", "scope", "scope_id"),
)

# A way for a program to log in as a user, on one project, with some of the user's roles. `roles` is a JSON list of role
# ids, `access_rules` one of whole rules, null when there are none.
application_credentials = Table(
    "application_credentials",
    metadata,
    _text("id", primary_key=True),
    _text("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    _text("project_id", ForeignKey("projects.id", ondelete="CASCADE")),
    _text("name"),
    _text("description", nullable=True),
    _text("secret_hash"),
    _text("roles"),
    _text("access_rules", nullable=True),
    Column("unrestricted", Boolean),
    Column("expires_at", BigInteger),
    Index("application_credentials_by_name", "user_id", "name", unique=True),
    Index("application_credentials_of_project", "project_id"),
)

# The access rules that a user's credentials were made with; one of a kind for each user.
access_rules = Table(
    "access_rules",
    metadata,
    _text("id", primary_key=True),
    _text("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    _text("service"),
    _text("path"),
    _text("method"),
    Index("access_rules_of_user", "user_id", "service", "path", "method", unique=True),
)

# Wrong passwords in a row, by user, while somebody counts them. Names that nobody has share a few rows, so that a wrong
# password costs the same for everybody.
login_failures = Table(
    "login_failures",
    metadata,
    _text("user_id", primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
)

# The token itself is not kept, only its SHA-256. `scope` is as in `assignments`, or empty. `audit_id` names the token
# and `chain_id` the first token of the line it was made from, which is its own name when it was made from none.
# `credential_id` is the application credential that it was made with; it is void when there is no such row any more.
tokens = Table(
    "tokens",
    metadata,
    _text("hash", primary_key=True),
    _text("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    _text("scope"),
    _text("scope_id"),
    _text("methods"),
    _text("audit_id"),
    _text("chain_id"),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    _text("credential_id", nullable=True),
    Index("tokens_by_expiry", "expires_at"),
    Index("tokens_by_chain", "chain_id"),
    Index("tokens_by_user", "user_id"),
)

# What requests are signed with (SDK-HMAC-SHA256). `secret` is encrypted with a key that is not in the database.
access_keys = Table(
    "access_keys",
    metadata,
    _text("id", primary_key=True),
    _text("user_id", ForeignKey("users.id", ondelete="CASCADE")),
    _text("secret"),
    _text("description"),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("access_keys_by_user", "user_id"),
)

# Signatures of requests that changed something, until they are too old to be sent again; and each one's hash together
# with a document that it does not sign.
used_signatures = Table(
    "used_signatures",
    metadata,
    _text("signature", primary_key=True),
    Column("used_at", BigInteger, nullable=False),
    Index("used_signatures_by_time", "used_at"),
)

# One row. Its revision grows with every change that can take a right away; workers forget cached tokens when it moves.
identity_revision = Table(
    "identity_revision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
