"""The Compute API: its table of calls, and the checks that come before each of them, in Nova's order.

The comments count the steps of compute-images section 2.
"""

import logging
import re
from urllib.parse import quote

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from calotype.access import errors as access
from calotype.api.compute import content, faults
from calotype.api.compute.discovery import Discovery
from calotype.api.compute.faults import Fault, RateLimited, RawFault, Refusal, Unauthorized
from calotype.api.compute.images import Images
from calotype.api.compute.links import Linker
from calotype.api.compute.metadata import Metadata
from calotype.api.compute.microversions import Microversions
from calotype.api.compute.request import ComputeRequest
from calotype.api.entrance import Entrance
from calotype.api.wire import BodyTooLarge, Call, Reply, Routes, base_url, identity_url
from calotype.images.errors import ImageError, StorageUnavailable
from calotype.images.library import Library
from calotype.settings import Settings
from calotype.telemetry.callers import DeprecatedCalls

log = logging.getLogger("calotype")

_GLOBAL_ID = re.compile(r"req-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}")
_HEX = "0123456789abcdef-"
_PLAIN = re.compile(r"[A-Za-z0-9-]+").fullmatch

# RFC 9745. The image calls were deprecated by microversion 2.36 in Newton, released on 2016-10-06, the metadata calls
# by 2.39 in Ocata, released on 2017-02-22.
_IMAGES = {"last": (2, 35), "deprecation": (b"deprecation", b"@1475712000"), "faults": ()}
_METADATA = {"last": (2, 38), "deprecation": (b"deprecation", b"@1487721600"), "faults": ()}
_LISTS = {**_IMAGES, "faults": faults.OF_LISTS}
_DELETE = {**_IMAGES, "faults": faults.OF_DELETE}


def _calls(images: Images, metadata: Metadata) -> Routes:
    return Routes(
        (
            Call("GET", "/images/detail", images.detail, _LISTS),
            Call("GET", "/images/{image_id}", images.show, _IMAGES),
            Call("GET", "/images", images.index, _LISTS),
            Call("GET", "/images/{image_id}/metadata", metadata.index, _METADATA),
            Call("GET", "/images/{image_id}/metadata/{key}", metadata.show, _METADATA),
            Call("DELETE", "/images/{image_id}", images.delete, _DELETE),
            Call("POST", "/images/{image_id}/metadata", metadata.merge, _METADATA),
            Call("PUT", "/images/{image_id}/metadata", metadata.replace, _METADATA),
            Call("PUT", "/images/{image_id}/metadata/{key}", metadata.update, _METADATA),
            Call("DELETE", "/images/{image_id}/metadata/{key}", metadata.delete, _METADATA),
        )
    )


