"""Copies on a disk: whole or absent, within the bound, the last used the last to go."""

import asyncio
import os
import tempfile
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.images.errors import StorageUnavailable
from calotype.stores.copies import GRACE, Copies, Name
from calotype.stores.queue import Queue

KEY = "0" * 32
DAY = 86_400.0


def name(size: int, image_id: str | None = None) -> Name:
    """A name of a copy of so many bytes."""
    return Name(image_id or str(uuid.uuid4()), KEY, size)


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    """Room for 1000 bytes."""
    made = Copies(tmp_path / "cache", 1000)
    made.open()
    return made


def put(copies: Copies, wanted: Name, age: float = 0.0) -> bool:
    """Whether there was room for a copy, last used so many seconds ago."""
    filling = copies.begin(wanted)
    if filling is None:
        return False
    filling.write(b"x" * wanted.size)
    filling.commit()
    moment = time.time() - age
    os.utime(copies._data / str(wanted), (moment, moment))
    return True


def use(copies: Copies, wanted: Name, age: float) -> None:
    """Use a copy, so many seconds ago."""
    assert copies.find(wanted)
    moment = time.time() - age
    os.utime(copies._hits / str(wanted), (moment, moment))


def kept(copies: Copies) -> set[Name]:
    """The copies there are."""
    return {copy.name for copy in copies.all()}


def files(directory: Path) -> list[str]:
    """All files below."""
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


steps = st.lists(st.tuples(st.sampled_from(["put", "use", "remove", "die"]), st.integers(0, 9), st.integers(0, 400)))


