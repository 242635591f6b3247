"""`image_conversion`: the disk in another format, made by qemu-img. Source: image-v2 24.3, 27.

qemu-img opens what a disk image tells it to open. So the data is examined by our own parsers before, the format and the
driver of the file are always said, the names are paths of ours, and it runs confined (`confine.py`).
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

from calotype.images.errors import ContentRefused, ImageError, Invalid, LimitExceeded, StorageFull, StorageUnavailable
from calotype.images.inspect import Found, examine
from calotype.images.plugins import confine
from calotype.images.plugins.files import SCRATCH, making
from calotype.settings import Image as Limits
from calotype.settings import Plugins, SettingsError
from calotype.stores.local import worded

DRIVERS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
"""What qemu calls the disk formats."""

_LAST_WORDS = 2000
_NO_FILE = "File too large"
_FULL = ("No space left on device", "Disk quota exceeded")
_NO_MEMORY = "Cannot allocate memory"
_NOT_LOADED = 127
# glibc maps 128 MiB for the heap of each thread, of which qemu-img has many: good images would now and then fail for
# want of address space.
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath, "MALLOC_ARENA_MAX": "1"}

log = logging.getLogger("calotype.convert")


class Converted(NamedTuple):
    """What the new file is; sizes are bytes."""

    disk_format: str
    container_format: str
    size: int
    virtual_size: int | None


def check_convert(settings: Plugins) -> None:
    """Raise SettingsError if conversion is enabled and the program is not there."""
    if "image_conversion" in settings.enabled and shutil.which(settings.qemu_img) is None:
        raise SettingsError(
            f"plugins.qemu_img: {settings.qemu_img} is not there or cannot be run, and image_conversion is enabled; "
            "install it (Debian: qemu-utils)"
        )


async def convert(source: Path, target: Path, disk_format: str, settings: Plugins, limits: Limits) -> Converted | None:
    """Write the disk in `source` to the new file `target`; None if the data stays as it is: the format is the one
    wanted already, or the data is an ISO.

    Then, and after every error and a cancellation, there is no `target` and no process. Raises ContentRefused for data
    that is unsafe or not of `disk_format`, Invalid for data that qemu-img cannot convert, LimitExceeded beyond a size
    or a limit of the settings, StorageFull, StorageUnavailable.
    """
    found = await asyncio.to_thread(_examine, source, "data to convert", limits)
    _check(found, disk_format, settings)
    if disk_format in ("iso", settings.output_format):
        return None
    if settings.output_format == "raw" and (found.virtual_size or 0) > limits.size_cap:
        raise _too_large(limits)
    with making(target):
        command = _command(source, target, disk_format, settings, limits)
        await _run(command, settings, limits)
        return await asyncio.to_thread(_converted, target, settings.output_format, limits)


def _examine(path: Path, what: str, limits: Limits) -> Found:
    with worded(what):
        return examine(path, limits)


def _check(found: Found, disk_format: str, settings: Plugins) -> None:
    """The examined data may be given to qemu-img as what it was declared to be."""
    if found.disk_format != disk_format:
        raise ContentRefused(f"Image disk_format {disk_format} does not match stream data {found.disk_format}")
    if disk_format != "iso" and disk_format not in DRIVERS:
        raise ContentRefused(f"Unable to convert from format {disk_format}")
    allowed = [name.lower() for name in settings.vmdk_allowed_types]
    if disk_format == "vmdk" and found.subformat not in allowed:
        raise ContentRefused(f"VMDK images of the type {found.subformat} are not converted")


def _converted(target: Path, output_format: str, limits: Limits) -> Converted:
    """What was made; a raw disk may be anything that is safe."""
    found = _examine(target, SCRATCH, limits)
    if output_format not in ("raw", found.disk_format):
        raise ContentRefused(f"Image disk_format {output_format} does not match stream data {found.disk_format}")
    size = target.stat().st_size
    return Converted(output_format, "bare", size, size if output_format == "raw" else found.virtual_size)


def _command(source: Path, target: Path, disk_format: str, settings: Plugins, limits: Limits) -> list[str]:
    program = shutil.which(settings.qemu_img)
    if program is None:
        log.error("%s is not there or cannot be run", settings.qemu_img)
        raise StorageUnavailable("The program that converts images cannot be run.")
    # In options a comma ends a value, unless it is doubled. An absolute path is never read as a protocol.
    name = str(source.absolute()).replace(",", ",,")
    return [
        *(sys.executable, "-I", "-S", confine.__file__),
        *(str(settings.convert_cpu_seconds), str(settings.convert_address_space), str(limits.size_cap)),
        *(os.path.abspath(program), "convert", "-O", DRIVERS[settings.output_format], "--image-opts"),
        f"driver={DRIVERS[disk_format]},file.driver=file,file.filename={name}",
        str(target.absolute()),
    ]


async def _run(command: list[str], settings: Plugins, limits: Limits) -> None:
    """Run it to its end; whatever happens, no process of its group is left."""
    with worded("temporary directory"):  # not the scratch: that it is full has to be said somewhere
        said = TemporaryFile()  # noqa: SIM115 - closed by the next line; a pipe would stay open as long as any child
    with said:
        code = await _code(command, said, settings.convert_seconds)
        if code:
            said.seek(0)
            text = said.read(_LAST_WORDS).decode(errors="replace")
            log.warning("qemu-img ended with %s: %s", code, text)
            raise _failure(code, text, settings, limits)


async def _code(command: list[str], said: BinaryIO, seconds: int) -> int:
    """The exit code of the process."""
    with worded("program that converts images"):
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=said,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(seconds):
            return await process.wait()
    except TimeoutError:
        raise LimitExceeded(f"The conversion took more than {seconds} seconds.") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


def _failure(code: int, text: str, settings: Plugins, limits: Limits) -> ImageError:
    """What the caller is told; paths of this host are not."""
    if code == -signal.SIGXCPU:
        return LimitExceeded(f"The conversion took more than {settings.convert_cpu_seconds} seconds of processor time.")
    if code == -signal.SIGXFSZ or _NO_FILE in text:
        return _too_large(limits)
    if any(words in text for words in _FULL):
        return StorageFull(f"{SCRATCH.capitalize()} media is full: No space left on device")
    if code < 0 or code == _NOT_LOADED or _NO_MEMORY in text:
        return LimitExceeded("The conversion needed more memory than it may have.")
    return Invalid("The image cannot be converted: qemu-img cannot read it")


def _too_large(limits: Limits) -> LimitExceeded:
    return LimitExceeded(f"The converted image is too large: more than {limits.size_cap} bytes.")
