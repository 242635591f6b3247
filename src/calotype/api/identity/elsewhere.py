"""What stands in the place of Identity v3 when a Keystone serves it."""

from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from calotype.api.wire import Request, identity_url, json_reply
from calotype.settings import Settings


class Elsewhere:
    """An ASGI application that knows no path, and says who does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, in Keystone's form."""
        request = Request(scope, receive)
        text = f"Identity is not served here, but at {identity_url(self._settings, request)}"
        body = {"error": {"code": 404, "message": text, "title": HTTPStatus.NOT_FOUND.phrase}}
        headers = [(b"vary", b"X-Auth-Token"), (b"x-openstack-request-id", request.request_id.encode())]
        await json_reply(body, 404, headers)(scope, receive, send)
