"""Metadata definitions, with the resource types of OpenStack's own services."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Compares by code point, as SQLite's text does.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

SEEDED = (
    "OS::Glance::Image",
    "OS::Cinder::Volume",
    "OS::Nova::Flavor",
    "OS::Nova::Aggregate",
    "OS::Nova::Server",
    "OS::Trove::Instance",
)


def upgrade() -> None:
    """Create the tables and the seeded resource types."""
    op.create_table(
        "metadef_namespaces",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("display_name", TEXT, nullable=True),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("visibility", TEXT, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("metadef_namespaces_by_name", "metadef_namespaces", ["name"], unique=True)
    op.create_index("metadef_namespaces_newest", "metadef_namespaces", ["created_at", "id"])
    op.create_table(
        "metadef_parts",
        sa.Column("namespace_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("namespace_id", "kind", "key"),
        sa.ForeignKeyConstraint(["namespace_id"], ["metadef_namespaces.id"], ondelete="CASCADE"),
    )
    op.create_index("metadef_parts_by_key", "metadef_parts", ["kind", "key", "namespace_id"])
    types = op.create_table(
        "metadef_resource_types",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    now = time.time_ns() // 1000
    op.bulk_insert(types, [{"name": name, "protected": True, "created_at": now, "updated_at": now} for name in SEEDED])