@given(bound=st.integers(1, 1000), lower=st.integers(1, 1000), steps=steps)
def test_never_above_the_bound_and_the_last_used_stay(
    bound: int, lower: int, steps: list[tuple[str, int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        copies = Copies(directory, bound)
        copies.open()
        sizes: dict[str, int] = {}
        clock = DAY
        for verb, number, size in steps:
            clock -= 10
            image_id = f"image-{number}"
            known = Name(image_id, KEY, sizes.setdefault(image_id, size))
            if verb == "put":
                put(copies, known, clock)
            elif verb == "use" and copies.has(known):
                use(copies, known, clock)
            elif verb == "remove":
                copies.remove(image_id)
            elif verb == "die" and (filling := copies.begin(known)) is not None:
                filling.write(b"x" * (known.size // 2))
                filling._file.close()  # as the kernel does it
            assert sum(each.size for each in kept(copies)) <= bound
        before = sorted(copies.all(), key=lambda copy: copy.accessed)
        smaller = Copies(directory, lower)
        pruned = smaller.prune()
        after = kept(smaller)
        assert sum(each.size for each in after) <= lower
        # The rest is what was used last, and no more went than had to.
        assert after == {copy.name for copy in before[pruned.files :]}
        assert pruned.bytes == sum(copy.name.size for copy in before[: pruned.files])
        if pruned.files:
            assert sum(copy.name.size for copy in before[pruned.files - 1 :]) > lower


def test_a_copy_is_there_once_it_is_whole(copies: Copies, tmp_path: Path) -> None:
    wanted = name(6)
    filling = copies.begin(wanted)
    assert filling is not None
    filling.write(b"abc")
    assert copies.find(wanted) is None
    filling.write(b"def")
    assert not kept(copies)
    filling.commit()
    found = copies.find(wanted)
    assert found is not None
    assert found.read_bytes() == b"abcdef"
    assert files(tmp_path / "cache" / "partial") == []
    filling.cancel()
    assert copies.find(wanted) == found


def test_uses_are_counted(copies: Copies) -> None:
    wanted = name(3)
    put(copies, wanted, DAY)
    (before,) = copies.all()
    for _ in range(3):
        copies.find(wanted)
    (after,) = copies.all()
    assert (before.hits, after.hits, after.modified) == (0, 3, before.modified)
    assert before.accessed == before.modified < after.accessed


def test_one_fills_at_a_time(copies: Copies) -> None:
    wanted = name(6)
    filling = copies.begin(wanted)
    assert filling is not None
    assert copies.begin(wanted) is None
    filling.cancel()
    again = copies.begin(wanted)
    assert again is not None
    again.write(b"abcdef")
    again.commit()
    assert copies.begin(wanted) is None, "It is there."


def test_what_a_dead_one_left_is_written_anew(copies: Copies) -> None:
    wanted = name(6)
    dead = copies.begin(wanted)
    assert dead is not None
    dead.write(b"abcdefgh")
    dead._file.close()
    assert copies.find(wanted) is None
    filling = copies.begin(wanted)
    assert filling is not None
    filling.write(b"abcdef")
    filling.commit()
    assert copies.find(wanted)


@pytest.mark.parametrize("size", [0, 5, 7])
def test_a_damaged_copy_is_not_served(copies: Copies, size: int) -> None:
    wanted = name(6)
    put(copies, wanted)
    os.truncate(copies._data / str(wanted), size)
    assert copies.find(wanted) is None
    assert not copies.all()


def test_cleaning_removes_leftovers_and_nothing_else(copies: Copies, tmp_path: Path) -> None:
    whole, damaged, dead, alive, gone = name(6), name(6), name(6), name(6), name(6)
    for each in (whole, damaged, gone):
        put(copies, each)
        copies.find(each)
    os.truncate(copies._data / str(damaged), 5)
    (copies._data / str(gone)).unlink()
    left = copies.begin(dead)
    filling = copies.begin(alive)
    assert left is not None
    assert filling is not None
    left._file.close()
    (tmp_path / "cache" / "data" / "README").write_text("an operator's")
    copies.clean()
    assert kept(copies) == {whole}
    assert files(tmp_path / "cache") == sorted([str(whole), str(whole), str(alive), "README", "lock"])
    filling.write(b"abcdef")
    filling.commit()
    assert kept(copies) == {whole, alive}


def test_room_is_promised_to_what_is_being_filled(copies: Copies) -> None:
    first = copies.begin(name(600))
    assert first is not None
    assert copies.begin(name(600)) is None
    assert copies.begin(name(400)) is not None
    first.cancel()
    assert copies.begin(name(600)) is not None


def test_nothing_is_evicted_for_what_does_not_fit_all_the_same(copies: Copies) -> None:
    old = name(300)
    put(copies, old, DAY)
    filling = copies.begin(name(600))
    assert filling is not None
    assert copies.begin(name(500)) is None
    assert copies.begin(name(1001)) is None
    assert old in kept(copies)


def test_what_was_just_used_is_not_evicted(copies: Copies) -> None:
    old, new = name(600), name(600)
    put(copies, old, DAY)
    copies.find(old)
    assert not put(copies, new)
    use(copies, old, GRACE + 1)
    assert put(copies, new)
    assert kept(copies) == {new}


def test_who_reads_an_evicted_copy_reads_it_to_the_end(copies: Copies) -> None:
    wanted = name(6)
    put(copies, wanted)
    path = copies.find(wanted)
    assert path is not None
    with path.open("rb") as file:
        copies.clear()
        assert file.read() == b"xxxxxx"


def test_following_ends_with_the_filling(copies: Copies) -> None:
    async def follow() -> tuple[bytes, bytes]:
        async def read() -> bytes:
            return b"".join([piece async for piece in copies.follow(wanted, 1, 6)])

        filling = copies.begin(wanted)
        assert filling is not None
        filling.write(b"abc")
        reading = asyncio.create_task(read())
        await asyncio.sleep(0.1)
        assert not reading.done()
        filling.cancel()
        broken = await reading
        filling = copies.begin(wanted)
        assert filling is not None
        reading = asyncio.create_task(read())
        filling.write(b"abc")
        await asyncio.sleep(0.1)
        filling.write(b"def")
        filling.commit()
        return broken, await reading

    wanted = name(6)
    assert asyncio.run(follow()) == (b"bc", b"bcdef")


def test_one_sweeps_at_a_time_and_not_too_often(copies: Copies) -> None:
    with copies.sweeping(60) as first, copies.sweeping(60) as second:
        assert (first, second) == (True, False)
    with copies.sweeping(60) as soon:
        assert not soon
    with copies.sweeping(0) as later:
        assert later


def test_a_directory_that_is_away(copies: Copies, tmp_path: Path) -> None:
    wanted = name(6)
    put(copies, wanted)
    (tmp_path / "cache").rename(tmp_path / "away")
    assert copies.find(wanted) is None
    assert copies.begin(wanted) is None
    with pytest.raises(StorageUnavailable):
        copies.all()


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """An empty queue."""
    made = Queue(tmp_path / "queue")
    made.open()
    return made


def test_the_queue_holds_each_image_once_and_in_order(queue: Queue, tmp_path: Path) -> None:
    for number, image_id in enumerate(("c", "a", "b", "c")):
        queue.add(image_id)
        if image_id != "c" or number == 0:
            os.utime(tmp_path / "queue" / image_id, (number, number))
    assert [*queue.all()] == ["c", "a", "b"]
    assert (queue.remove("a"), queue.remove("a"), queue.remove("../queue/b")) == (True, False, False)
    assert [*queue.all()] == ["c", "b"]
    queue.clear()
    assert [*queue.all()] == []


def test_an_image_has_one_turn_at_a_time(queue: Queue) -> None:
    queue.add("a")
    with queue.taken("a") as turn, queue.taken("a") as other:
        assert other is None
        assert turn is not None
    with queue.taken("a") as turn:
        assert turn is not None
        queue.remove("a")
        queue.add("a")
        turn.done()
    assert [*queue.all()] == ["a"], "It was put in again meanwhile."
    with queue.taken("a") as turn:
        assert turn is not None
        turn.done()
    with queue.taken("a") as turn:
        assert turn is None
