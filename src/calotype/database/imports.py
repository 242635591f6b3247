"""The transactions of an import: it begins with the request, and a task carries it on under a lease.

Every one locks the image, then the task, so that a worker that lost its lease changes nothing. The properties
`os_glance_*` tell clients how far the import is (spec: image-v2 13.5, 13.6).
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from calotype.database import loose, tasks
from calotype.database.images import Change, data_of, lock, remove, write
from calotype.database.quotas import Admit, admit_all, admitted
from calotype.database.statements import Work
from calotype.database.tasks import Lease
from calotype.images.errors import Conflict, ImageNotFound
from calotype.images.model import IMPORTING, LOCK, Image, Location, Task, named, now

FAILED = "os_glance_failed_import"
_EMPTY = ("queued", "uploading")


class NotLocked(Conflict):
    """The image is not this task's any more, and the task is to leave it alone."""


def begin(image_id: str, project: str, mutate: Change, make: Callable[[Image], Task], admit: Admit) -> Work:
    """Lock the image for a task and insert the task; raises what `mutate` raises, Conflict if another one has it, and
    what `admit` raises."""
    old: Image = yield from lock(image_id, project)
    new = mutate(old)
    holder = old.properties.get(LOCK)
    if holder and (yield from tasks.live(holder)):
        raise Conflict("Image has active task")
    task = make(new)
    yield from tasks.create(task)
    new = _with(new, {LOCK: task.id})
    yield from write(old, new)
    yield from admit(new)
    return task


def start(lease: Lease, image_id: str, stores: list[str], admit: Admit) -> Work:
    """The work begins, or goes on: an image without data is `importing`, and each shows where its data goes.

    Room for all copies is reserved, as far as their size is known. Answers the image and, when the work begins, what
    `admit` does.
    """
    old: Image = yield from _held(lease, image_id)
    # What a queued image has by a location whose hash was wrong goes; later, locations are what was done.
    dropped = old.locations if old.status in _EMPTY else []
    done = {each.store for each in old.locations if each not in dropped}
    importing = [each for each in stores if each not in done]
    failed = [each for each in _names(old, FAILED) if each not in stores]
    new = _with(old, {IMPORTING: _list(importing), FAILED: _list(failed)})
    if old.status in _EMPTY:
        new.status, new.locations = "importing", []
    new.reserved = _promised(new)
    yield from write(old, new)
    yield from loose.add(image_id, dropped)
    begins = new.status != old.status or new.charged > old.charged
    rest: int | None = (yield from admit(new)) if begins else None
    return new, rest


def place(lease: Lease, image_id: str, store: str, holder: str) -> Work:
    """A name in the store that was never used, loose and held by `holder` until the data is taken."""
    old = yield from _held(lease, image_id)
    name, new = named(old)
    yield from write(old, new)
    location = Location(store, name)
    yield from loose.add(image_id, [location], holder)
    return location


def stage(lease: Lease, image_id: str, location: Location, size: int, state: dict[str, Any], admit: Admit) -> Work:
    """The image's staged data is this from now on, and the task has come so far. Answers what became loose."""
    old: Image = yield from _held(lease, image_id)
    new = msgspec.structs.replace(old, staged=location, size=size, updated_at=now())
    new.reserved = _promised(new)
    yield from write(old, new)
    yield from admitted(old, new, admit)
    yield from loose.claim(location)
    yield from tasks.keep(lease, state)
    dropped = [old.staged] if old.staged else []
    yield from loose.add(image_id, dropped)
    return dropped


def store(lease: Lease, image_id: str, location: Location, state: dict[str, Any], finish: Change | None) -> Work:
    """One store has the data; `finish` makes the image active, once it may be."""
    old: Image = yield from _held(lease, image_id)
    left = [each for each in _names(old, IMPORTING) if each != location.store]
    new = _with(old, {IMPORTING: _list(left)})
    new.locations = [*old.locations, location]
    if finish is not None:
        new = finish(new)
    new.reserved = _promised(new)
    yield from write(old, new)
    yield from loose.claim(location)
    yield from tasks.keep(lease, state)
    return new


