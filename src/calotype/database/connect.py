"""From a URL to a database."""

from pathlib import Path

from calotype.database.engine import Database
from calotype.settings import Settings


def connect(settings: Settings) -> Database:
    """The database that the settings name, not yet opened."""
    url = settings.database_url
    if url.startswith("sqlite:"):
        from calotype.database.sqlite import SQLite

        return SQLite(sqlite_path(url))
    from calotype.database.postgresql import PostgreSQL

    return PostgreSQL(url)


def sqlite_path(url: str) -> Path:
    """The file of a `sqlite:///FILE` URL: three slashes and a relative path, or four and an absolute one."""
    return Path(url.removeprefix("sqlite:///"))
