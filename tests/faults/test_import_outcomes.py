"""What happens to an import between two of its transactions, at exactly that moment, on each database."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calotype.access.tokens import Tokens
from calotype.app import Parts
from calotype.database import images as rows
from calotype.database import loose
from calotype.images.errors import Conflict, ImageNotFound
from calotype.images.model import LOCK, Image, Location, Task
from calotype.images.patch import Operation
from calotype.images.tasks import Asked
from calotype.jobs.sweeper import Sweeper
from calotype.stores.fetch import Fetcher
from tests.support.origin import Origin
from tests.support.scene import Act, Scene, the_image
from tests.support.unserved import (
    CALLER,
    DATA,
    Mirror,
    asked_for,
    finished,
    new_image,
    pieces,
)

ALL = ["one", "two", "three"]


def broken(store: str) -> Act:
    """The store loses its directory for unfinished data."""

    async def act(parts: Parts) -> None:
        path = parts.shelf[store].path("x")
        assert path is not None
        (path.parent / ".partial").rmdir()

    return act


@pytest.mark.parametrize("bad", [["one"], ["two"], ["three"], ["one", "three"]])
def test_stores_that_fail_do_not_take_the_others_with_them(scene: Scene, bad: list[str]) -> None:
    async def breaks(parts: Parts) -> None:
        for store in bad:
            await broken(store)(parts)

    scene.acts["start 1"] = breaks
    task = scene.play("glance-direct", stores=ALL, must_succeed=False)
    assert (task.status, task.message) == ("success", "Copied 1 MiB")
    for store in bad:
        (scene.settings.directory / store / ".partial").mkdir()
    state = scene.state()
    assert state.image.properties["os_glance_failed_import"] == ",".join(sorted(bad))
    state.is_whole([each for each in ALL if each not in bad])


def test_if_all_stores_failthe_image_is_queued(scene: Scene) -> None:
    async def breaks(parts: Parts) -> None:
        for store in ALL:
            await broken(store)(parts)

    scene.acts["start 1"] = breaks
    task = scene.play("glance-direct", stores=ALL, must_succeed=False)
    assert task.status == "failure"
    assert "image storage" in task.message
    for store in ALL:
        (scene.settings.directory / store / ".partial").mkdir()
    state = scene.state()
    assert (state.image.status, state.image.size, state.image.locations) == ("queued", None, [])
    assert state.image.properties["os_glance_failed_import"] == "one,three,two"
    state.is_tidy()
    assert state.files == {}


@pytest.mark.parametrize("bad", ["two", "three"])
def test_a_copy_whose_source_was_taken_away_keeps_what_it_copied(scene: Scene, bad: str) -> None:
    """The first copy stands alone when the second one fails: it is not to be undone."""

    async def takes_source(parts: Parts) -> None:
        image = await the_image(parts)
        await broken("three")(parts)
        await parts.locations.remove_from_store(CALLER, "one", image.id)

    async def only_breaks(parts: Parts) -> None:
        await broken("two")(parts)

    if bad == "three":
        scene.acts["place 2"] = takes_source
    else:
        scene.acts["place 1"] = only_breaks
    task = scene.play("copy-image", stores=["two", "three"])
    assert task.status == "failure"
    (scene.settings.directory / bad / ".partial").mkdir()
    state = scene.state()
    assert state.image.status == "active"
    assert [each.store for each in state.image.locations] == (["two"] if bad == "three" else ["one"])
    assert state.image.properties["os_glance_failed_import"] == bad
    state.is_tidy()
    assert set(state.files.values()) == {DATA}


@pytest.mark.parametrize("moment", ["start 1", "place 1", "store 1", "_end 1"])
@pytest.mark.parametrize("method", ["glance-direct", "web-download", "copy-image"])
def test_an_image_deleted_meanwhile_is_gone_with_all_its_data(
    scene: Scene, mirror: Mirror, method: str, moment: str
) -> None:
    images: list[str] = []

    async def deletes(parts: Parts) -> None:
        await parts.library.delete(CALLER, images[0])

    async def played() -> Task:
        async with scene.opened() as parts:
            images.append(await asked_for(parts, method, mirror.url, stores=["two"]))
            scene.forget()
            scene.acts[moment] = deletes
            task = await finished(parts)
            with pytest.raises(ImageNotFound):
                await parts.library.show(CALLER, images[0])
            return task

    task = asyncio.run(played())
    assert (task.status, task.message) == ("failure", f"No image found with ID {images[0]}")
    assert task.secret is None
    scene.sweep()
    assert not list(scene.settings.directory.rglob(f"{images[0]}*"))


@pytest.mark.parametrize("moment", ["stage 1", "store 1"])
def test_data_that_was_given_up_never_becomes_an_images(scene: Scene, mirror: Mirror, moment: str) -> None:
    """As if the worker had stopped for so long that another host's sweeper took it for dead."""

    async def gives_up(parts: Parts) -> None:
        for store, name, image_id, *_ in await parts.database.all(loose.LIST, {}):
            await parts.intake.bury(image_id, Location(store, name))

    scene.acts[moment] = gives_up
    task = scene.play("web-download", mirror.url, stores=["one", "two"])
    assert task.attempts == 2
    scene.state().is_whole(["one", "two"])


