"""Roles that imply others, application credentials with their access rules, and the count of wrong passwords."""

from itertools import pairwise

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
RANKS = ("admin", "manager", "member", "reader")


def text(name: str, *more: object, **options: object) -> "sa.Column[str]":
    """A text column; it may not be null unless `options` say so."""
    return sa.Column(name, TEXT, *more, **{"nullable": False, **options})  # type: ignore[arg-type]


def upgrade() -> None:
    """Make the tables, and a row for each implication that held so far because of the names."""
    op.create_table(
        "implied_roles",
        text("prior_id", sa.ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
        text("implied_id", sa.ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    )
    _keep_ranks()
    op.create_table(
        "application_credentials",
        text("id", primary_key=True),
        text("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
        text("project_id", sa.ForeignKey("projects.id", ondelete="CASCADE")),
        text("name"),
        text("description", nullable=True),
        text("secret_hash"),
        text("roles"),
        text("access_rules", nullable=True),
        sa.Column("unrestricted", sa.Boolean),
        sa.Column("expires_at", sa.BigInteger),
    )
    op.create_index("application_credentials_by_name", "application_credentials", ["user_id", "name"], unique=True)
    op.create_index("application_credentials_of_project", "application_credentials", ["project_id"])
    op.create_table(
        "access_rules",
        text("id", primary_key=True),
        text("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
        text("service"),
        text("path"),
        text("method"),
    )
    op.create_index("access_rules_of_user", "access_rules", ["user_id", "service", "path", "method"], unique=True)
    op.create_table(
        "login_failures",
        text("user_id", primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failed_at", sa.BigInteger, nullable=False),
    )
    op.add_column("tokens", sa.Column("credential_id", TEXT, nullable=True))


def _keep_ranks() -> None:
    """Until now each of RANKS implied the next one that existed, whatever the case of its letters."""
    connection = op.get_bind()
    ids: dict[str, list[str]] = {}
    for role_id, name in connection.execute(sa.text("SELECT id, name FROM roles ORDER BY id")):
        ids.setdefault(name.lower(), []).append(role_id)
    present = [ids[rank] for rank in RANKS if rank in ids]
    for priors, implied in pairwise(present):
        for prior_id in priors:
            for implied_id in implied:
                connection.execute(
                    sa.text("INSERT INTO implied_roles (prior_id, implied_id) VALUES (:prior_id, :implied_id)"),
                    {"prior_id": prior_id, "implied_id": implied_id},
                )
