"""Keystone's limits as the service's own user reads them; blocking, from any thread.

Why not oslo.limit: docs/decisions/0014-quotas.md.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from keystoneauth1 import exceptions as failures

from calotype.access.keystone.account import Account, AccountRefused, told
from calotype.access.keystone.errors import Unreachable
from calotype.access.keystone.resources import RESOURCES, Limits
from calotype.settings import Keystone, SettingsError

log = logging.getLogger("calotype.limits")


class _Registered(msgspec.Struct):
    resource_name: str
    default_limit: int


class _OfProject(msgspec.Struct):
    resource_name: str
    resource_limit: int
    project_id: str | None


class _Service(msgspec.Struct):
    id: str


class _Endpoint(msgspec.Struct):
    service_id: str
    region_id: str | None


class _Model(msgspec.Struct):
    name: str


class Source:
    """One Keystone; the account may be any that reads all limits."""

    def __init__(self, keystone: Keystone) -> None:
        self._keystone = keystone
        self._account = Account(keystone)
        self._place: dict[str, str] | None = None

    def limits(self, project: str) -> Limits:
        """The limits of a project; raises Unreachable, SettingsError for what only the operator can mend."""
        place = self._place = self._place or self.place()
        found = self._registered(place)
        wanted = {**place, "project_id": project}
        for each in self._get("/limits", "limits", list[_OfProject], **wanted):
            # Keystone shows every limit it has to a filter that it does not know.
            if each.project_id == project and each.resource_name in found:
                found[each.resource_name] = each.resource_limit
        return found

    def _registered(self, place: Mapping[str, str]) -> dict[str, int]:
        """The limits of a project that has none of its own; what is not registered is 0, as in oslo.limit."""
        default = {
            each.resource_name: each.default_limit
            for each in self._get("/registered_limits", "registered_limits", list[_Registered], **place)
        }
        missing = [name for name in RESOURCES if name not in default]
        if missing:
            log.error("Keystone has no registered limit %s: it counts as 0", ", ".join(missing))
        return {name: default.get(name, 0) for name in RESOURCES}

    def check(self) -> None:
        """Whether limits can be read; raises as `limits`."""
        self._registered(self.place())

    def place(self) -> dict[str, str]:
        """The service and the region, if it has one, that limits are registered for; raises as `limits`."""
        self._check_rights()
        model = self._get("/limits/model", "model", _Model).name
        if model != "flat":
            raise SettingsError(f"Keystone's enforcement model is {model!r}; `flat` is the one that can be enforced")
        endpoint = self._endpoint()
        return {"service_id": endpoint.service_id} | ({"region_id": endpoint.region_id} if endpoint.region_id else {})

    def _endpoint(self) -> _Endpoint:
        wanted = self._keystone
        if wanted.endpoint_id:
            named: _Endpoint = self._get(f"/endpoints/{wanted.endpoint_id}", "endpoint", _Endpoint)
            return named
        names = {"type": wanted.service_type, "name": wanted.service_name}
        services = self._get("/services", "services", list[_Service], **{k: v for k, v in names.items() if v})
        if len(services) != 1:
            raise SettingsError(
                f"Keystone has {len(services)} services with keystone.service_type {wanted.service_type!r} and "
                f"service_name {wanted.service_name!r}: name one by keystone.endpoint_id"
            )
        region = {"region_id": wanted.region} if wanted.region else {}
        query = {"service_id": services[0].id, "interface": wanted.interface, **region}
        endpoints: list[_Endpoint] = self._get("/endpoints", "endpoints", list[_Endpoint], **query)
        if len(endpoints) != 1:
            raise SettingsError(
                f"Keystone has {len(endpoints)} {wanted.interface} endpoints of that service in "
                f"{wanted.region or 'all regions'}: set keystone.region, or keystone.endpoint_id"
            )
        return endpoints[0]

    def _check_rights(self) -> None:
        """Others are shown the limits of their own project alone, without a word: those of the rest would be missed."""
        access = self._asking(self._account.access)
        if not access.system_scoped and "admin" not in access.role_names:
            raise SettingsError(
                f"Keystone does not show the limits of other projects to {self._account.name}: give it the role "
                "reader for the system and leave keystone.project empty"
            )

    def _get(self, path: str, member: str, kind: Any, **query: str) -> Any:
        answer = self._asking(lambda: self._account.get(path, query))
        try:
            return msgspec.convert(msgspec.json.decode(answer.content)[member], kind)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
            raise Unreachable(f"what {self._account.url}{path} answers is not what Keystone does") from None

    def _asking(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except AccountRefused as error:
            raise SettingsError(str(error)) from None
        except (failures.Unauthorized, failures.Forbidden) as error:
            raise SettingsError(told(error, self._account.name)) from None
        except failures.NotFound as error:
            raise SettingsError(f"Keystone at {self._account.url}: {error.message}") from None
        except failures.ClientException as error:
            raise Unreachable(f"Keystone cannot be asked: {error}") from None
