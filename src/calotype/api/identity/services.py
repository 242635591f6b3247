"""The calls on regions, services and endpoints, which the settings make and no call changes."""

from typing import Any

from calotype.access.administration import enforce
from calotype.access.errors import Refused, missing
from calotype.api.identity import views
from calotype.api.identity.catalog import endpoints, regions, services
from calotype.api.identity.queries import parameters, self_link
from calotype.api.wire import Reply, Request, json_reply
from calotype.settings import Settings

_VERBS = {"POST": "create", "PATCH": "update", "DELETE": "delete"}


class ServiceCalls:
    """Answers the calls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def regions(self, request: Request, url: str) -> Reply:
        """`GET /v3/regions`: anybody with a token."""
        items = [views.region(each, url) for each in regions(self._settings)]
        return json_reply(views.collection("regions", items, self_link(request, url)))

    async def region(self, request: Request, url: str) -> Reply:
        """`GET /v3/regions/{region_id}`."""
        region_id = request.parameters["region_id"]
        if region_id not in regions(self._settings):
            raise missing("region", region_id)
        return json_reply({"region": views.region(region_id, url)})

    async def services(self, request: Request, url: str) -> Reply:
        """`GET /v3/services`."""
        enforce("list_services", request.caller)
        items = _fitting(request, [views.service(each, url) for each in self._services(request)], ("name", "type"))
        return json_reply(views.collection("services", items, self_link(request, url)))

    async def service(self, request: Request, url: str) -> Reply:
        """`GET /v3/services/{service_id}`."""
        enforce("get_service", request.caller)
        found = [views.service(each, url) for each in self._services(request)]
        return _one(found, "service", request.parameters["service_id"])

    async def endpoints(self, request: Request, url: str) -> Reply:
        """`GET /v3/endpoints`."""
        enforce("list_endpoints", request.caller)
        found = [views.endpoint(each, url) for each in endpoints(self._settings, request)]
        items = _fitting(request, found, ("interface", "service_id", "region_id"))
        return json_reply(views.collection("endpoints", items, self_link(request, url)))

    async def endpoint(self, request: Request, url: str) -> Reply:
        """`GET /v3/endpoints/{endpoint_id}`."""
        enforce("get_endpoint", request.caller)
        found = [views.endpoint(each, url) for each in endpoints(self._settings, request)]
        return _one(found, "endpoint", request.parameters["endpoint_id"])

    async def change(self, request: Request, url: str) -> Reply:
        """`POST`, `PATCH`, `DELETE`: refused, saying why."""
        noun = request.path.split("/")[2].removesuffix("s")
        enforce(f"{_VERBS[request.method]}_{noun}", request.caller)
        raise Refused(f"The catalogue follows the settings of this service: {noun}s are not changed over HTTP.")

    def _services(self, request: Request) -> Any:
        return services(self._settings, request)


def _fitting(request: Request, items: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    asked = [(name, value) for name, value in parameters(request) if name in names]
    return [each for each in items if all(each[name] == value for name, value in asked)]


def _one(items: list[dict[str, Any]], kind: str, id_: str) -> Reply:
    for each in items:
        if each["id"] == id_:
            return json_reply({kind: each})
    raise missing(kind, id_)
