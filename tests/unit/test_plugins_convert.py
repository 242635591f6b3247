"""`image_conversion` with a real qemu-img: what is converted, what is refused, and the limits (image-v2 24.3, 27)."""

import asyncio
import os
import random
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calotype.images.errors import ContentRefused, Invalid, LimitExceeded, StorageUnavailable
from calotype.images.plugins import confine
from calotype.images.plugins.convert import Converted, convert
from calotype.settings import Image as Limits
from calotype.settings import Plugins
from tests.support import hostile
from tests.support.hostile import DESCRIPTOR, MIB
from tests.support.server import clean_environment
from tests.support.system import qemu_img
from tests.support.waiting import until

SIZE = 4 * MIB
UNSAFE = "Image failed safety checks"
KINDS = {
    "raw": ("raw", ()),
    "qcow2": ("qcow2", ()),
    "vmdk": ("vmdk", ("-o", "subformat=streamOptimized")),
    "vhd": ("vpc", ("-o", "force_size=on")),
    "vhdx": ("vhdx", ()),
    "vdi": ("vdi", ()),
}


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A raw disk with something on it."""
    path = tmp_path / "content.raw"
    path.write_bytes(b"\1" * 512 + random.Random(1).randbytes(MIB) + bytes(SIZE - MIB - 512))
    return path


@pytest.fixture
def disk(content: Path, tmp_path: Path) -> Callable[[str], Path]:
    """The disk in a disk format of the Image API."""

    def make(disk_format: str) -> Path:
        kind, options = KINDS[disk_format]
        path = tmp_path / "in" / f"source,a=b:{disk_format}"
        path.parent.mkdir()
        _qemu("convert", "-f", "raw", "-O", kind, *options, content, path.parent / "x")
        return (path.parent / "x").rename(path)

    return make


def _qemu(*arguments: object) -> None:
    subprocess.run([qemu_img(), *map(str, arguments)], check=True, capture_output=True)


def run(source: Path, disk_format: str, *, limits: Limits = Limits(), **settings: Any) -> tuple[Converted, Path]:  # noqa: B008
    """Convert; after an error, nothing may be left."""
    folder = source.parent / "out"
    folder.mkdir(exist_ok=True)
    target = folder / "target:x,y=z"
    try:
        done = asyncio.run(convert(source, target, disk_format, Plugins(**settings), limits))
    except BaseException:
        assert list(folder.iterdir()) == []
        raise
    assert done is not None
    return done, target


@pytest.mark.parametrize("output", ["raw", "qcow2", "vmdk"])
@pytest.mark.parametrize("disk_format", KINDS)
def test_every_format_becomes_the_one_wanted(
    disk: Callable[[str], Path], content: Path, disk_format: str, output: str, tmp_path: Path
) -> None:
    source = disk(disk_format)
    before = source.read_bytes()
    if disk_format == output:
        target = tmp_path / "target"
        assert asyncio.run(convert(source, target, disk_format, Plugins(output_format=output), Limits())) is None  # type: ignore[arg-type]
        assert not target.exists()
        return
    done, target = run(source, disk_format, output_format=output)
    assert done == Converted(output, "bare", target.stat().st_size, SIZE)
    assert source.read_bytes() == before
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    back = tmp_path / "back"
    _qemu("convert", "-f", output, "-O", "raw", f"file:{target}", back)
    assert back.read_bytes() == content.read_bytes()


def test_what_is_missing_is_called_by_its_name(disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(StorageUnavailable, match="The temporary directory cannot be used at the moment"):
        run(disk("qcow2"), "qcow2")


def test_partitioned_disks_are_raw(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(hostile.mbr(hostile.PARTITION).ljust(SIZE, b"\0"))
    assert run(source, "raw", output_format="qcow2")[0].virtual_size == SIZE


def test_an_iso_stays_what_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(hostile.iso())
    for output in ("raw", "qcow2"):
        settings = Plugins(output_format=output)  # type: ignore[arg-type]
        assert asyncio.run(convert(source, target, "iso", settings, Limits())) is None
    assert not target.exists()
    for declared in ("raw", "qcow2"):
        with pytest.raises(ContentRefused, match=f"Image disk_format {declared} does not match stream data iso"):
            run(source, declared, output_format="vmdk")


REFUSED = {
    "another format": ("raw", hostile.qcow2(), "Image disk_format raw does not match stream data qcow2"),
    "no disk": ("aki", b"kernel", "Image disk_format aki does not match stream data raw"),
    "no ISO": ("iso", b"raw", "Image disk_format iso does not match stream data raw"),
    "encrypted": ("raw", hostile.luks(1), "Image disk_format raw does not match stream data luks"),
    "backing file": ("qcow2", hostile.qcow2(backing=200), UNSAFE),
    "data file": ("qcow2", hostile.qcow2(features=4), UNSAFE),
    "parent": ("vmdk", hostile.vmdk(DESCRIPTOR + 'parentFileNameHint="/etc/shadow"\n'), UNSAFE),
    "type": ("vmdk", hostile.vmdk(DESCRIPTOR.replace("monolithicSparse", "vmfs")), UNSAFE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_given_to_qemu(tmp_path: Path, name: str) -> None:
    disk_format, data, text = REFUSED[name]
    source = tmp_path / "source"
    source.write_bytes(data)
    with pytest.raises(ContentRefused, match=text):
        run(source, disk_format, limits=Limits(require_format_match=False), output_format="qcow2")


def test_types_of_vmdk_that_are_not_allowed(disk: Callable[[str], Path]) -> None:
    source = disk("vmdk")
    for allowed in ((), ("monolithicSparse",)):
        with pytest.raises(ContentRefused, match="VMDK images of the type streamoptimized are not converted"):
            run(source, "vmdk", vmdk_allowed_types=allowed)
    assert run(source, "vmdk", vmdk_allowed_types=("streamOptimized",))[0].virtual_size == SIZE


def test_a_disk_within_the_disk_is_looked_at_as_well(tmp_path: Path) -> None:
    inner, source = tmp_path / "inner", tmp_path / "source"
    inner.write_bytes(hostile.qcow2(backing=200).ljust(SIZE, b"\0"))
    _qemu("convert", "-f", "raw", "-O", "qcow2", inner, source)
    with pytest.raises(ContentRefused, match=UNSAFE):
        run(source, "qcow2")


def test_what_qemu_cannot_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(hostile.qcow2(size=SIZE))
    with pytest.raises(Invalid, match="qemu-img cannot read it") as refused:
        run(source, "qcow2")
    assert str(tmp_path) not in refused.value.text


def test_sizes(disk: Callable[[str], Path]) -> None:
    source = disk("qcow2")
    with pytest.raises(LimitExceeded, match=f"more than {SIZE - 1} bytes"):
        run(source, "qcow2", limits=Limits(size_cap=SIZE - 1))
    with pytest.raises(LimitExceeded, match=f"more than {MIB} bytes"):
        run(source, "qcow2", limits=Limits(size_cap=MIB), output_format="vmdk")
    with pytest.raises(LimitExceeded, match=f"the limit is {MIB}"):
        run(source, "qcow2", limits=Limits(virtual_size_cap=MIB))
    assert run(source, "qcow2", limits=Limits(size_cap=SIZE, virtual_size_cap=SIZE))[0].size == SIZE


def test_memory(disk: Callable[[str], Path]) -> None:
    source = disk("qcow2")
    for space in (MIB, 40 * MIB):
        with pytest.raises(LimitExceeded, match="memory"):
            run(source, "qcow2", convert_address_space=space)


def test_threads_do_not_use_the_memory_up(disk: Callable[[str], Path]) -> None:
    """Most of what they would map is never touched."""
    done, _ = run(disk("vmdk"), "vmdk", output_format="qcow2", convert_address_space=300 * MIB)
    assert done.disk_format == "qcow2"


@pytest.fixture
def endless(tmp_path: Path) -> str:
    """A program in the place of qemu-img that counts to infinity, and has a child that sleeps."""
    path = tmp_path / "qemu-img"
    path.write_text(
        f'#!/bin/sh\n(exec sleep 600) &\necho $$ $! >{tmp_path}/pids\necho begun >"$6"\nwhile :; do :; done\n'
    )
    path.chmod(0o755)
    return str(path)


def pids(folder: Path) -> list[int]:
    """The processes of the endless program that are alive."""
    written = (folder / "pids").read_text().split()
    return [int(pid) for pid in written if _alive(int(pid))]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_processor_time(content: Path, endless: str) -> None:
    started = time.monotonic()
    with pytest.raises(LimitExceeded, match="1 seconds of processor time"):
        run(content, "raw", output_format="qcow2", qemu_img=endless, convert_cpu_seconds=1)
    assert time.monotonic() - started < 15


def test_time(content: Path, endless: str) -> None:
    with pytest.raises(LimitExceeded, match="The conversion took more than 1 seconds"):
        run(content, "raw", output_format="qcow2", qemu_img=endless, convert_seconds=1)
    asyncio.run(until(lambda: pids(content.parent) == []))


async def test_a_cancelled_conversion_leaves_no_process_and_no_file(content: Path, endless: str) -> None:
    target = content.parent / "target"
    settings = Plugins(output_format="qcow2", qemu_img=endless)
    task = asyncio.create_task(convert(content, target, "raw", settings, Limits()))
    await until(lambda: target.exists() and target.stat().st_size > 0)
    assert len(pids(content.parent)) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: pids(content.parent) == [])
    assert not target.exists()


KILLED = """
import asyncio, pathlib, sys
from calotype.images.plugins.convert import convert
from calotype.settings import Image, Plugins

