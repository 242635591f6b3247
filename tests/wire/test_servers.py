"""What must be so on either ASGI server, and with TLS."""

import hashlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.server import Server
from tests.support.system import free_port, openssl

DATA = b"the same on every server\n" * 120_000
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(params=["granian", "uvicorn"])
def server(request: pytest.FixtureRequest, start_server: Callable[..., Server]) -> Server:
    return start_server("sqlite", options=("--server", request.param))


@pytest.fixture
def image(server: Server) -> str:
    body = {"name": "lane", "disk_format": "raw", "container_format": "bare"}
    with server.client() as api:
        return str(api.post("/v2/images", json=body).raise_for_status().json()["id"])


def test_data_comes_back_whole_and_in_part(server: Server, image: str) -> None:
    path = f"/v2/images/{image}/file"
    with server.client() as api:
        assert api.get(path).status_code == 204
        assert api.put(path, content=_pieces(), headers=OCTETS).status_code == 204
        whole = api.get(path)
        part = api.get(path, headers={"Range": "bytes=5-8"})
        shown = api.get(f"/v2.1/images/{image}").json()["image"]
    assert (whole.status_code, whole.content) == (200, DATA)
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, DATA[5:9], f"bytes 5-8/{len(DATA)}")
    assert whole.headers["Content-MD5"] == hashlib.md5(DATA).hexdigest()
    assert (shown["status"], shown["OS-EXT-IMG-SIZE:size"]) == ("ACTIVE", len(DATA))


@pytest.mark.parametrize("framing", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_a_client_that_vanishes_leaves_nothing(server: Server, image: str, framing: str) -> None:
    head = f"PUT /v2/images/{image}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n{framing}\r\n"
    with server.client() as api, socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            f"{head}X-Auth-Token: {api.headers['X-Auth-Token']}\r\n\r\n10000\r\n".encode() + b"x" * 65536
        )
        _until(lambda: api.get(f"/v2/images/{image}").json()["status"] == "saving")
        connection.close()
        _until(lambda: api.get(f"/v2/images/{image}").json()["status"] == "queued")
        _until(lambda: not [path for path in (server.data / "images").rglob("*") if path.is_file()])
        assert api.put(f"/v2/images/{image}/file", content=DATA, headers=OCTETS).status_code == 204


def test_a_refused_upload_is_answered_although_the_client_writes_first(server: Server) -> None:
    with server.client() as api:
        answer = api.put("/v2/images/absent/file", content=b"x" * 20_000_000, headers=OCTETS)
    assert answer.status_code == 404


def test_tls(start_server: Callable[..., Server], tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [str(openssl()), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    configuration = tmp_path / "tls.toml"
    configuration.write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    port = free_port()
    command = [sys.executable, "-m", "calotype", "serve", "--config", str(configuration)]
    process = subprocess.Popen([*command, "--data", str(tmp_path / "data"), "--bind", f"127.0.0.1:{port}"])
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        _until(lambda: _answers(f"https://127.0.0.1:{port}/healthcheck", context))
        with urlopen(f"https://127.0.0.1:{port}/v3", context=context) as answer:
            assert f'"https://127.0.0.1:{port}/v3/"' in answer.read().decode()
        assert f"https://127.0.0.1:{port}/v3" in (tmp_path / "data/clouds.yaml").read_text()
    finally:
        process.terminate()
        process.wait(30)


def _pieces() -> Iterator[bytes]:
    """The data without a length, so that it is sent chunked."""
    for start in range(0, len(DATA), 100_000):
        yield DATA[start : start + 100_000]


def _answers(url: str, context: ssl.SSLContext) -> bool:
    try:
        with urlopen(url, context=context, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in 20 s"
        time.sleep(0.02)
