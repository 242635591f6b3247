"""What both databases promise: transactions, races, cancellation, and the values that they take."""

import asyncio
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from calotype.database import images as rows
from calotype.database import listing as lists
from calotype.database.connect import connect
from calotype.database.engine import Database, Tally, tally
from calotype.database.statements import Statement, Work
from calotype.database.tables import image_properties, image_tags, loose_data, tombstones
from calotype.images.errors import Conflict, ImageNotFound, StorageUnavailable
from calotype.images.model import Filter, Image, Listing, Location, with_property, with_tag
from calotype.settings import Settings
from tests.support.catalogue import Run, an_image, fill, opened
from tests.support.postgres import Postgres

COUNT_PROPERTIES = Statement(select(func.count()).select_from(image_properties))
COUNT_TAGS = Statement(select(func.count()).select_from(image_tags))
LOOSE = Statement(select(loose_data.c.name, loose_data.c.image_id, loose_data.c.holder))
TOMBSTONES = Statement(select(tombstones.c.image_id))


class Refused(Exception):
    """Raised inside a transaction."""


async def find(database: Database, image_id: str, project: str = "") -> Image | None:
    row = await database.one(rows.GET, {"id": image_id, "project": project})
    return rows.image(row) if row else None


async def listed(database: Database, **options: Any) -> list[Image]:
    statement, params = lists.statement(Listing(admin=True, project="", **options))
    return [rows.image(row) for row in await database.all(statement, params)]


def test_a_write_is_seen_by_every_connection(database: Database, url: str, run: Run) -> None:
    image = an_image(properties={"os_distro": "alpine"}, tags=["b", "a"], size=2**40, virtual_size=None)
    run(database.write(rows.create, image))
    assert run(find(database, image.id)) == image
    with opened(url, run) as other:
        assert run(find(other, image.id)) == image
        assert run(listed(other)) == [image]


def test_what_a_work_raises_rolls_back_all_of_it(database: Database, run: Run) -> None:
    image = an_image(properties={"a": "b"}, tags=["t"])

    def refuse() -> Work:
        yield from rows.create(image)
        raise Refused

    with pytest.raises(Refused):
        run(database.write(refuse))
    assert run(find(database, image.id)) is None
    assert [run(database.one(each, {}))[0] for each in (COUNT_PROPERTIES, COUNT_TAGS)] == [0, 0]
    run(database.write(rows.create, image))
    assert run(find(database, image.id)) == image


def test_a_change_writes_the_columns_and_the_search_tables(database: Database, run: Run) -> None:
    image = an_image(properties={"a": "1", "b": "2"}, tags=["x"])
    run(database.write(rows.create, image))

    def mutate(old: Image) -> Image:
        return an_image(**{**_fields(old), "name": None, "properties": {"a": "3"}, "tags": ["y", "z"]})

    changed = run(database.write(rows.change, image.id, "", mutate))
    assert run(find(database, image.id)) == changed
    assert (changed.name, changed.properties, changed.tags) == (None, {"a": "3"}, ["y", "z"])
    for condition, ids in (
        (with_property("a", "3"), [image.id]),
        (with_property("a", "1"), []),
        (with_property("b", "2"), []),
        (with_tag("z"), [image.id]),
        (with_tag("x"), []),
    ):
        assert [each.id for each in run(listed(database, filters=[condition]))] == ids


def test_a_property_without_a_value_is_kept_and_found_by_none(database: Database, run: Run) -> None:
    image = an_image(properties={"a": None, "b": ""})
    run(database.write(rows.create, image))
    assert run(find(database, image.id)) == image
    for condition, ids in ((with_property("a", ""), []), (with_property("b", ""), [image.id])):
        assert [each.id for each in run(listed(database, filters=[condition]))] == ids


def test_a_change_of_no_image_is_not_found(database: Database, run: Run) -> None:
    with pytest.raises(ImageNotFound):
        run(database.write(rows.change, "absent", "", lambda image: image))


def test_a_removed_image_leaves_its_tombstone_and_its_data_loose(database: Database, run: Run) -> None:
    image = an_image(locations=[Location("local", "file")], properties={"a": "b"}, tags=["t"])
    run(database.write(rows.create, image))
    run(database.write(rows.remove, image.id, "", lambda found: found))
    assert run(find(database, image.id)) is None
    assert [tuple(row) for row in run(database.all(LOOSE, {}))] == [("file", image.id, "")]
    assert [tuple(row) for row in run(database.all(TOMBSTONES, {}))] == [(image.id,)]
    assert [run(database.one(each, {}))[0] for each in (COUNT_PROPERTIES, COUNT_TAGS)] == [0, 0]
    with pytest.raises(Conflict):
        run(database.write(rows.create, image))


def test_two_creations_of_one_id_that_race_make_one_image_and_one_conflict(url: str) -> None:
    image_id = an_image().id
    barrier = threading.Barrier(2)
    outcomes: list[Image | Exception] = []

    def race(name: str) -> None:
        with asyncio.Runner() as runner, opened(url, runner.run) as database:
            try:
                outcomes.append(runner.run(database.write(_held, barrier, an_image(id=image_id, name=name))))
            except Conflict as error:
                outcomes.append(error)

    racers = [threading.Thread(target=race, args=(name,)) for name in ("one", "two")]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Image"]
    winner = next(outcome for outcome in outcomes if isinstance(outcome, Image))
    with asyncio.Runner() as runner, opened(url, runner.run) as database:
        assert runner.run(listed(database)) == [winner]


