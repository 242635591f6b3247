"""The service catalogue: where compute, image, identity and what is configured are (identity-and-huawei 0 and A.7).

The compute URL carries its version and the image URL carries none, because clients glue paths onto both. Names are
distinct and everything has a stable id, so that two workers and two starts tell the same.
"""

import uuid
from typing import Any, NamedTuple

from calotype.api.wire import Request, base_url, identity_url
from calotype.settings import Settings

INTERFACES = ("public", "internal", "admin")
_SPACE = uuid.UUID("7b0f2c1e-6f0e-4f3a-9c55-0c0b7c6a3c11")


class Service(NamedTuple):
    """One service and its URL."""

    type: str
    name: str
    url: str
    region: str

    @property
    def id(self) -> str:
        """Made of the name."""
        return _id(self.name)


def services(settings: Settings, request: Request) -> tuple[Service, ...]:
    """All services, this one's own first; asked under a prefix, each of those is under its own."""
    base = base_url(request, settings.public_endpoint, settings.proxy_headers)
    compute, image = ("/compute", "/image") if request.prefix else ("", "")
    region = settings.identity.region
    return (
        Service("identity", "keystone", identity_url(settings, request), region),
        Service("image", "glance", base + image, region),
        Service("compute", "nova", f"{base}{compute}/v2.1", region),
        *(Service(each.type, name, each.url, each.region or region) for name, each in settings.catalog.items()),
    )


def regions(settings: Settings) -> list[str]:
    """Every region of the catalogue, this service's own first."""
    others = [each.region for each in settings.catalog.values() if each.region]
    return list(dict.fromkeys([settings.identity.region, *others]))


def catalog(settings: Settings, request: Request) -> list[dict[str, Any]]:
    """The catalogue as it stands in a token."""
    return [
        {
            "endpoints": [_endpoint(service, interface) for interface in INTERFACES],
            "id": service.id,
            "type": service.type,
            "name": service.name,
        }
        for service in services(settings, request)
    ]


def endpoints(settings: Settings, request: Request) -> list[dict[str, Any]]:
    """Every endpoint with its service, as `GET /v3/endpoints` lists them."""
    return [
        {**_endpoint(service, interface), "service_id": service.id, "enabled": True}
        for service in services(settings, request)
        for interface in INTERFACES
    ]


def _endpoint(service: Service, interface: str) -> dict[str, Any]:
    return {
        "id": _id(f"{service.name}/{interface}"),
        "interface": interface,
        "region_id": service.region,
        "url": service.url,
        "region": service.region,
    }


def _id(name: str) -> str:
    return uuid.uuid5(_SPACE, name).hex