def test_an_upload_that_was_given_up_never_becomes_an_images(scene: Scene) -> None:
    async def uploaded() -> Image:
        async with scene.opened() as parts:
            image_id = await new_image(parts)

            async def gives_up(parts: Parts) -> None:
                for store, name, image, *_ in await parts.database.all(loose.LIST, {}):
                    await parts.intake.bury(image, Location(store, name))

            scene.acts["finish 1"] = gives_up
            with pytest.raises(Conflict):
                await parts.transfer.upload(CALLER, image_id, pieces(), None)
            return await parts.library.show(CALLER, image_id)

    image = asyncio.run(uploaded())
    assert (image.status, image.locations) == ("queued", [])


def test_an_image_that_was_deactivated_meanwhile_stays_so(scene: Scene) -> None:
    async def deactivates(parts: Parts) -> None:
        image = await the_image(parts)
        assert image.status == "active"
        await parts.library.deactivate(CALLER, image.id)

    scene.acts["store 2"] = deactivates
    task = scene.play("glance-direct", stores=ALL, must_succeed=False)
    assert task.status == "success"
    state = scene.state()
    assert state.image.status == "deactivated"
    assert [each.store for each in state.image.locations] == ALL
    state.is_tidy()


@pytest.mark.parametrize("moment", ["place 1", "store 1", "_end 1"])
def test_a_copy_of_an_image_that_is_deactivated_meanwhile(scene: Scene, moment: str) -> None:
    async def deactivates(parts: Parts) -> None:
        await parts.library.deactivate(CALLER, (await the_image(parts)).id)

    scene.acts[moment] = deactivates
    task = scene.play("copy-image", stores=["two", "three"])
    assert task.status == "success"
    state = scene.state()
    assert state.image.status == "deactivated"
    assert [each.store for each in state.image.locations] == ["one", "two", "three"]
    state.is_tidy()


def change(name: str, value: Any, op: Any = "replace") -> Callable[[Parts, str], Awaitable[Any]]:
    """A PATCH of one attribute."""

    async def act(parts: Parts, image_id: str) -> Any:
        return await parts.locations.update(CALLER, image_id, [Operation(op, name, value)])

    return act


def test_changes_made_meanwhile_stay(scene: Scene, mirror: Mirror) -> None:
    seen: list[str] = []

    async def changes(parts: Parts) -> None:
        number = len(seen)
        seen.append(f"p{number}")
        image_id = (await parts.tasks.find(CALLER, {}, ("created_at", "desc"), None, 1))[0].image_id or ""
        await change(f"p{number}", "v", "add")(parts, image_id)
        await change("name", f"n{number}")(parts, image_id)
        await parts.library.tag(CALLER, image_id, f"t{number}")

    for moment in ("start 1", "place 1", "stage 1", "place 2", "store 1", "store 2", "_end 1"):
        scene.acts[moment] = changes
    assert scene.play("web-download", mirror.url, stores=["one", "two"]).status == "success"
    state = scene.state()
    state.is_whole(["one", "two"])
    assert {name for name in state.image.properties if name.startswith("p")} == set(seen)
    assert (state.image.name, sorted(state.image.tags)) == ("n6", [f"t{number}" for number in range(7)])


def test_a_format_that_was_not_examined_is_not_believed(scene: Scene, mirror: Mirror) -> None:
    async def changes(parts: Parts) -> None:
        image_id = (await parts.tasks.find(CALLER, {}, ("created_at", "desc"), None, 1))[0].image_id or ""
        await change("disk_format", "qcow2")(parts, image_id)

    scene.acts["store 1"] = changes
    task = scene.play("web-download", mirror.url, stores=["one"])
    assert (task.status, task.message) == (
        "failure",
        "The format of the image was changed while its data was examined.",
    )
    state = scene.state()
    assert (state.image.status, state.image.disk_format, state.files) == ("queued", "qcow2", {})


