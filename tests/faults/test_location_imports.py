"""Data that clients add by its URL, when the web server, the hash, the image or the worker fails (image-v2 15.2)."""

import asyncio
from typing import Any

import msgspec
import pytest

from calotype.app import Parts
from calotype.database import loose
from calotype.images.errors import ImageNotFound, Invalid, StorageUnavailable
from calotype.images.hashes import Hashes
from calotype.images.imports import Wanted
from calotype.images.model import LOCK, Image, Location, Task
from calotype.images.patch import Operation
from calotype.images.tasks import Asked
from tests.support.origin import BEHAVIOURS, Origin
from tests.support.origin import DATA as SENT
from tests.support.scene import Scene
from tests.support.system import free_port
from tests.support.unserved import CALLER, SHA512, Mirror, finished, new_image, pieces
from tests.support.waiting import nothing_is_due

WRONG = Hashes("sha512", "0" * 128)


def add(scene: Scene, url: str, expected: Hashes | None, **acts: Any) -> tuple[Task, Image | None]:
    """Add the data at a URL to a new image; the task, and the image if it is there in the end."""

    async def added() -> tuple[Task, Image | None]:
        async with scene.opened() as parts:
            image_id = await new_image(parts)
            await parts.locations.add(Asked(CALLER, "req", {}), image_id, url, expected)
            scene.forget()
            for moment, act in acts.items():
                scene.acts[moment.replace("_at_", " ")] = lambda parts, act=act: act(parts, image_id)
            task = await finished(parts)
            try:
                return task, await parts.library.show(CALLER, image_id)
            except ImageNotFound:
                return task, None

    return asyncio.run(added())


@pytest.mark.parametrize("behaviour", ["stalls", "resets", "shorter", "moved-in"])
def test_a_server_that_fails_while_the_hash_is_computed(with_web: Scene, behaviour: str) -> None:
    """Its first answers, to the questions for the size, are good."""
    answers = [BEHAVIOURS["shorter" if behaviour == "shorter" else "good"], BEHAVIOURS[behaviour]]
    origin = Origin({"data": lambda to: answers.pop(0)(to) if len(answers) > 1 else answers[0](to)})
    task, image = add(with_web, origin.url("data"), WRONG)
    assert task.status == "failure"
    assert task.message.startswith("The data cannot be read: ")
    assert image is not None
    assert (image.status, image.size, image.os_hash_value) == ("queued", None, None)
    assert LOCK not in image.properties


def test_without_a_hash_the_image_is_active_although_the_server_vanishes(with_web: Scene) -> None:
    answers = [BEHAVIOURS["good"], BEHAVIOURS["resets"]]
    origin = Origin({"data": lambda to: answers.pop(0)(to) if len(answers) > 1 else answers[0](to)})
    task, image = add(with_web, origin.url("data"), None)
    assert task.status == "success"
    assert image is not None
    assert (image.status, image.size, image.os_hash_algo, image.os_hash_value) == ("active", len(SENT), "sha512", None)
    assert LOCK not in image.properties


@pytest.mark.parametrize("expected", [WRONG, None], ids=["announced", "not announced"])
def test_a_server_that_trickles_holds_nobody_up(
    with_web: Scene, monkeypatch: pytest.MonkeyPatch, expected: Hashes | None
) -> None:
    """It tells the size at once, and then sends ten bytes a second."""
    monkeypatch.setattr("calotype.stores.fetch.WINDOW_SECONDS", 0.3)
    task, image = add(with_web, Origin().url("trickles"), expected)
    assert image is not None
    assert LOCK not in image.properties
    assert image.os_hash_value is None
    if expected is None:
        assert (task.status, image.status) == ("success", "active")
    else:
        slow = "The data cannot be read: The remote server sends fewer than 1024 bytes a second."
        assert (task.status, task.message) == ("failure", slow)
        assert (image.status, image.reserved) == ("queued", 0)


@pytest.mark.parametrize("moment", ["locate_at_1", "locate_at_2"])
@pytest.mark.parametrize("hashed", [True, False])
def test_an_image_deleted_meanwhile(with_web: Scene, mirror: Mirror, hashed: bool, moment: str) -> None:
    async def deletes(parts: Parts, image_id: str) -> None:
        await parts.library.delete(CALLER, image_id)

    task, image = add(with_web, mirror.url, Hashes("sha512", SHA512) if hashed else None, **{moment: deletes})
    assert image is None
    assert (task.status, task.message) == ("failure", f"No image found with ID {task.image_id}")


