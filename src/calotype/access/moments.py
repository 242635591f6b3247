"""Keystone's times as microseconds since 1970."""

from datetime import UTC, datetime, timedelta

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(text: str) -> int:
    """A time such as 2026-11-24T07:38:47.000000Z; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _FIRST) // timedelta(microseconds=1)