def test_a_task_whose_image_waits_for_another_one_ends(scene: Scene, mirror: Mirror) -> None:
    """Nothing does that; if something should, the task must not be begun again and again."""

    async def steals(parts: Parts) -> None:
        image_id = (await parts.tasks.find(CALLER, {}, ("created_at", "desc"), None, 1))[0].image_id or ""

        def stolen(image: Image) -> Image:
            return msgspec.structs.replace(image, properties={**image.properties, LOCK: "another"})

        await parts.database.write(rows.change, image_id, "", stolen)

    chosen = msgspec.structs.replace(scene.settings.jobs, lease_seconds=1, attempts=1)
    scene.settings = msgspec.structs.replace(scene.settings, jobs=chosen)
    scene.acts["place 1"] = steals
    task = scene.play("web-download", mirror.url, stores=["one"])
    assert task.status == "failure"
    assert "is not locked by task" in task.message


def test_whoever_waits_for_a_task_is_given_no_other_data(with_web: Scene, mirror: Mirror) -> None:
    """The task is accepted and did not begin yet, because the workers are busy."""

    async def played() -> Task:
        async with with_web.opened() as parts:
            image_id = await asked_for(parts, "web-download", mirror.url, stores=["two"])
            location = {"url": mirror.url, "metadata": {}}
            others = [
                parts.transfer.upload(CALLER, image_id, pieces(b"others"), None),
                parts.transfer.stage(CALLER, image_id, pieces(b"others"), None),
                parts.locations.add(Asked(CALLER, "req", {}), image_id, mirror.url, None),
                parts.locations.update(CALLER, image_id, [Operation("add", "locations", location, place="-")]),
                parts.locations.update(CALLER, image_id, [Operation("replace", "locations", [location])]),
            ]
            for other in others:
                with pytest.raises(Conflict, match="Image has active task"):
                    await other
            return await finished(parts)

    assert asyncio.run(played()).status == "success"
    with_web.state().is_whole(["two"])


def test_a_server_that_trickles_holds_nobody_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calotype.stores.fetch.WINDOW_SECONDS", 0.5)
    origin = Origin()
    task = scene.play("web-download", origin.url("trickles"), stores=["one"])
    assert (task.status, task.message) == ("failure", "The remote server sends fewer than 1024 bytes a second.")
    state = scene.state()
    assert (state.image.status, state.files) == ("queued", {})
    state.is_tidy()


class Names:
    """A name server whose answers change: those of the first look-up, those of the second, and so on."""

    def __init__(self, *answers: list[str] | None) -> None:
        self.answers = list(answers)

    def __call__(self, host: str) -> list[str]:
        found = self.answers.pop(0)
        if found is None:
            raise OSError(f"{host} is unknown")
        return found


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(["127.0.0.2"], id="rebound"),
        pytest.param(["127.0.0.1", "127.0.0.2"], id="rebound-in-part"),
        pytest.param(None, id="gone"),
        pytest.param([], id="empty"),
    ],
)
def test_a_name_that_resolves_otherwise_when_the_task_runs(
    scene: Scene, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, later: list[str] | None
) -> None:
    names = Names(["127.0.0.1"], later)
    monkeypatch.setattr("calotype.app.Fetcher", functools.partial(Fetcher, resolve=names))
    uris = msgspec.structs.replace(scene.settings.uris, allowed_networks=("127.0.0.1/32",))
    scene.settings = msgspec.structs.replace(scene.settings, uris=uris)
    url = mirror.url.replace("127.0.0.1", "mirror.example")
    task = scene.play("web-download", url, stores=["one"])
    assert (task.status, task.message) == ("failure", "The URI does not pass filtering.")
    assert names.answers == []
    state = scene.state()
    assert (state.image.status, state.files) == ("queued", {})
    state.is_tidy()


def test_the_address_that_was_judged_is_the_one_that_is_read(
    scene: Scene, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr("calotype.app.Fetcher", functools.partial(Fetcher, resolve=names))
    task = scene.play("web-download", mirror.url.replace("127.0.0.1", "mirror.example"), stores=["one"])
    assert task.status == "success"
    assert names.answers == [["127.0.0.2"]]
    scene.state().is_whole(["one"])


def test_a_store_that_is_away_does_not_keep_the_others_from_being_swept(scene: Scene) -> None:
    async def swept() -> list[Path]:
        async with scene.opened() as parts:
            image_id = await new_image(parts)
            left = Location("one", f"{image_id}.9")
            path = parts.shelf["one"].path(left.name)
            assert path is not None
            path.write_bytes(b"left over")
            await parts.database.write(loose.add, image_id, [left])
            await broken("two")(parts)
            tokens = Tokens(parts.database, scene.settings.identity)
            await Sweeper(parts.database, parts.shelf, parts.intake, parts.holder, parts.queue, tokens).sweep()
            return [each for each in path.parent.iterdir() if each.is_file()]

    assert asyncio.run(swept()) == []
