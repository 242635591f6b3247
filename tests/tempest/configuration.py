"""tempest.conf."""

import configparser
from pathlib import Path
from typing import Any

from tests.support.server import Server

Options = dict[str, dict[str, Any]]
"""Sections of tempest.conf."""


def merged(*all_options: Options) -> Options:
    """Sections put together; what comes later wins."""
    made: Options = {}
    for options in all_options:
        for section, values in options.items():
            made[section] = {**made.get(section, {}), **values}
    return made


def configuration(server: Server, home: Path, image: str) -> Options:
    """What tempest has to know of a server; `image` is the id of a public image."""
    admin = server.personas["admin"]
    return {
        "DEFAULT": {"log_file": home / "tempest.log"},
        "oslo_concurrency": {"lock_path": home / "locks"},
        "auth": {
            "use_dynamic_credentials": True,
            "admin_username": admin.user_name,
            "admin_password": admin.password,
            "admin_project_name": admin.project_name,
            "admin_domain_name": "Default",
            "create_isolated_networks": False,
        },
        "identity": {"uri_v3": f"{server.base}/v3", "auth_version": "v3", "region": "RegionOne"},
        # Readers read, where tempest has a reader at hand.
        "enforce_scope": {"glance": True, "nova": True},
        "service_available": {"glance": True, "nova": True, "neutron": False, "cinder": False, "swift": False},
        "image": {
            "region": "RegionOne",
            "container_formats": "bare,ami,ari,aki,ovf,ova,docker",
            "disk_formats": "raw,qcow2,vhd,vhdx,vmdk,vdi,iso,ami,ari,aki,ploop",
        },
        "compute": {"image_ref": image, "image_ref_alt": image, "max_microversion": "latest"},
        "compute-feature-enabled": {"snapshot": False, "console_output": False},
        "volume-feature-enabled": {"enable_volume_image_dep_tests": False},
        "validation": {"run_validation": False},
    }


def write(file: Path, configuration: Options) -> None:
    """Write the file."""
    parser = configparser.ConfigParser(interpolation=None)
    for section, options in configuration.items():
        parser[section] = {name: str(value) for name, value in options.items()}
    with file.open("w") as lines:
        parser.write(lines)
