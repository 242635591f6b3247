"""`calotype doctor` on stores: it names the store, the place and the remedy."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from calotype.cli import main
from calotype.images.patch import Operation
from calotype.settings import load
from tests.support.system import free_port, require
from tests.support.unserved import CALLER, Mirror, new_image, opened, pieces

URIS = '[uris]\nallowed_ports = []\nallowed_networks = ["127.0.0.0/8"]\n'
STORES = '[image]\nshow_locations = true\n[stores.one]\n[stores.two]\n[stores.web]\ntype = "http"\n'


class Deployment:
    """A data directory with a configuration file, and its doctor."""

    def __init__(self, home: Path) -> None:
        self.data = home / "data"
        self._file = home / "calotype.toml"

    def configure(self, stores: str, uris: str = URIS) -> None:
        """Have these settings from now on."""
        self._file.write_text(uris + stores)

    def run(self, *arguments: str) -> tuple[int, list[str]]:
        """Exit code and lines of a command."""
        environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("CALOTYPE_")}
        environment["CALOTYPE_IDENTITY_PASSWORD_MEMORY_KIB"] = "64"
        places = ("--data", str(self.data), "--config", str(self._file))
        done = CliRunner().invoke(main, [*arguments, *places], env=environment)
        return done.exit_code, done.output.splitlines()

    def complaints(self) -> list[str]:
        """What the doctor finds wrong."""
        code, lines = self.run("doctor", "--bind", f"127.0.0.1:{free_port()}")
        found = [line.removeprefix("FAIL  ") for line in lines if not line.startswith("ok    ")]
        assert (code, bool(found)) in ((0, False), (1, True)), lines
        return found

    def image(self, store: str | None, url: str = "") -> str:
        """The id of an image with data in a store, or at a URL."""

        async def made() -> str:
            async with opened(load(str(self._file), {}, {"data": str(self.data)})) as parts:
                image_id = await new_image(parts)
                if url:
                    location = {"url": url, "metadata": {}}
                    add = Operation("add", "locations", location, place="-")
                    await parts.locations.update(CALLER, image_id, [add])
                else:
                    await parts.transfer.upload(CALLER, image_id, pieces(b"data"), None, store)
                return image_id

        return asyncio.run(made())


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """With three stores and no images."""
    found = Deployment(tmp_path)
    found.configure(STORES)
    assert found.run("init")[0] == 0
    return found


def lacks(store: str, number: int, image: str) -> str:
    """How a complaint about missing data begins."""
    return f"the store {store} lacks data of {number} images, or has data of another size, for example of {image}: "


def test_all_is_well(deployment: Deployment) -> None:
    for store in ("one", "two"):
        deployment.image(store)
    assert deployment.complaints() == []


@pytest.mark.parametrize("how", ["gone", "empty", "of another size"])
def test_a_store_without_its_data(deployment: Deployment, how: str) -> None:
    deployment.image("one")
    image, place = deployment.image("two"), deployment.data / "two"
    if how == "of another size":
        (place / image).write_bytes(b"more data")
    else:
        shutil.rmtree(place)
    if how == "empty":
        place.mkdir()
    remedy = f"is {place} mounted and the right directory? Else restore its files, or delete these images"
    assert deployment.complaints() == [lacks("two", 1, image) + remedy]
    assert "ok    1 images have data, 0 files are being written or removed" in deployment.run("doctor")[1]


def test_the_store_that_has_no_name(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    deployment.configure("")
    assert deployment.run("init")[0] == 0
    images = {deployment.image(None) for _ in range(2)}
    for image in images:
        (deployment.data / "images" / image).unlink()
    [found] = deployment.complaints()
    assert any(found.startswith(lacks("local", 2, image)) for image in images)
    assert f"is {deployment.data / 'images'} mounted and the right directory?" in found


def test_a_store_that_is_not_configured_any_more(deployment: Deployment) -> None:
    image = deployment.image("two")
    deployment.configure(STORES.replace("[stores.two]\n", ""))
    assert deployment.complaints() == [lacks("two", 1, image) + "it is not configured; put [stores.two] back"]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A web server that has data."""
    with Mirror(b"data") as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("how", ["other data", "an address that may not be read any more", "no answer"])
