"""python-novaclient 6.0.2, the last with image calls, unmodified and in an environment of its own."""

import json
import subprocess
from pathlib import Path

from tests.support.commands import os_variables
from tests.support.server import Server, clean_environment
from tests.support.system import novaclient_python

SCRIPT = Path(__file__).with_name("novaclient_script.py")


def test_images_are_listed_shown_changed_and_deleted(server: Server) -> None:
    python = novaclient_python()
    server.clear()
    with server.client() as api:
        body = {"name": "for-nova", "disk_format": "raw", "container_format": "bare", "os_distro": "alpine"}
        image = api.post("/v2/images", json=body).raise_for_status().json()["id"]
        octets = {"Content-Type": "application/octet-stream"}
        api.put(f"/v2/images/{image}/file", content=b"novaclient", headers=octets).raise_for_status()
    variables = os_variables(server, server.personas["demo"])
    environment = {**clean_environment(), "PYTHONPATH": "", **variables}
    done = subprocess.run(
        [python, SCRIPT, image], check=False, capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert [each["id"] for each in seen["detailed"]] == seen["basic"] == seen["limited"] == [image]
    assert seen["found"] == image
    shown = seen["shown"]
    assert (shown["name"], shown["status"], shown["progress"]) == ("for-nova", "ACTIVE", 100)
    assert shown["OS-EXT-IMG-SIZE:size"] == len(b"novaclient")
    assert seen["after_set"] == {"os_distro": "alpine", "os_version": "3", "colour": "blue"}
    assert seen["after_delete_meta"] == {"os_distro": "alpine", "os_version": "3"}
    assert seen["after_delete"][0] == 404
    assert "Image not found." in seen["after_delete"][1]
