"""Changes of an image's locations: what none of them names any more becomes loose in the same transaction."""

from calotype.database import loose
from calotype.database.images import Change, lock, write
from calotype.database.quotas import Admit, admitted
from calotype.database.statements import Work
from calotype.images.model import Image


def change(image_id: str, project: str, mutate: Change, admit: Admit) -> Work:
    """As `images.change`; answers the new state and the data that became loose. Raises what `admit` does."""
    old: Image = yield from lock(image_id, project)
    new = mutate(old)
    yield from write(old, new)
    yield from admitted(old, new, admit)
    kept = {(each.store, each.name) for each in new.locations}
    dropped = [each for each in old.locations if (each.store, each.name) not in kept]
    yield from loose.add(image_id, dropped)
    return new, dropped
