"""A Calotype that believes a Keystone: its account there, its place in the catalogue, and people who use it."""

from typing import Any

import openstack
from openstack.connection import Connection

from calotype.settings import Keystone
from tests.support.keystone import RealKeystone
from tests.support.keystone_admin import REGION

PASSWORD = "calotypepass"


def believing(keystone: RealKeystone, **more: str) -> dict[str, str]:
    """The settings of a server whose tokens are a Keystone's."""
    return {
        "CALOTYPE_IDENTITY_SOURCE": "keystone",
        "CALOTYPE_KEYSTONE_URL": keystone.url,
        "CALOTYPE_KEYSTONE_USERNAME": "calotype",
        "CALOTYPE_KEYSTONE_PASSWORD": PASSWORD,
        "CALOTYPE_KEYSTONE_PROJECT": "service",
        "CALOTYPE_KEYSTONE_TIMEOUT_SECONDS": "5",
        "CALOTYPE_KEYSTONE_REVOCATION_SECONDS": "0.5",
        **more,
    }


def settings(keystone: RealKeystone) -> Keystone:
    """The same account, for a part in the test's own process."""
    return Keystone(url=keystone.url, username="calotype", password=PASSWORD, project="service", timeout_seconds=5)


def make(keystone: RealKeystone) -> None:
    """Make that account."""
    keystone.admin.grant(keystone.admin.user("calotype", PASSWORD), "service", keystone.admin.project("service"))


def member(keystone: RealKeystone, name: str, role: str = "member") -> tuple[str, str]:
    """The ids of a new user and of its new project, both of this name; so is the password."""
    user, project = keystone.admin.user(name, name), keystone.admin.project(name)
    keystone.admin.grant(user, role, project)
    return user, project


def connect(keystone: RealKeystone, **auth: Any) -> Connection:
    """openstacksdk, logged in as its user would."""
    return openstack.connect(
        load_yaml_config=False, load_envvars=False, auth={"auth_url": keystone.url, **auth}, region_name=REGION,
        auth_type="v3applicationcredential" if "application_credential_id" in auth else "password",
    )  # fmt: skip


def by_password(name: str) -> dict[str, str]:
    """How one of the members logs in."""
    domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
    return {"username": name, "password": name, "project_name": name, **domains}
