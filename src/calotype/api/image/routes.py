"""The Image API: every call in one table, and the layers that a request passes on its way to it."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from calotype.access import errors as access
from calotype.api.image import (
    actions,
    cache,
    data,
    discovery,
    images,
    imports,
    locations,
    members,
    stores,
    tags,
    tasks,
    usage,
)
from calotype.api.image.api import ImageAPI
from calotype.api.image.faults import Refused, reply
from calotype.api.image.metadefs import namespaces, objects, properties, resource_types
from calotype.api.image.metadefs import tags as metadef_tags
from calotype.api.wire import (
    Call,
    Handler,
    Reply,
    Request,
    Routes,
    challenge,
    identity_url,
    json_reply,
)
from calotype.images.errors import Invalid

NO_BODY = {"body": False}
NOT_FOUND = "Failed to find image {}"
UNKNOWN = "The resource could not be found."
OF_MEMBERS = {"missing": "Image {} not found."}
MEMBER = "/images/{image_id}/members/{member_id}"
SCHEMAS = ("image", "images", "member", "members", "task", "tasks")
OF_METADEFS = (
    "namespace",
    "namespaces",
    "resource_type",
    "resource_types",
    "property",
    "properties",
    "object",
    "objects",
    "tag",
    "tags",
)
NAMESPACE = "/metadefs/namespaces/{namespace}"
PROPERTY = f"{NAMESPACE}/properties/{{name}}"
OBJECT = f"{NAMESPACE}/objects/{{name}}"
TAG = f"{NAMESPACE}/tags/{{name}}"


def schema(name: str) -> Handler:
    """GET /v2/schemas/{name}"""

    async def serve(api: ImageAPI, request: Request) -> Response:
        return json_reply(api.schemas[name])

    return serve


METADEFS = (
    Call("GET", "/metadefs/namespaces", namespaces.index),
    Call("POST", "/metadefs/namespaces", namespaces.create),
    Call("GET", NAMESPACE, namespaces.show, NO_BODY),
    Call("PUT", NAMESPACE, namespaces.update),
    Call("DELETE", NAMESPACE, namespaces.delete, NO_BODY),
    Call("GET", "/metadefs/resource_types", resource_types.types, NO_BODY),
    Call("GET", f"{NAMESPACE}/resource_types", resource_types.index, NO_BODY),
    Call("POST", f"{NAMESPACE}/resource_types", resource_types.create),
    Call("DELETE", f"{NAMESPACE}/resource_types/{{name}}", resource_types.delete, NO_BODY),
    Call("GET", f"{NAMESPACE}/properties", properties.index, NO_BODY),
    Call("POST", f"{NAMESPACE}/properties", properties.create),
    Call("DELETE", f"{NAMESPACE}/properties", properties.clear, NO_BODY),
    Call("GET", PROPERTY, properties.show),
    Call("PUT", PROPERTY, properties.update),
    Call("DELETE", PROPERTY, properties.delete, NO_BODY),
    Call("GET", f"{NAMESPACE}/objects", objects.index),
    Call("POST", f"{NAMESPACE}/objects", objects.create),
    Call("DELETE", f"{NAMESPACE}/objects", objects.clear, NO_BODY),
    Call("GET", OBJECT, objects.show, NO_BODY),
    Call("PUT", OBJECT, objects.update),
    Call("DELETE", OBJECT, objects.delete, NO_BODY),
    Call("GET", f"{NAMESPACE}/tags", metadef_tags.index),
    Call("POST", f"{NAMESPACE}/tags", metadef_tags.put_all),
    Call("DELETE", f"{NAMESPACE}/tags", metadef_tags.clear, NO_BODY),
    Call("GET", TAG, metadef_tags.show, NO_BODY),
    Call("POST", TAG, metadef_tags.create, NO_BODY),
    Call("PUT", TAG, metadef_tags.update),
    Call("DELETE", TAG, metadef_tags.delete, NO_BODY),
    *(Call("GET", f"/schemas/metadefs/{name}", schema(f"metadefs/{name}"), NO_BODY) for name in OF_METADEFS),
)
"""Metadata definitions (spec: image-v2 25)."""

ROUTES = Routes(
    (
        Call("GET", "/images/{image_id}", images.show, NO_BODY),
        Call("GET", "/images", images.index),
        Call("GET", "/images/{image_id}/file", data.download, NO_BODY),
        Call("PUT", "/images/{image_id}/file", data.upload),
        Call("POST", "/images", images.create),
        Call("PATCH", "/images/{image_id}", images.update),
        Call("DELETE", "/images/{image_id}", images.delete, {"missing": NOT_FOUND + " to delete", **NO_BODY}),
        Call("PUT", "/images/{image_id}/tags/{tag}", tags.add, OF_MEMBERS | NO_BODY),
        Call("DELETE", "/images/{image_id}/tags/{tag}", tags.remove, OF_MEMBERS | NO_BODY),
        Call("GET", "/images/{image_id}/members", members.index, OF_MEMBERS | NO_BODY),
        Call("POST", "/images/{image_id}/members", members.add, OF_MEMBERS),
        Call("GET", MEMBER, members.show, OF_MEMBERS | NO_BODY),
        Call("PUT", MEMBER, members.update, OF_MEMBERS),
        Call("DELETE", MEMBER, members.remove, OF_MEMBERS | NO_BODY),
        Call("POST", "/images/{image_id}/actions/deactivate", actions.deactivate, NO_BODY),
        Call("POST", "/images/{image_id}/actions/reactivate", actions.reactivate, NO_BODY),
        *(Call("GET", f"/schemas/{name}", schema(name), NO_BODY) for name in SCHEMAS),
        Call("PUT", "/images/{image_id}/stage", data.stage),
        Call("POST", "/images/{image_id}/import", imports.begin),
        Call("GET", "/images/{image_id}/tasks", tasks.of_image, {"missing": UNKNOWN, **NO_BODY}),
        Call("GET", "/images/{image_id}/locations", locations.index),
        Call("POST", "/images/{image_id}/locations", locations.add),
        Call("GET", "/info/import", imports.info, NO_BODY),
        Call("GET", "/info/stores", stores.index, NO_BODY),
        Call("GET", "/info/stores/detail", stores.detail, NO_BODY),
        Call("GET", "/info/usage", usage.show),
        Call("DELETE", "/stores/{store_id}/{image_id}", stores.remove, {"missing": NOT_FOUND, **NO_BODY}),
        Call("GET", "/tasks", tasks.index),
        Call("POST", "/tasks", tasks.create),
        Call("GET", "/tasks/{task_id}", tasks.show),
        Call("DELETE", "/tasks/{task_id}", tasks.remove),
        Call("GET", "/cache", cache.index, NO_BODY),
        Call("DELETE", "/cache", cache.clear),
        Call("PUT", "/cache/{image_id}", cache.fetch, OF_MEMBERS),
        Call("DELETE", "/cache/{image_id}", cache.remove, OF_MEMBERS),
        Call("POST", "/cache/clean", cache.clean),
        Call("POST", "/cache/prune", cache.prune),
        Call("GET", "/cache/nodes/{image_id}", cache.nodes, NO_BODY),
        *METADEFS,
    ),
    spelt_out=("/cache/clean", "/cache/prune"),
)


class ImageApp:
    """The ASGI application of the Image API."""

    def __init__(self, api: ImageAPI) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        answer = await self._answer(request)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Reply(200)
        path = self._api.versions.path_below(request.path, request.field(b"accept"))
        if path is None:
            return self._versions(request)
        answer: Response
        try:
            await self._authenticate(request)
        except Exception as error:
            if request.has_body:
                await request.drain()
            answer = reply(error, request, None)
            if answer.status_code == 401:
                return answer  # without a request id, as in Glance
        else:
            answer = await self._dispatch(request, path) if path else self._below(request)
        answer.raw_headers.append((b"x-openstack-request-id", request.request_id.encode("latin-1")))
        return answer

    def _below(self, request: Request) -> Response:
        return Reply(302, headers=[(b"location", f"{self._api.base(request)}/v2/".encode())])

    def _versions(self, request: Request) -> Response:
        """The version document: 200 at /versions, 300 at every path that names no version."""
        base = self._api.base(request)
        entries = self._api.versions.entries(base)
        if not request.prefix:
            entries.append(discovery.identity_entry(identity_url(self._api.settings, request)))
        status = 200 if request.path.rstrip("/") == "/versions" else 300
        return json_reply({"versions": entries}, status)

    async def _authenticate(self, request: Request) -> None:
        try:
            caller = await self._api.entrance.authenticated(request, "image")
        except access.Unauthorized as error:
            raise self._not_proven(request, error.text) from None
        except access.TooManyRequests as error:
            raise Refused(429, error.text, ((b"retry-after", b"%d" % error.seconds),)) from None
        if caller is None:
            raise self._not_proven(request)
        request.caller = caller

    def _not_proven(self, request: Request, text: str | None = None) -> Refused:
        return Refused(401, text, (challenge(identity_url(self._api.settings, request)),))

    async def _dispatch(self, request: Request, path: str) -> Response:
        call: Call | None = None
        try:
            self._adopt_request_id(request)
            call, request.parameters = self._find(request, path)
            if request.has_body and not call.options.get("body", True):
                raise Invalid("A body is not expected with this request.")
            return await call.handler(self._api, request)
        except Exception as error:
            if request.has_body:
                await request.drain()
            return reply(error, request, call.options.get("missing") if call else None)

    def _find(self, request: Request, path: str) -> tuple[Call, Mapping[str, str]]:
        found = ROUTES.find(request.method, path)
        if found is None:
            allowed = ROUTES.methods(path)
            if not allowed:
                raise Refused(404)
            raise Refused(405, headers=((b"allow", ", ".join(allowed).encode()),))
        return found

    def _adopt_request_id(self, request: Request) -> None:
        """The client's own request id becomes this request's (image-v2 1.4)."""
        sent = request.field(b"x-openstack-request-id")
        if not sent:
            return
        longest = self._api.settings.image.max_request_id
        if longest and len(sent) > longest:
            raise Refused(431, f"x-openstack-request-id is too long, max size {longest}")
        request.request_id = sent if sent.startswith("req-") else f"req-{sent}"
