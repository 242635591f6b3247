"""The roles `manager` and `service`, which a first start makes by now, for databases that had theirs before.

Roles that are there stay as they are, whatever was meant by their names.
"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make those that are missing, unless there was no first start yet or the accounts are a Keystone's."""
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT id FROM domains WHERE id = 'default'")).first() is None:
        return
    ids = {name.lower(): id_ for id_, name in connection.execute(sa.text("SELECT id, name FROM roles ORDER BY id"))}
    if "manager" not in ids:
        manager = _made(connection, "manager")
        _imply(connection, ids.get("admin"), manager)
        _imply(connection, manager, ids.get("member"))
    if "service" not in ids:
        _made(connection, "service")


def _made(connection: sa.Connection, name: str) -> str:
    role_id = uuid.uuid4().hex
    statement = sa.text("INSERT INTO roles (id, name, extra) VALUES (:id, :name, :extra)")
    connection.execute(statement, {"id": role_id, "name": name, "extra": '{"options":{"immutable":true}}'})
    return role_id


def _imply(connection: sa.Connection, prior_id: str | None, implied_id: str | None) -> None:
    if prior_id and implied_id:
        statement = sa.text("INSERT INTO implied_roles (prior_id, implied_id) VALUES (:prior_id, :implied_id)")
        connection.execute(statement, {"prior_id": prior_id, "implied_id": implied_id})
