"""`make bench`: rates and speeds of one worker on SQLite, each beside what it is compared with.

Needs wrk (Debian package `wrk`) and curl. Everything runs on loopback and ends by itself.
"""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 8
DATA_MIB = 512
IMAGES = 25


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = arguments.parse_args().rounds
    for tool in ("wrk", "curl"):
        if shutil.which(tool) is None:
            sys.exit(f"benchmarks need {tool}: apt-get install {tool}")
    with tempfile.TemporaryDirectory() as scratch:
        _run(Path(scratch), rounds)


def _run(scratch: Path, rounds: int) -> None:
    bind, constant_bind = _free(), _free()
    serve = [sys.executable, "-m", "calotype", "serve", "--data", str(scratch / "data"), "--bind", bind]
    started = time.perf_counter()
    with open(scratch / "log", "w") as log:
        service = subprocess.Popen(serve, stdout=log, stderr=log)
        constant = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.constant", constant_bind], stdout=log, stderr=log
        )
        try:
            _wait(f"http://{bind}/healthcheck")
            print(f"start to first answer: {time.perf_counter() - started:.2f} s, with a new database")
            _wait(f"http://{constant_bind}/constant")
            _measure(f"http://{bind}", f"http://{constant_bind}/constant", scratch, rounds)
        finally:
            for process in (service, constant):
                process.terminate()
                process.wait(30)


def _measure(base: str, constant: str, scratch: Path, rounds: int) -> None:
    token, project = _log_in(base, scratch / "data")
    header = f"X-Auth-Token: {token}"
    ids = [_create(base, token, number) for number in range(IMAGES)]
    calls = {
        "origin call (Compute show)": f"{base}/v2.1/{project}/images/{ids[0]}",
        "Image API show": f"{base}/v2/images/{ids[0]}",
        f"Compute detail list, {IMAGES} images": f"{base}/v2.1/{project}/images/detail",
        f"Image API list, {IMAGES} images": f"{base}/v2/images?limit={IMAGES}",
    }
    rates: dict[str, list[float]] = {name: [] for name in ("constant body", *calls)}
    for _ in range(rounds):
        rates["constant body"].append(_rate(constant, header))
        for name, url in calls.items():
            rates[name].append(_rate(url, header))
    print(f"requests per second, 1 worker, SQLite, {CONNECTIONS} connections, median of {rounds} x {SECONDS} s:")
    floor = statistics.median(rates["constant body"])
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"  {name:36} {median:9.0f}   {100 * median / floor:4.0f} % of the constant body")
    _data(base, token, scratch)


def _data(base: str, token: str, scratch: Path) -> None:
    source, target = scratch / "source", scratch / "target"
    with open(source, "wb") as out:
        for _ in range(DATA_MIB):
            out.write(os.urandom(2**20))
    url = f"{base}/v2/images/{_create(base, token, 99)}/file"
    auth = ["-H", f"X-Auth-Token: {token}", "-H", "Content-Type: application/octet-stream"]
    steps: dict[str, Callable[[], Any]] = {
        "upload": lambda: _curl(*auth, "-T", str(source), url),
        "download": lambda: _curl(*auth, "-o", str(target), url),
    }
    for name, step in steps.items():
        started = time.perf_counter()
        step()
        print(f"{name} of {DATA_MIB} MiB: {DATA_MIB * 1.048576 / (time.perf_counter() - started):.0f} MB/s")
    if source.read_bytes() != target.read_bytes():
        sys.exit("the download differs from the upload")


def _rate(url: str, header: str) -> float:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", header, url]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in printed:
        sys.exit(f"{url} did not answer with 200:\n{printed}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    return float(found[1]) if found else sys.exit(printed)


def _curl(*arguments: str) -> None:
    subprocess.run(["curl", "-sSf", *arguments], check=True, stdout=subprocess.DEVNULL)


def _log_in(base: str, data: Path) -> tuple[str, str]:
    import yaml

    auth = yaml.safe_load((data / "clouds.yaml").read_text())["clouds"]["calotype-demo"]["auth"]
    domain = {"id": "default"}
    user = {"name": auth["username"], "password": auth["password"], "domain": domain}
    scope = {"project": {"name": auth["project_name"], "domain": domain}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    with _post(f"{base}/v3/auth/tokens", body) as answer:
        return answer.headers["X-Subject-Token"], json.load(answer)["token"]["project"]["id"]


def _create(base: str, token: str, number: int) -> str:
    body = {
        "name": f"bench-{number}",
        "disk_format": "raw",
        "container_format": "bare",
        "tags": ["bench"],
        **{f"property_{index}": f"value {index}" for index in range(6)},
    }
    with _post(f"{base}/v2/images", body, {"X-Auth-Token": token}) as answer:
        return str(json.load(answer)["id"])


def _post(url: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    data = json.dumps(body).encode()
    return urllib.request.urlopen(
        urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    )


def _free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _wait(url: str) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"nothing answers at {url}")


if __name__ == "__main__":
    main()
