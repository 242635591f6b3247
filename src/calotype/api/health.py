"""Is it up: /healthcheck, without a token (spec: image-v2 23)."""

from starlette.types import Receive, Scope, Send

from calotype.api.wire import Reply, Request, json_reply


class Health:
    """The ASGI application of that path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Reply:
        if request.path.rstrip("/") != "/healthcheck":
            return Reply(404)
        if request.method == "HEAD":
            return Reply(204)
        if request.method != "GET":
            return Reply(405, headers=[(b"allow", b"GET, HEAD")])
        if (request.field(b"accept") or "").startswith("application/json"):
            return json_reply({"detailed": False, "reasons": ["OK"]})
        return Reply(200, b"OK", [(b"content-type", b"text/plain; charset=UTF-8")])
