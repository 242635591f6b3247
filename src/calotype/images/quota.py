"""How much a project may have: the limits, the questions to them, and what is said to those who want more.

Source: image-v2 5, 12.1, 20. Usage is reserved where it is checked, in the transaction that changes the image: the new
state of the image says what it takes, the rows of the project's other images say what is left.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from calotype.access.keystone.kept_limits import KeystoneLimits
from calotype.access.keystone.resources import RESOURCES
from calotype.database import quotas as rows
from calotype.database.engine import Database
from calotype.database.quotas import Usage
from calotype.database.statements import Work
from calotype.images.errors import LimitExceeded
from calotype.images.model import Image
from calotype.settings import Settings

MIB = 2**20

STORAGE = "storage"
SIZE, STAGED, IMAGES, UPLOADING = "image_size_total", "image_stage_total", "image_count_total", "image_count_uploading"

_UPLOAD = "Image exceeds the storage quota"
_PLACE = "Denying attempt to upload image because it exceeds the quota"

Allowance = Mapping[str, int]
"""What a project may hold, by resource: `storage` in bytes, Keystone's four as Keystone has them. Negative or absent
is without limit."""


class _Asked(Exception):
    """A transaction wants the limits of a project."""

    def __init__(self, project: str) -> None:
        super().__init__(project)
        self.project = project


class Gate:
    """What a transaction passes before it takes more of what is limited; each method is an `Admit`.

    They are given the new state of the image, its `reserved` bytes included, inside the transaction that writes it and
    after its row was locked. All of them raise LimitExceeded. Without limits they run no statement.
    """

    def __init__(self, allowance: Callable[[str], Allowance]) -> None:
        self._allowance = allowance

    def create(self, image: Image) -> Work:
        """A new image."""
        return self._pass(image, IMAGES)

    def upload(self, image: Image) -> Work:
        """Data begins to come, `image.reserved` bytes or, when that is 0, nobody knows how many.

        Answers how many may come then, None if that is not limited.
        """
        return self._pass(image, STORAGE, SIZE, UPLOADING, begins=True)

    def uploaded(self, image: Image) -> Work:
        """Data has come, more than was reserved for it."""
        return self._pass(image, STORAGE, SIZE, come=True)

    def stage(self, image: Image) -> Work:
        """Data for an import begins to come; as `upload`."""
        return self._pass(image, STORAGE, STAGED, UPLOADING, begins=True)

    def staged(self, image: Image) -> Work:
        """Data for an import has come, more than was reserved for it."""
        return self._pass(image, STORAGE, STAGED, come=True)

    def take(self, image: Image) -> Work:
        """Staged data begins to go to its stores (glance-direct), or the data at a URL becomes the image's."""
        return self._pass(image, STORAGE, SIZE)

    def place(self, image: Image) -> Work:
        """A PATCH adds places of data."""
        return self._pass(image, STORAGE, SIZE, told=_PLACE)

    def fetch(self, image: Image) -> Work:
        """Data begins to be fetched and staged by a task (web-download, glance-download, copy-image); as `upload`."""
        return self._pass(image, STORAGE, SIZE, STAGED, UPLOADING, begins=True)

    def fetched(self, image: Image) -> Work:
        """Data was fetched and staged by a task, more than was reserved for it."""
        return self._pass(image, STORAGE, SIZE, STAGED, come=True)

    def _pass(
        self, image: Image, *resources: str, begins: bool = False, come: bool = False, told: str = _UPLOAD
    ) -> Work:
        if image.owner is None:
            return None  # it is in no project
        allowance = {name: limit for name, limit in self._allowance(image.owner).items() if name in resources}
        if all(limit < 0 for limit in allowance.values()):
            return None
        others: Usage = yield from rows.held(image.owner, image.id)
        _check_limits(image, others, allowance, come)
        return _check_storage(image, others, allowance.get(STORAGE, -1), begins, told)


