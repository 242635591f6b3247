"""The revision of the accounts: it grows with every change that cached tokens must not outlive."""

from sqlalchemy import select

from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import identity_revision

GET = Statement(select(identity_revision.c.revision).where(identity_revision.c.id == 1))
_BUMP = Statement(
    identity_revision.update()
    .where(identity_revision.c.id == 1)
    .values(revision=identity_revision.c.revision + 1)
    .returning(identity_revision.c.revision)
)
_INSERT = inserted(identity_revision)


def bump() -> Work:
    """Move the revision; part of the transaction that makes the change."""
    if not (yield _BUMP, {}):
        yield _INSERT, {"id": 1, "revision": 1}
