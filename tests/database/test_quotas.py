"""What projects hold and what they are let have, on both databases, against a plain model (image-v2 5)."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from calotype.database import images as rows
from calotype.database import loose, uploads
from calotype.database.engine import Database
from calotype.database.statements import Work
from calotype.images.errors import LimitExceeded
from calotype.images.model import Image, Location, Received
from calotype.images.quota import Gate, Quotas
from calotype.settings import Quota, Settings
from tests.support.catalogue import Run, an_image, fill

MIB = 2**20
OWNERS = ("p1", "p2")
STORAGE, SIZE, STAGED, IMAGES, UPLOADING = 5 * MIB, 4, 3, 4, 2
LIMITS = Settings(
    quota=Quota(
        storage="5MB",
        image_size_total=SIZE,
        image_stage_total=STAGED,
        image_count_total=IMAGES,
        image_count_uploading=UPLOADING,
    )
)


class Plain(msgspec.Struct):
    """An image as the model has it; `promised` are the bytes announced for data on its way."""

    image: Image
    owner: str | None
    phase: str = "queued"
    size: int = 0
    promised: int = 0
    copies: int = 0

    @property
    def stored(self) -> int:
        return self.size * self.copies + (self.promised if self.phase == "saving" else 0)

    @property
    def staged(self) -> int:
        return {"uploading": self.promised, "staged": self.size}.get(self.phase, 0)

    @property
    def on_its_way(self) -> bool:
        return self.phase in ("saving", "uploading", "staged")


class Model:
    """The images there are, and what their owners may do."""

    def __init__(self) -> None:
        self.images: list[Plain] = []

    def others(self, one: Plain | None, owner: str | None) -> list[Plain]:
        return [each for each in self.images if each is not one and each.owner == owner]

    def begins(self, one: Plain, phase: str, size: int) -> bool:
        others = self.others(one, one.owner)
        stored, staged = sum(each.stored for each in others), sum(each.staged for each in others)
        if one.owner is None:
            return True
        room = STORAGE - stored - staged
        used, most = (stored, SIZE) if phase == "saving" else (staged, STAGED)
        way = sum(each.on_its_way for each in others)
        return room > 0 and size <= room and used + size <= most * MIB and way < UPLOADING

    def ends(self, one: Plain) -> bool:
        others = self.others(one, one.owner)
        stored, staged = sum(each.stored for each in others), sum(each.staged for each in others)
        if one.owner is None or one.size <= one.promised:
            return True
        used, most = (stored, SIZE) if one.phase == "saving" else (staged, STAGED)
        return one.size <= STORAGE - stored - staged and used <= most * MIB

    def takes(self, one: Plain, size: int) -> bool:
        """Whether the image may take so much in stores in all."""
        others = self.others(one, one.owner)
        stored, staged = sum(each.stored for each in others), sum(each.staged for each in others)
        return one.owner is None or (size <= STORAGE - stored - staged and stored + size <= SIZE * MIB)

    def usage(self, owner: str) -> dict[str, tuple[int, int]]:
        mine = self.others(None, owner)
        return {
            "image_count_total": (IMAGES, len(mine)),
            "image_count_uploading": (UPLOADING, sum(each.on_its_way for each in mine)),
            "image_size_total": (SIZE, sum(each.stored for each in mine) // MIB),
            "image_stage_total": (STAGED, sum(each.staged for each in mine) // MIB),
        }


class Real:
    """The same on a database."""

    def __init__(self, database: Database, run: Run) -> None:
        self.quotas = Quotas(database, LIMITS)
        self.write = lambda work, *arguments: run(database.write(work, *arguments))
        self.run = run
        self.write(fill, [])
        self.write(_forget_loose)

    def admitted(self, work: Callable[[Gate], Work]) -> bool:
        try:
            self.run(self.quotas.write(work))
        except LimitExceeded:
            return False
        return True

    def begin(self, one: Plain, phase: str, declared: int) -> bool:
        def start(image: Image) -> Image:
            return msgspec.structs.replace(image, status=phase, upload=image.id, reserved=declared)

        def work(gate: Gate) -> Work:
            admit = gate.upload if phase == "saving" else gate.stage
            return uploads.begin(one.image.id, "", "holder", "images", start, admit)

        return self.admitted(work)

    def end(self, one: Plain) -> bool:
        place = Location("images", one.image.id)
        if one.phase == "saving":
            received = Received(one.size, "md5", "sha512", "hash", None)
            return self.admitted(lambda gate: uploads.finish(one.image.id, place, received, gate.uploaded))
        return self.admitted(lambda gate: uploads.finish_staging(one.image.id, place, one.size, gate.staged))

    def give_up(self, one: Plain) -> None:
        place = Location("images", one.image.id)
        self.write(uploads.give_up, one.image.id, place)
        self.write(loose.take, place)

    def place(self, one: Plain) -> bool:
        """One more location."""

        def more(image: Image) -> Image:
            place = Location("images", f"{image.id}.{len(image.locations) + 1}")
            return msgspec.structs.replace(
                image, status="active", staged=None, reserved=0, locations=[*image.locations, place]
            )

        return self.admitted(lambda gate: _changed(one.image.id, more, gate.take))

    def chown(self, one: Plain, owner: str | None) -> None:
        self.write(rows.change, one.image.id, "", lambda image: msgspec.structs.replace(image, owner=owner))


def _changed(image_id: str, mutate: rows.Change, admit: Callable[[Image], Work]) -> Work:
    new = yield from rows.change(image_id, "", mutate)
    yield from admit(new)


def _forget_loose() -> Work:
    for store, name, *_ in (yield loose.LIST, {}):
        yield from loose.take(Location(store, name))


def step(model: Model, real: Real, call: tuple[Any, ...]) -> None:
    """Do it on both, if it can be done at all; both must admit it, or neither."""
    verb, number, size, known, owner = call
    if verb == "create":
        one = Plain(an_image(owner=owner, status="queued", size=None), owner)
        expected = owner is None or len(model.others(one, owner)) < IMAGES
        assert real.admitted(lambda gate: rows.create(one.image, gate.create)) == expected
        model.images += [one] if expected else []
        return
    if not model.images:
        return
    one = model.images[number % len(model.images)]
    if verb in ("saving", "uploading") and one.phase == "queued":
        promised = size if known else 0
        expected = model.begins(one, verb, promised)
        assert real.begin(one, verb, promised) == expected
        if expected:
            one.phase, one.size, one.promised = verb, size, promised
    elif verb == "end" and one.phase in ("saving", "uploading"):
        expected = model.ends(one)
        assert real.end(one) == expected
        if not expected:
            _break(one, real)
        elif one.phase == "saving":
            one.phase, one.copies, one.promised = "active", 1, 0
        else:
            one.phase, one.promised = "staged", 0
    elif verb == "break" and one.phase in ("saving", "uploading"):
        _break(one, real)
    elif verb == "place" and one.phase in ("staged", "active"):
        expected = model.takes(one, one.size * (one.copies + 1))
        assert real.place(one) == expected
        if expected:
            one.phase, one.copies = "active", one.copies + 1
    elif verb == "chown":
        real.chown(one, owner)
        one.owner = owner
    elif verb == "delete":
        real.write(rows.remove, one.image.id, "", lambda image: image)
        model.images.remove(one)


def _break(one: Plain, real: Real) -> None:
    real.give_up(one)
    one.phase, one.size, one.promised = "queued", 0, 0


verbs = st.sampled_from(
    ["create", "create", "saving", "saving", "uploading", "uploading", "end", "end", "end", "place", "break", "chown",
     "delete"]
)  # fmt: skip
sizes = st.sampled_from([0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB, 5 * MIB, 6 * MIB])
calls = st.tuples(verbs, st.integers(0, 5), sizes, st.booleans(), st.sampled_from([*OWNERS, "p1", None]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(calls, min_size=5, max_size=40))
@example([("create", 0, 0, True, "p1"), ("saving", 0, 5 * MIB, False, "p1"), ("end", 0, 0, True, "p1"),
          ("create", 0, 0, True, "p1"), ("saving", 1, 0, True, "p1"), ("uploading", 1, 1, True, "p1")])  # fmt: skip
def test_projects_hold_what_the_model_says_and_have_what_it_lets_them(
    both: list[Database], run: Run, sequence: list[tuple[Any, ...]]
) -> None:
    for database in both:
        model, real = Model(), Real(database, run)
        chowned = False
        for call in sequence:
            step(model, real, call)
            chowned = chowned or call[0] == "chown"
            for owner in OWNERS:
                assert run(real.quotas.usage(owner)) == model.usage(owner)
                held = sum(each.stored + each.staged for each in model.others(None, owner))
                assert chowned or held <= STORAGE


def test_an_import_counts_while_it_runs(database: Database, run: Run) -> None:
    quotas = Quotas(database, LIMITS)
    importing = an_image(owner="p1", status="importing", size=MIB, reserved=MIB)
    fetching = an_image(owner="p1", status="importing", size=None, reserved=MIB)
    copying = an_image(
        owner="p1",
        size=2 * MIB,
        locations=[Location("images", "x")],
        reserved=2 * MIB,
        properties={"os_glance_importing_to_stores": "fast"},
    )
    done = an_image(owner="p1", size=MIB, properties={"os_glance_importing_to_stores": ""})
    run(database.write(fill, [importing, fetching, copying, done]))
    assert run(quotas.usage("p1")) == {
        "image_count_total": (IMAGES, 4),
        "image_count_uploading": (UPLOADING, 3),
        "image_size_total": (SIZE, 1 + 1 + 4),
        "image_stage_total": (STAGED, 1 + 1 + 2),
    }


def test_without_limits_no_statement_is_run(database: Database, run: Run) -> None:
    off = Quotas(database, Settings())
    image = an_image(owner="p1", reserved=2**60)
    for name in ("create", "upload", "uploaded", "stage", "staged", "take", "fetch"):

        def asked(gate: Gate, name: str = name) -> list[object]:
            return list(getattr(gate, name)(image))

        def work(gate: Gate, asked: Callable[[Gate], list[object]] = asked) -> Work:
            assert asked(gate) == []
            yield from ()

        run(off.write(work))
    assert run(off.usage("p1")) == {}