class Quotas:
    """The limits of all projects, and the transactions that they apply to."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        quota = settings.quota
        self._keystone = KeystoneLimits(settings.keystone, quota) if quota.keystone_limits else None
        storage = quota.storage_bytes
        self._here: Allowance = {
            STORAGE: -1 if storage is None else storage,
            **{name: getattr(quota, name) for name in RESOURCES},
        }

    async def write(self, work: Callable[[Gate], Work]) -> Any:
        """Run `work(gate)` as one transaction, as `Database.write`; StorageUnavailable if limits cannot be known.

        Whose limits it needs turns out in the transaction. If they have to be asked for, it is rolled back and begun
        again with them, so that no transaction waits for Keystone.
        """
        known: dict[str, Allowance] = {}

        def allowance(project: str) -> Allowance:
            if self._keystone is None:
                return self._here
            found = known.get(project) or self._keystone.fresh(project)
            if found is None:
                raise _Asked(project)
            return found

        while True:
            try:
                return await self._database.write(work, Gate(allowance))
            except _Asked as asked:
                known[asked.project] = await self._of(asked.project)

    async def usage(self, project: str | None) -> dict[str, tuple[int, int]]:
        """Limit and usage of the project by resource, in Keystone's units; empty if none of the four is in force."""
        if project is None or (self._keystone is None and all(self._here[name] < 0 for name in RESOURCES)):
            return {}
        allowance = await self._of(project)
        found = await self._database.all(rows.USAGE, {"project": project, "without": ""})
        used = _in_units(rows.usage(found[0]))
        return {name: (allowance[name], used[name]) for name in RESOURCES}

    async def _of(self, project: str) -> Allowance:
        return self._here if self._keystone is None else await self._keystone.of(project)

    async def open(self) -> None:
        """Nothing: limits are asked for when they are wanted."""

    async def close(self) -> None:
        """Stop to ask."""
        if self._keystone is not None:
            await self._keystone.close()


def over_quota(size: int | None, remaining: int, told: str = _UPLOAD) -> LimitExceeded:
    """The refusal of data that the owner's storage quota does not hold; `size` in bytes, None if it is not known."""
    return LimitExceeded(
        f"{told}: The size of the data {size} will exceed the limit. {max(remaining, 0)} bytes remaining."
    )


class _Over(NamedTuple):
    """A limit that a project would exceed, told as oslo.limit does."""

    name: str
    limit: int
    usage: int
    delta: int

    def __str__(self) -> str:
        return (
            f"Resource {self.name} is over limit of {self.limit} due to current usage {self.usage} "
            f"and delta {self.delta}"
        )


def _check_storage(image: Image, others: Usage, quota: int, begins: bool, told: str) -> int | None:
    """Answers what may come if nobody knows how much will."""
    if quota < 0:
        return None
    remaining = quota - others.storage
    if image.charged > remaining:
        raise over_quota(image.charged, remaining, told)
    if image.charged or not begins:
        return None
    if remaining <= 0:
        raise over_quota(None, remaining)
    return remaining


def _check_limits(image: Image, others: Usage, allowance: Allowance, come: bool) -> None:
    """Data of unknown size counts as nothing, when it begins to come and when it has come, as in Glance: a limit is
    then exceeded by one image at the most, after which nothing is admitted any more."""
    used = _in_units(others)
    size = 0 if come else image.charged
    staged = 0 if come else image.reserved if image.size is None else image.size
    wanted = {
        SIZE: _up(others.size + size) - used[SIZE],
        STAGED: _up(others.staged + staged) - used[STAGED],
        IMAGES: 1,
        UPLOADING: 1,
    }
    over = [
        _Over(name, allowance[name], used[name], wanted[name])
        for name in RESOURCES
        if 0 <= allowance.get(name, -1) < used[name] + wanted[name]
    ]
    if over:
        raise LimitExceeded(f"Project {image.owner} is over a limit for [{', '.join(map(str, over))}]")


def _in_units(usage: Usage) -> dict[str, int]:
    return {
        SIZE: usage.size // MIB,
        STAGED: usage.staged // MIB,
        IMAGES: usage.images,
        UPLOADING: usage.uploading,
    }


def _up(size: int) -> int:
    """MiB, what was begun counts whole."""
    return -(-size // MIB)
