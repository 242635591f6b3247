"""Databases and made-up rows for the suites below the API."""

import itertools
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete

from calotype.database import images as rows
from calotype.database import tables
from calotype.database.connect import connect
from calotype.database.engine import Database
from calotype.database.statements import Statement, Work, inserted
from calotype.images.model import Image, Membership
from calotype.settings import Settings

Run = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine to its end in the test's own event loop."""

_moments = itertools.count(1_700_000_000_000_000, 1_000_000)
_INSERT_MEMBER = inserted(tables.image_members)
_CLEAR = Statement(delete(tables.images))


@contextmanager
def opened(url: str, run: Run) -> Iterator[Database]:
    """The database at the URL, open."""
    database = connect(Settings(database=url))
    run(database.open())
    try:
        yield database
    finally:
        run(database.close())


def an_image(**given: Any) -> Image:
    """An active public image, each a second younger than the one before."""
    moment = next(_moments)
    attributes: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "name": "image",
        "owner": "project",
        "status": "active",
        "visibility": "public",
        "protected": False,
        "os_hidden": False,
        "disk_format": "raw",
        "container_format": "bare",
        "min_disk": 0,
        "min_ram": 0,
        "size": 1,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "created_at": moment,
        "updated_at": moment,
        "upload": None,
        "attempts": 0,
        "properties": {},
        "tags": [],
    }
    return Image(**{**attributes, **given})


def fill(images: Iterable[Image], members: Iterable[Membership] = ()) -> Work:
    """Make these the only images and members, as one transaction."""
    yield _CLEAR, {}
    yield Statement(delete(tables.tombstones)), {}
    for image in images:
        yield from rows.create(image)
    yield _INSERT_MEMBER, [{name: getattr(each, name) for name in Membership.__struct_fields__} for each in members]
