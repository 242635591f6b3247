"""What clients store with accounts besides the columns."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Give domains, projects, users and roles a column for it, empty at first."""
    for table in ("domains", "projects", "users", "roles"):
        op.add_column(table, sa.Column("extra", TEXT, nullable=False, server_default="{}"))
