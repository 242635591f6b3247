"""Parts of the system that some tests need, and free ports."""

import os
import socket
from pathlib import Path
from shutil import which
from typing import NoReturn

import pytest

NO_SKIP = "CALOTYPE_TESTS_NO_SKIP"
ROOT = Path(__file__).parents[2]

POSTGRESQL = "initdb of PostgreSQL (Debian package postgresql)"
QEMU_IMG = "qemu-img (Debian package qemu-utils)"
MEMCACHED = "memcached (Debian package memcached)"
OPENSSL = "openssl (Debian package openssl)"
IPXE_ISO = "/usr/lib/ipxe/ipxe.iso (Debian package ipxe)"
KEYSTONE = ".venv-keystone with Keystone: run `make keystone` once"
TEMPEST = ".venv-tempest with tempest: run `make tempest` once"
NETWORK = "an address besides loopback"
NOVACLIENT = ".venv-novaclient with python-novaclient 6.0.2 (`make .venv-novaclient`)"


def require(what: str, path: str | Path | None) -> Path:
    """The path if it is there; else the test is skipped, or fails when CALOTYPE_TESTS_NO_SKIP is 1."""
    if path is not None and Path(path).exists():
        return Path(path)
    return absent(what)


def absent(what: str) -> NoReturn:
    """Skip the test for want of something, or fail it when CALOTYPE_TESTS_NO_SKIP is 1."""
    sentence = f"This test needs {what}."
    if os.environ.get(NO_SKIP) == "1":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def qemu_img() -> Path:
    """The program qemu-img."""
    return require(QEMU_IMG, which("qemu-img"))


def memcached() -> Path:
    """The program memcached."""
    return require(MEMCACHED, which("memcached"))


def openssl() -> Path:
    """The program openssl."""
    return require(OPENSSL, which("openssl"))


def ipxe_iso() -> Path:
    """A small bootable ISO image."""
    return require(IPXE_ISO, "/usr/lib/ipxe/ipxe.iso")


def initdb() -> Path:
    """The newest installed initdb."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return require(POSTGRESQL, found[-1] if found else which("initdb"))


def novaclient_python() -> Path:
    """The interpreter that has python-novaclient 6.0.2."""
    return require(NOVACLIENT, ROOT / ".venv-novaclient" / "bin" / "python")


def tempest_python() -> Path:
    """The interpreter that has tempest."""
    return require(TEMPEST, ROOT / ".venv-tempest" / "bin" / "python")


def keystone_python() -> Path:
    """The interpreter that has Keystone."""
    return require(KEYSTONE, ROOT / ".venv-keystone" / "bin" / "python")


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