def _held(barrier: threading.Barrier, image: Image) -> Work:
    """`rows.create`, waiting for the other racer between look and insertion, as far as the engine lets it."""
    steps = rows.create(image)
    taken = yield next(steps)
    try:
        barrier.wait(0.5)
        barrier.abort()
    except threading.BrokenBarrierError:
        pass
    try:
        step = steps.send(taken)
        while True:
            found = yield step
            step = steps.send(found)
    except StopIteration as end:
        return end.value


def test_concurrent_changes_of_one_image_happen_one_after_the_other(database: Database, run: Run) -> None:
    image = an_image(min_ram=0)
    run(database.write(rows.create, image))

    def grow(old: Image) -> Image:
        return an_image(**{**_fields(old), "min_ram": old.min_ram + 1})

    async def all_at_once() -> None:
        await asyncio.gather(*(database.write(rows.change, image.id, "", grow) for _ in range(30)))

    run(all_at_once())
    assert run(find(database, image.id)).min_ram == 30


def test_writes_go_on_when_their_callers_are_cancelled(database: Database, run: Run) -> None:
    created = [an_image() for _ in range(20)]  # more than can be under way at once, so that some still wait

    async def leave() -> list[Image]:
        tasks = [asyncio.create_task(database.write(rows.create, image)) for image in created]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * len(created)
        for _ in range(2000):
            found = await listed(database, sort=(("created_at", "asc"), ("id", "asc")))
            if len(found) == len(created):
                break
            await asyncio.sleep(0.005)
        return found

    assert run(leave()) == created


def test_a_request_is_charged_for_its_statements(database: Database, run: Run) -> None:
    image = an_image(properties={"a": "1", "b": "2"})

    async def counted(work: Any) -> int:
        tally.set(Tally())
        await work
        found = tally.get()
        assert found is not None
        return found.statements

    created = run(counted(database.write(rows.create, image)))
    assert created == 1 + 1 + 2
    assert run(counted(find(database, image.id))) == 1
    assert run(counted(listed(database))) == 1


def test_text_of_any_length_and_script_can_be_kept_and_found(database: Database, run: Run) -> None:
    chance = random.Random(7)
    # Incompressible, four bytes each, and as long as the API lets them be.
    widest = "".join(chr(chance.randrange(0x10000, 0x10FFFF)) for _ in range(255))
    long = "".join(chr(chance.randrange(0x10000, 0x10FFFF)) for _ in range(20_000))
    twin = long[:-1] + "x"
    image = an_image(name=widest, owner=widest[::-1], properties={widest: long, "": ""}, tags=[widest, ""])
    other = an_image(properties={widest: twin})
    run(database.write(fill, [image, other]))
    assert run(find(database, image.id)) == image
    for condition, found in (
        (with_property(widest, long), [image]),
        (with_property(widest, twin), [other]),
        (with_property(widest, long[:-1]), []),
        (with_property(widest, long[:128]), []),
        (with_property("", ""), [image]),
        (with_tag(widest), [image]),
        (with_tag(""), [image]),
        (Filter("in", "name", (widest,)), [image]),
        (Filter("eq", "owner", (widest[::-1],)), [image]),
    ):
        assert run(listed(database, filters=[condition])) == found


def test_numbers_of_any_size_can_be_kept(database: Database, run: Run) -> None:
    image = an_image(size=2**63 - 1, virtual_size=2**63 - 1, min_ram=2**31 - 1, min_disk=2**31 - 1)
    run(database.write(rows.create, image))
    assert run(find(database, image.id)) == image


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_text_sorts_by_code_point(database: Database, run: Run, direction: str) -> None:
    names = [
        "a",
        "B",
        "Z",
        "_",
        "-",
        "a b",
        "ab",
        "aB",
        "é",
        "e\u0301",
        "ß",
        "ss",
        "z",
        "",
        " ",
        "\uffee",
        "\U0001f600",
        "10",
        "9",
    ]
    images = [an_image(name=name) for name in names]
    run(database.write(fill, images))
    found = run(listed(database, sort=(("name", direction), ("id", "asc"))))
    assert [image.name for image in found] == sorted(names, reverse=direction == "desc")


def test_case_is_told_apart(database: Database, run: Run) -> None:
    run(database.write(fill, [an_image(name="Alpine", tags=["LTS"], properties={"Os": "Linux"})]))
    for condition in (
        Filter("in", "name", ("alpine",)),
        with_tag("lts"),
        with_property("os", "Linux"),
        with_property("Os", "linux"),
    ):
        assert run(listed(database, filters=[condition])) == []


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path, postgres: Postgres, run: Run) -> None:
    for url in (f"sqlite:///{tmp_path / 'absent.db'}", postgres.url("absent"), "postgresql://127.0.0.1:1/calotype"):
        database = connect(Settings(database=url))
        with pytest.raises(StorageUnavailable, match=r"^The database cannot be"):
            run(database.open())
        run(database.close())
    assert list(tmp_path.iterdir()) == []


def test_a_lost_connection_is_nothing_but_unavailable_and_comes_back(
    postgres: Postgres, postgres_url: str, run: Run
) -> None:
    image = an_image()
    name = postgres_url.rpartition("/")[2]
    end_all = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    async def comes_back(database: Database) -> bool:
        for _ in range(10):
            try:
                return await find(database, image.id) == image
            except StorageUnavailable:
                pass
        return False

    async def lose_and_recover() -> list[bool]:
        database = connect(Settings(database=postgres_url))
        await database.open()
        await database.write(rows.create, image)
        found = []
        for _ in range(40):  # the moment at which the loss is noticed differs
            await asyncio.to_thread(postgres.execute, end_all)
            found.append(await comes_back(database))
        await database.close()
        return found

    assert run(lose_and_recover()) == [True] * 40


def _fields(image: Image) -> dict[str, Any]:
    return {name: getattr(image, name) for name in Image.__struct_fields__}