def miss(lease: Lease, image_id: str, store: str) -> Work:
    """One store cannot have the data, and the others need not care."""
    old = yield from _held(lease, image_id)
    left = [each for each in _names(old, IMPORTING) if each != store]
    new = _with(old, {IMPORTING: _list(left), FAILED: _list({*_names(old, FAILED), store})})
    new.reserved = _promised(new)
    yield from write(old, new)
    return new


def settle(lease: Lease, image_id: str) -> Work:
    """The import ended well: nothing is staged any more and the image is free. Answers what became loose."""
    old: Image = yield from _held(lease, image_id)
    new = _without_task(old)
    new.staged, new.reserved = None, 0
    yield from write(old, new)
    dropped = [old.staged] if old.staged else []
    yield from loose.add(image_id, dropped)
    return dropped


def undo(lease: Lease, image_id: str, stores: list[str], failed: list[str], all_or_none: bool) -> Work:
    """The import failed: what is staged goes, and the image is free. Answers what became loose.

    An image that was not active yet is one without data again, that can be uploaded or imported to. An active one
    keeps what is in `stores` already if that is of use to it, or is all that it has.
    """
    try:
        old: Image = yield from _held(lease, image_id)
    except (ImageNotFound, NotLocked):
        return []
    requeue = old.status in (*_EMPTY, "importing")
    kept = [] if requeue else [each for each in old.locations if not all_or_none or each.store not in stores]
    kept = kept or ([] if requeue else old.locations)
    missed = {*_names(old, FAILED), *failed} - {each.store for each in kept}
    new = _with(_without_task(old), {IMPORTING: "", FAILED: _list(missed)})
    new = msgspec.structs.replace(new, locations=kept, staged=None, reserved=0)
    if requeue:
        nothing = {"checksum": None, "os_hash_algo": None, "os_hash_value": None, "size": None, "virtual_size": None}
        new = msgspec.structs.replace(new, status="queued", **nothing)
    yield from write(old, new)
    dropped = [each for each in data_of(old) if each not in kept]
    yield from loose.add(image_id, dropped)
    return dropped


def discard(lease: Lease, image_id: str) -> Work:
    """The import failed and the image, which was made for it, goes with it. Answers what became loose."""
    try:
        yield from _held(lease, image_id)
    except (ImageNotFound, NotLocked):
        return []
    return data_of((yield from remove(image_id, "", lambda image: image)))


def locate(lease: Lease, image_id: str, mutate: Change, admit: Admit = admit_all) -> Work:
    """Let `mutate` change the image on behalf of the task. Answers the new state."""
    old: Image = yield from _held(lease, image_id)
    new = mutate(old)
    yield from write(old, new)
    yield from admitted(old, new, admit)
    return new


def release(lease: Lease, image_id: str) -> Work:
    """The task is over and the image is free."""
    try:
        yield from locate(lease, image_id, _without_task)
    except (ImageNotFound, NotLocked):
        return


def _held(lease: Lease, image_id: str) -> Work:
    """The image and the task, locked; ImageNotFound, LeaseLost, NotLocked."""
    old: Image = yield from lock(image_id, "")
    yield from tasks.hold(lease)
    if old.properties.get(LOCK) != lease.task_id:
        raise NotLocked(f"Image {image_id} is not locked by task {lease.task_id} any more.")
    return old


def _promised(image: Image) -> int:
    """The bytes that the stores still to be filled will take; staged data stands for the first of them."""
    return (image.size or 0) * len(_names(image, IMPORTING))


def _with(image: Image, properties: dict[str, str]) -> Image:
    return msgspec.structs.replace(image, properties={**image.properties, **properties}, updated_at=now())


def _without_task(image: Image) -> Image:
    left = {name: value for name, value in image.properties.items() if name != LOCK}
    return msgspec.structs.replace(image, properties=left, updated_at=now())


def _names(image: Image, name: str) -> list[str]:
    return [each for each in (image.properties.get(name) or "").split(",") if each]


def _list(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