@pytest.mark.parametrize("behaviour", ["nothing", "empty", "not-found", "says-nothing"])
def test_a_url_without_data(with_web: Scene, behaviour: str) -> None:
    place = f"http://127.0.0.1:{free_port()}/data" if behaviour == "nothing" else Origin().url(behaviour)
    task, image = add(with_web, place, None)
    assert task.status == "failure"
    assert task.message.startswith("Invalid location")
    assert image is not None
    assert (image.status, image.locations) == ("queued", [])
    assert LOCK not in image.properties


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("more", [0, 1])
def test_data_that_is_larger_than_an_image_may_be(with_web: Scene, mirror: Mirror, hashed: bool, more: int) -> None:
    limits = msgspec.structs.replace(with_web.settings.image, size_cap=len(mirror.data) - more)
    with_web.settings = msgspec.structs.replace(with_web.settings, image=limits)
    task, image = add(with_web, mirror.url, Hashes("sha512", SHA512) if hashed else None)
    assert image is not None
    if more:
        assert (task.status, task.message) == ("failure", "Invalid location")
        assert (image.status, image.size, image.locations) == ("queued", None, [])
    else:
        assert (task.status, image.status, image.size) == ("success", "active", len(mirror.data))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("more", [0, 1])
def test_a_patch_with_data_that_is_larger_than_an_image_may_be(
    with_web: Scene, mirror: Mirror, whole: bool, more: int
) -> None:
    limits = msgspec.structs.replace(with_web.settings.image, size_cap=len(mirror.data) - more)
    with_web.settings = msgspec.structs.replace(with_web.settings, image=limits)
    location = {"url": mirror.url, "metadata": {}}
    added, replaced = Operation("add", "locations", location, place="-"), Operation("replace", "locations", [location])
    change = replaced if whole else added

    async def patched() -> Image:
        async with with_web.opened() as parts:
            image_id = await new_image(parts)
            if more:
                with pytest.raises(Invalid, match="Invalid location"):
                    await parts.locations.update(CALLER, image_id, [change])
            else:
                await parts.locations.update(CALLER, image_id, [change])
            return await parts.library.show(CALLER, image_id)

    image = asyncio.run(patched())
    size = None if more else len(mirror.data)
    assert (image.status, image.size, len(image.locations)) == ("queued" if more else "active", size, 1 - more)


def test_a_location_with_another_hash_does_not_survive_an_import(with_web: Scene, mirror: Mirror) -> None:
    """Its store is preferred: whoever downloads would get its data."""

    async def played() -> tuple[str, list[Location]]:
        async with with_web.opened() as parts:
            image_id = await new_image(parts)
            expected = Hashes("sha512", "0" * 128)
            await parts.locations.add(Asked(CALLER, "req", {}), image_id, mirror.url, expected)
            task = await finished(parts)
            assert task.status == "failure"
            assert "hash" in task.message
            image = await parts.library.show(CALLER, image_id)
            assert image.status == "queued"
            await parts.transfer.stage(CALLER, image_id, pieces(), None)
            return image_id, image.locations

    image_id, _ = asyncio.run(played())

    async def imported() -> Image:
        async with with_web.opened() as parts:
            method = {"name": "glance-direct"}
            await parts.imports.start(Asked(CALLER, "req", {"method": method}), image_id, Wanted(method, ["one"]))
            await parts.worker.open()
            async with asyncio.timeout(20):
                await nothing_is_due(parts.database)
            await parts.worker.close()
            return await parts.library.show(CALLER, image_id)

    image = asyncio.run(imported())
    assert (image.status, [each.store for each in image.locations]) == ("active", ["one"])


@pytest.mark.parametrize("hashed", [True, False])
def test_a_location_that_is_there_is_not_undone_by_a_second_attempt(
    with_web: Scene, mirror: Mirror, hashed: bool
) -> None:
    """The worker dies after the image became active; then the web server is gone."""

    async def vanishes(parts: Parts) -> None:
        raise StorageUnavailable("the database is away")

    async def played() -> tuple[Task, Image]:
        async with with_web.opened() as parts:
            image_id = await new_image(parts)
            expected = Hashes("sha512", SHA512) if hashed else None
            await parts.locations.add(Asked(CALLER, "req", {}), image_id, mirror.url, expected)
            with_web.acts["_end 1"] = vanishes

            async def deactivates(parts: Parts) -> None:
                await parts.library.deactivate(CALLER, image_id)

            with_web.acts["put_back 1"] = deactivates
            return await finished(parts), await parts.library.show(CALLER, image_id)

    task, image = asyncio.run(played())
    assert (task.status, task.attempts) == ("success", 2)
    assert image.status == "deactivated"
    assert image.os_hash_value == SHA512


def test_images_with_the_same_url_can_be_deleted_at_once(with_web: Scene, mirror: Mirror) -> None:
    """What is at a URL is nobody's to be removed, and several images may have it."""

    async def deleted() -> None:
        async with with_web.opened() as parts:
            images = []
            for _ in range(3):
                images.append(await new_image(parts))
                location = {"url": mirror.url, "metadata": {}}
                await parts.locations.update(CALLER, images[-1], [Operation("add", "locations", location, place="-")])
            for image_id in images:
                assert (await parts.library.show(CALLER, image_id)).status == "active"
                await parts.library.delete(CALLER, image_id)
            assert not await parts.database.all(loose.LIST, {})

    asyncio.run(deleted())
