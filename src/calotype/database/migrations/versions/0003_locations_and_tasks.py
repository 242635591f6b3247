"""Several locations for an image, staged data, tasks, and the locks of storage quotas."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Keep what is there: the data of every image is in the store `local`."""
    _images()
    _loose_data()
    _tasks()
    op.create_table(
        "quota_locks",
        sa.Column("project_id", TEXT, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
    )


def _images() -> None:
    op.add_column("images", sa.Column("locations", TEXT, nullable=False, server_default="[]"))
    op.add_column("images", sa.Column("staged", TEXT, nullable=True))
    op.add_column("images", sa.Column("reserved", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("images", sa.Column("charged", sa.BigInteger, nullable=False, server_default="0"))
    # Names of data are made of an image's UUID and a number: nothing in them has to be escaped.
    op.execute(
        """UPDATE images SET locations = '[{"store":"local","name":"' || location || '"}]', charged = coalesce(size, 0)
        WHERE location IS NOT NULL"""
    )
    op.drop_column("images", "location")


def _loose_data() -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT location, image_id, holder, seen_at FROM loose_data")).mappings().all()
    op.drop_table("loose_data")
    table = op.create_table(
        "loose_data",
        sa.Column("store", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("image_id", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("store", "name"),
    )
    if rows:
        kept = ("image_id", "holder", "seen_at")
        moved = [{"store": "local", "name": row["location"], **{each: row[each] for each in kept}} for row in rows]
        op.bulk_insert(table, moved)


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("user_id", TEXT, nullable=True),
        sa.Column("request_id", TEXT, nullable=True),
        sa.Column("image_id", TEXT, nullable=True),
        sa.Column("input", TEXT, nullable=False),
        sa.Column("result", TEXT, nullable=True),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("secret", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tasks_newest", "tasks", ["created_at", "id"])
    op.create_index("tasks_of_image", "tasks", ["image_id", "created_at"])
    op.create_index("tasks_due", "tasks", ["status", "lease_until"])