class ComputeAPI:
    """The ASGI application."""

    def __init__(self, settings: Settings, entrance: Entrance, library: Library, deprecated: DeprecatedCalls) -> None:
        self._settings = settings
        self._entrance = entrance
        self._deprecated = deprecated
        self._routes = _calls(Images(library, settings.compute), Metadata(library, settings))
        self._linker = Linker(settings)
        self._microversions = Microversions(settings.compute.max_microversion)
        self._discovery = Discovery(settings.compute.max_microversion)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = ComputeRequest(scope, receive)
        reply: Response
        try:
            reply = await self._answer(request)
        except Refusal as refusal:
            reply = refusal.reply(request)
            if request.has_body:
                await request.drain()
        except ClientDisconnect:
            raise
        except Exception:  # 4
            log.exception("unhandled")
            reply = Fault(500, faults.BROKEN).reply(request)
        if scope["method"] == "OPTIONS" and reply.status_code // 100 != 2:  # 1
            reply = Reply(200)
        else:
            reply.raw_headers += request.marks
        await reply(scope, receive, send)

    async def _answer(self, request: ComputeRequest) -> Response:
        settings = self._settings
        request.base = base_url(request, settings.public_endpoint, settings.proxy_headers)  # 2
        path = request.path
        if path.startswith("/v2.1/"):
            rest = path[5:]
        elif path.startswith("/v2/"):
            request.version, rest = "v2", path[3:]
        else:
            return self._unversioned(request)
        if request.scope["method"] == "OPTIONS" and rest != "/":
            return Reply(200)
        _identify(request)  # 3
        if rest == "/":
            return self._version(request)
        content.refuse_large(request)  # 5
        await self._authenticate(request)  # 6
        return await self._route(request, rest)

    def _unversioned(self, request: ComputeRequest) -> Reply:
        root = self._linker.root(request.base, request.prefix)
        if request.path in ("", "/"):
            return self._discovery.versions(root)
        if request.path not in ("/v2", "/v2.1"):
            return self._discovery.choices(request.path, root)
        request.version = request.path[1:]
        _identify(request)
        return self._version(request)

    def _version(self, request: ComputeRequest) -> Reply:
        self._negotiate(request)
        return self._discovery.version(request.version, self._linker.root(request.base, request.prefix))

    async def _authenticate(self, request: ComputeRequest) -> None:
        """Set the caller; a service token that comes along must be valid as well (section 4)."""
        try:
            caller = await self._entrance.authenticated(request, "compute")
        except StorageUnavailable:
            raise RawFault(503, detail="The Keystone service is temporarily unavailable.") from None
        except access.Unauthorized as error:
            raise Unauthorized(identity_url(self._settings, request), error.text) from None
        except access.TooManyRequests as error:
            raise RateLimited(error.text, error.seconds) from None
        except BodyTooLarge as error:
            raise RawFault(413, f"Request is too large. Larger than {error.limit}.") from None
        if caller is None:
            raise Unauthorized(identity_url(self._settings, request))
        request.caller = caller

    async def _route(self, request: ComputeRequest, rest: str) -> Response:
        first = rest[1:].partition("/")[0]
        if first != "images" and first and not first.strip(_HEX):
            request.project, rest = first, rest[len(first) + 1 :]
            if rest == "/" and request.scope["method"] == "GET":
                self._negotiate(request)
                _refuse_foreign_project(request)
                return self._discovery.version(request.version, self._linker.root(request.base, request.prefix))
        found = self._routes.find(request.scope["method"], rest)  # 7
        if found is None:
            raise RawFault(404)
        call, request.parameters = found
        self._point_onwards(request, call)
        try:
            return await self._serve(request, call)
        except ImageError as error:
            fault = faults.translated(error, call.options["faults"], request.parameters.get("image_id", ""))
            if fault is not None:
                raise fault from None
            log.exception("no fault for a domain error")
        except (Refusal, ClientDisconnect):
            raise
        except Exception:
            log.exception("unhandled in a call")
        raise Fault(500, faults.UNEXPECTED)

    def _point_onwards(self, request: ComputeRequest, call: Call) -> None:
        """Count the call as deprecated, and say where its successor is."""
        project = request.caller.project_id or ""
        request.links = self._linker.links(
            request.base,
            request.prefix,
            request.version,
            project if request.project else "",
            self._entrance.authority.image_endpoint,
        )
        agent = request.field(b"user-agent") or ""
        self._deprecated.count(project, agent, f"{call.method} {call.path}")
        if self._settings.compute.deprecation_headers:
            image_id = request.parameters.get("image_id")
            target = f"{request.links.successor}/{_quoted(image_id)}" if image_id else request.links.successor
            request.marks.append(call.options["deprecation"])
            request.marks.append((b"link", f'<{target}>; rel="successor-version"'.encode("latin-1")))

    async def _serve(self, request: ComputeRequest, call: Call) -> Response:
        number = self._negotiate(request)  # 8
        content.refuse_type(request)  # 9
        if call.method in ("POST", "PUT"):
            request.document = await content.document(request)  # 10
        _refuse_foreign_project(request)  # 11
        if number > call.options["last"]:  # 12
            raise Fault(404, faults.NO_SUCH_RESOURCE)
        if request.scope["query_string"] and call.method == "GET":
            content.refuse_query(request.scope["query_string"])  # 13; bodies are judged by the calls themselves
        if request.caller.system:
            # The system has no project; the library lets it pass when a service speaks for it (11.1).
            request.caller = msgspec.structs.replace(request.caller, service=True)
        return await call.handler(request)  # 14 to 18

    def _negotiate(self, request: ComputeRequest) -> tuple[int, int]:
        """The microversion; under `/v2` it is 2.1, whatever is asked for (5.6)."""
        if request.version == "v2":
            return 2, 1
        found = self._microversions.of(request)
        request.marks += found.marks
        if not found.supported:
            raise self._microversions.refusal(found)
        return found.number


def _quoted(image_id: str) -> str:
    """The id as a URL has it; ids as the service makes them stay as they are."""
    return image_id if _PLAIN(image_id) else quote(image_id, safe="", errors="replace")


def _identify(request: ComputeRequest) -> None:
    """Both request id headers of the answer, and the global id that the client may have sent (section 6)."""
    own = request.request_id.encode()
    request.marks += ((b"x-openstack-request-id", own), (b"x-compute-request-id", own))
    sent = request.field(b"x-openstack-request-id")
    if sent is not None and _GLOBAL_ID.fullmatch(sent):
        request.global_request_id = sent


def _refuse_foreign_project(request: ComputeRequest) -> None:
    """Fault 400 for a project in the URL that is not the token's, whoever asks (section 3)."""
    own = request.caller.project_id
    if request.project is not None and request.project != own:
        raise Fault(
            400,
            f"Malformed request URL: URL's project_id '{request.project}' doesn't match Context's project_id '{own}'",
        )