def test_data_at_urls(deployment: Deployment, mirror: Mirror, how: str) -> None:
    image = deployment.image(None, mirror.url)
    assert deployment.complaints() == []
    if how == "other data":
        mirror.data = b"other data"
    elif how == "no answer":
        mirror.server_close()
    else:
        deployment.configure(STORES, uris="")
    remedy = "the servers that it names do not answer, or have other data by now"
    assert deployment.complaints() == [lacks("web", 1, image) + remedy]


@pytest.fixture
def unwritable() -> Iterator[Callable[[Path], None]]:
    """Lets nobody write into a directory, root included."""
    with ExitStack() as after:

        def make(path: Path) -> None:
            if os.getuid():
                path.chmod(0o500)
                return
            mount = require("mount (to mount a tmpfs)", shutil.which("mount"))
            if subprocess.run([mount, "-t", "tmpfs", "-o", "ro", "tmpfs", path], check=False).returncode:
                require("leave to mount a tmpfs", None)
            after.callback(subprocess.run, ["umount", path], check=True)

        yield make


@pytest.mark.parametrize("name", ["two", "images", "images/.partial", "run", "scratch", "cache"])
def test_directories_that_cannot_be_used(deployment: Deployment, unwritable: Callable[[Path], None], name: str) -> None:
    deployment.configure(STORES + '[cache]\ndirectory = "cache"\n')
    deployment.image("one")
    path = deployment.data / name
    if path.is_dir():
        shutil.rmtree(path)
    path.write_text("in the way")
    assert f"{path} is no directory: move it away" in deployment.complaints()
    path.unlink()
    path.mkdir()
    unwritable(path)
    assert deployment.complaints() == [f"{path} cannot be written to: mend its owner or mode, or how it is mounted"]


def test_policy_files(deployment: Deployment, tmp_path: Path) -> None:
    file, directory = tmp_path / "policy.yaml", tmp_path / "policy.d"
    directory.mkdir()
    for setting, path in (("file", file), ("directory", directory)):
        deployment.configure(STORES + f'[policy]\n{setting} = "{path}"\n')
        rules = file if setting == "file" else directory / "a.yaml"
        rules.write_text("get_image: role:reader")
        assert deployment.complaints() == []
        assert f"ok    {path} is in order" in deployment.run("doctor")[1]
        rules.write_text("\nget_image: role:reader and")
        wrong = f"policy: {rules}: line 2: get_image: not understood: 'role:reader and'"
        assert deployment.complaints() == [wrong]
        rules.write_text("get_imag: role:reader\nget_image: rule:readers")
        assert deployment.complaints() == [
            "policy: get_image names readers, which is no rule: `default` stands in",
            "policy: get_imag is no rule of Glance's, and nothing names it: it has no effect",
        ]
        rules.unlink()
    directory.rmdir()
    assert deployment.complaints() == [f"policy.directory: {directory}: No such file or directory"]


def test_a_rule_that_a_property_protection_names_is_in_order(deployment: Deployment, tmp_path: Path) -> None:
    rules, protections = tmp_path / "policy.yaml", tmp_path / "protections.conf"
    rules.write_text("team: role:reader")
    protections.write_text("[.*]\ncreate = @\nread = team\nupdate = @\ndelete = @\n")
    named = f'[image]\nproperty_protection_file = "{protections}"\nproperty_protection_rule_format = "policies"\n'
    deployment.configure(f'[policy]\nfile = "{rules}"\n{named}')
    assert deployment.complaints() == []
    protections.write_text("[.*]")
    broken = f"image.property_protection_file: {protections}: section [.*]: create is missing"
    [told] = deployment.complaints()
    assert told.startswith(broken)
