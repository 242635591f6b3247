"""What an administrator of a Keystone does for a test, through openstacksdk."""

from collections.abc import Mapping

import openstack
from openstack.connection import Connection

REGION = "RegionOne"


class Admin:
    """The administrator of a Keystone, logged in. `sdk` does whatever else is wanted."""

    def __init__(self, url: str, password: str) -> None:
        self.sdk: Connection = openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth={
                "auth_url": url,
                "username": "admin",
                "password": password,
                "project_name": "admin",
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            region_name=REGION,
        )
        self._identity = self.sdk.identity

    def project(self, name: str) -> str:
        """The id of a new project of the default domain."""
        return str(self._identity.create_project(name=name, domain_id="default").id)

    def user(self, name: str, password: str) -> str:
        """The id of a new user of the default domain."""
        return str(self._identity.create_user(name=name, password=password, domain_id="default").id)

    def grant(self, user: str, role: str, project: str | None = None) -> None:
        """Give a user, by id, a role, by name, in a project, by id; without one, for the system."""
        found = self._identity.find_role(role, ignore_missing=False)
        if project is None:
            self._identity.assign_system_role_to_user(user, found, "all")
        else:
            self._identity.assign_project_role_to_user(project, user, found)

    def enable(self, user: str, enabled: bool) -> None:
        """Let a user in, or lock it out, which ends its tokens."""
        self._identity.update_user(user, is_enabled=enabled)

    def service(self, kind: str, url: str) -> str:
        """The id of a new service, with its public endpoint."""
        service = str(self._identity.create_service(type=kind, name=kind).id)
        self._identity.create_endpoint(service_id=service, interface="public", region_id=REGION, url=url)
        return service

    def register_limits(self, kind: str, limits: Mapping[str, int]) -> None:
        """Register limits of the service of a type, for the projects that have none of their own."""
        service = self._service(kind)
        for name, value in limits.items():
            self._identity.create_registered_limit(
                service_id=service, region_id=REGION, resource_name=name, default_limit=value
            )

    def limit(self, kind: str, project: str, limits: Mapping[str, int]) -> None:
        """Give a project limits of its own of the service of a type, or change those that it has."""
        service = self._service(kind)
        known = {each.resource_name: each for each in self._identity.limits(service_id=service, project_id=project)}
        for name, value in limits.items():
            if name in known:
                self._identity.update_limit(known[name], resource_limit=value)
            else:
                self._identity.create_limit(
                    service_id=service, region_id=REGION, project_id=project, resource_name=name, resource_limit=value
                )

    def _service(self, kind: str) -> str:
        return next(str(each.id) for each in self._identity.services(type=kind))
