"""The record of who logged in or tried to, one line each: who, from where, how, with what outcome; never a secret.

Of somebody who is unknown the name is not written: people type their password where their name belongs.
"""

import logging
from typing import Any

from calotype.access.errors import AccessError, Unauthorized
from calotype.access.model import Grant
from calotype.api.entrance import client_address
from calotype.api.wire import Request
from calotype.settings import Settings

log = logging.getLogger("calotype.logins")


class Attempt:
    """One attempt; `user_id` and `methods` are set as soon as they are known."""

    def __init__(self, what: str, request: Request, settings: Settings) -> None:
        self._what = what
        self._request = request
        self._settings = settings
        self.user_id: str | None = None
        self.methods: tuple[str, ...] = ()

    def succeeded(self, grant: Grant | None = None) -> None:
        """Write that it did, and what it brought."""
        about: dict[str, Any] = {}
        if grant is not None:
            self.user_id = grant.user.id
            about = {"scope": grant.scope.kind or "none", "scope_id": grant.scope.id, "audit_id": grant.audit_ids[0]}
            if grant.credential is not None:
                about["application_credential"] = grant.credential.id
        self._write(logging.INFO, "success", about)

    def failed(self, error: AccessError) -> None:
        """Write that it did not, and why."""
        if isinstance(error, Unauthorized):
            self.user_id = error.user_id or self.user_id
            reason = error.reason or "not authorized"
        else:
            reason = "refused"
        self._write(logging.WARNING, "failure", {"reason": reason})

    def _write(self, level: int, outcome: str, about: dict[str, Any]) -> None:
        fields = {
            "outcome": outcome,
            "user": self.user_id,
            "methods": ",".join(self.methods),
            "address": client_address(self._request, self._settings.proxy_headers) or None,
            "request_id": self._request.request_id,
        }
        log.log(level, self._what, extra={"fields": fields | about})
