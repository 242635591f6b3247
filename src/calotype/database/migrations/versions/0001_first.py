"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Compares by code point, as SQLite's text does.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create every table, and the one row of `identity_revision`."""
    _images()
    _searched()
    _leftovers()
    _identity()
    _rights()


def _images() -> None:
    op.create_table(
        "images",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=True),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("visibility", TEXT, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("os_hidden", sa.Boolean, nullable=False),
        sa.Column("disk_format", TEXT, nullable=True),
        sa.Column("container_format", TEXT, nullable=True),
        sa.Column("min_disk", sa.BigInteger, nullable=False),
        sa.Column("min_ram", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=True),
        sa.Column("virtual_size", sa.BigInteger, nullable=True),
        sa.Column("checksum", TEXT, nullable=True),
        sa.Column("os_hash_algo", TEXT, nullable=True),
        sa.Column("os_hash_value", TEXT, nullable=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("location", TEXT, nullable=True),
        sa.Column("upload", TEXT, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("properties", TEXT, nullable=False),
        sa.Column("tags", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("images_newest", "images", ["created_at", "id"])
    op.create_index("images_of_owner", "images", ["owner", "created_at", "id"])
    op.create_index("images_by_visibility", "images", ["visibility", "created_at", "id"])
    op.create_index("images_by_name", "images", ["name"])


def _searched() -> None:
    op.create_table(
        "image_properties",
        sa.Column("image_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "name"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "image_properties_by_value", "image_properties", ["name", sa.text("substr(value, 1, 128)"), "image_id"]
    )
    op.create_table(
        "image_tags",
        sa.Column("image_id", TEXT, nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "tag"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], ondelete="CASCADE"),
    )
    op.create_index("image_tags_by_tag", "image_tags", ["tag", "image_id"])
    op.create_table(
        "image_members",
        sa.Column("image_id", TEXT, nullable=False),
        sa.Column("member_id", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "member_id"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], ondelete="CASCADE"),
    )
    op.create_index("image_members_by_member", "image_members", ["member_id", "image_id"])


def _leftovers() -> None:
    op.create_table(
        "tombstones",
        sa.Column("image_id", TEXT, nullable=False),
        sa.Column("deleted_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("image_id"),
    )
    op.create_table(
        "loose_data",
        sa.Column("location", TEXT, nullable=False),
        sa.Column("image_id", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("location"),
    )


def _identity() -> None:
    op.create_table(
        "domains",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "projects",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("domain_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"]),
    )
    op.create_index("projects_by_name", "projects", ["domain_id", "name"], unique=True)
    op.create_table(
        "users",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("domain_id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("default_project_id", TEXT, nullable=True),
        sa.Column("email", TEXT, nullable=True),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("tokens_valid_from", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["domain_id"], ["domains.id"]),
    )
    op.create_index("users_by_name", "users", ["domain_id", "name"], unique=True)


def _rights() -> None:
    op.create_table(
        "roles",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "assignments",
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("role_id", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("scope_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "role_id", "scope", "scope_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], ondelete="CASCADE"),
    )
    op.create_index("assignments_by_scope", "assignments", ["scope", "scope_id"])
    op.create_table(
        "tokens",
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("scope_id", TEXT, nullable=False),
        sa.Column("methods", TEXT, nullable=False),
        sa.Column("audit_id", TEXT, nullable=False),
        sa.Column("chain_id", TEXT, nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hash"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], ondelete="CASCADE"),
    )
    op.create_index("tokens_by_expiry", "tokens", ["expires_at"])
    op.create_index("tokens_by_chain", "tokens", ["chain_id"])
    op.create_index("tokens_by_user", "tokens", ["user_id"])
    revisions = op.create_table(
        "identity_revision",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(revisions, [{"id": 1, "revision": 0}])