source, target, program = sys.argv[1:]
settings = Plugins(output_format="qcow2", qemu_img=program)
asyncio.run(convert(pathlib.Path(source), pathlib.Path(target), "raw", settings, Image()))
"""


def test_a_conversion_does_not_outlive_its_worker(content: Path, endless: str) -> None:
    target = content.parent / "target"
    worker = subprocess.Popen([sys.executable, "-c", KILLED, content, target, endless], env=clean_environment())
    try:
        asyncio.run(until(lambda: target.exists() and target.stat().st_size > 0))
        [converting, _] = pids(content.parent)
    finally:
        worker.kill()
        worker.wait()
    asyncio.run(until(lambda: not _alive(converting)))
    for left in pids(content.parent):  # a shell's child; qemu-img has none
        os.kill(left, 9)


def test_a_file_that_is_there_already_stays(content: Path) -> None:
    target = content.parent / "target"
    target.write_bytes(b"old")
    with pytest.raises(StorageUnavailable):
        asyncio.run(convert(content, target, "raw", Plugins(output_format="qcow2"), Limits()))
    assert target.read_bytes() == b"old"


def test_no_program(content: Path) -> None:
    with pytest.raises(StorageUnavailable, match="program that converts images cannot be run"):
        run(content, "raw", output_format="qcow2", qemu_img="no-such-program")


def test_what_a_confined_program_may_do() -> None:
    looks = (
        "import os, resource, sys; print(*[resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in "
        "('CPU', 'AS', 'FSIZE', 'CORE')], os.nice(0), open('/proc/self/status').read().split('NoNewPrivs:')[1][:3], "
        "open('/proc/net/dev').read().count(':'), sep='|')"
    )
    command = [sys.executable, "-I", "-S", confine.__file__, "7", str(2**30), str(MIB), sys.executable, "-c", looks]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    cpu, space, size, core, nice, privileges, networks = ended.stdout.strip().split("|")
    assert (cpu, space, size, core) == ("(7, 8)", f"({2**30}, {2**30})", f"({MIB}, {MIB})", "(0, 0)")
    assert (int(nice), privileges.strip()) == (min(19, os.nice(0) + 10), "1")
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("This test needs a kernel that lets a process have a network of its own.")
    assert networks == "1"  # the loopback, which is down
