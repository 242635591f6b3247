"""What an operator does with metadata definitions: putting whole namespaces in, and taking them out.

No caller and no policy: who may write to the database may do this.
"""

from collections.abc import Sequence
from pathlib import Path

from calotype.database import metadefs as rows
from calotype.database.engine import Database
from calotype.images.errors import Forbidden
from calotype.metadefs.definitions import Whole, made, page
from calotype.metadefs.model import Draft, Listing, Namespace, Part

STANDARD = Path(__file__).parent / "standard"
"""The definitions that come with Calotype, one JSON file a namespace."""
OWNER = "admin"
"""Who owns a loaded namespace that names no owner, as with `glance-manage db_load_metadefs`."""


async def load(database: Database, draft: Draft, parts: Sequence[Part], replace: bool) -> str:
    """Put a namespace in; answers "created", "replaced" or, if it was there and `replace` is not set, "kept"."""
    new, inside = made(draft, parts, OWNER)
    done: str = await database.write(rows.load, new, inside, replace)
    return done


async def unload(database: Database, name: str, force: bool) -> None:
    """Take a namespace out with everything in it; NotFound, and Forbidden if it is protected, unless `force` is set."""

    def check(found: Namespace) -> None:
        if found.protected and not force:
            raise Forbidden(f"Namespace {name} is protected; --force removes it all the same.")

    await database.write(rows.remove, name, check)


async def everything(database: Database) -> list[Whole]:
    """All namespaces by name, with the resource types that they are associated with."""
    found, associations = await page(database, Listing(sort_key="name", sort_dir="asc", admin=True))
    return [Whole(each, associations.get(each.id, [])) for each in found]
