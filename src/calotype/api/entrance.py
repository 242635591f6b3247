"""Who asks, in every API: the bearer of a token, or whoever signed the request; and whether he asks too often."""

import hashlib
import ipaddress
import logging
import re
from collections.abc import Awaitable
from urllib.parse import quote

import msgspec

from calotype.access import signing
from calotype.access.access_rules import permits
from calotype.access.authority import Authority
from calotype.access.caller import Caller
from calotype.access.errors import TooManyRequests, Unauthorized
from calotype.access.policy.policy import Policy
from calotype.access.rates import Rates
from calotype.access.signers import Signers
from calotype.access.signing import Claim, Message
from calotype.api.wire import Request, forwarded
from calotype.settings import Settings

LARGEST = 12 * 1024 * 1024
"""The largest body that is signed, in bytes: it is read whole before anything is done with it (C.2)."""

log = logging.getLogger("calotype.rates")

_SAFE = ("GET", "HEAD", "OPTIONS")
_PROJECT = re.compile(r"/v[0-9.]+/([0-9a-f-]{1,64})/").match


class Entrance:
    """Finds the caller of a request. Without `signers` no signature proves anything."""

    def __init__(
        self, settings: Settings, authority: Authority, policy: Policy, signers: Signers | None, rates: Rates
    ) -> None:
        self.authority = authority
        self._policy = policy
        self._signers = signers
        self._rates = rates
        self._counts = rates.any
        self._believe_proxy = settings.proxy_headers

    def caller(self, request: Request, helper: Caller | None = None) -> Awaitable[Caller | None]:
        """The caller, None without a valid token. A signature counts before a token that comes with it.
        `helper` is the service whose token came along.

        Raises Unauthorized for a signature that does not prove anything, BodyTooLarge and TooManyRequests.
        """
        if b"authorization" in request.fields and signing.meant(request.fields[b"authorization"]):
            return self._signer(request)
        if self._counts:
            return self._bearer(request, helper)
        return self.authority.caller(request.token, helper)

    async def authenticated(self, request: Request, service: str) -> Caller | None:
        """Who asks, with the roles of the service whose token comes along; None if one of the tokens is not valid, or
        not for this request to a `service` of this type (spec: identity-and-huawei B.1).

        Raises what `caller` raises.
        """
        helper = None
        if sent := (request.field(b"x-service-token") or "").strip():
            helper = await self.authority.service(sent)
            if helper is None:
                self.knock(request)
                return None
        caller = await self.caller(request, helper)
        if caller is None or (helper is None and not permitted(caller, service, request)):
            return None
        if helper is not None:
            # A service passes on what its users may not do themselves, and stands in for a project beside a token for
            # the system alone, as in Glance.
            caller = msgspec.structs.replace(caller, service=caller.system, service_roles=helper.roles)
        return self._policy.judged(caller)

    def knock(self, request: Request) -> None:
        """Count an attempt to log in; raises TooManyRequests."""
        if self._counts:
            address = client_address(request, self._believe_proxy)
            try:
                self._rates.of_address(address)
            except TooManyRequests:
                fields = {"address": address, "request_id": request.request_id}
                log.warning("too many requests of an address", extra={"fields": fields})
                raise

    async def _bearer(self, request: Request, helper: Caller | None) -> Caller | None:
        caller = await self.authority.caller(request.token, helper)
        if caller is None:
            self.knock(request)
        else:
            request.caller = caller  # for the log
            self._rates.of_caller(caller.user_id)
        return caller

    async def _signer(self, request: Request) -> Caller:
        signers = self._signers
        try:
            if signers is None:
                raise Unauthorized("Signed requests are not accepted here; log in for a token.")
            claim = signing.claim(request.fields)
            caller = await self._proven(signers, claim, request)
        except Unauthorized:
            self.knock(request)
            raise
        request.caller = caller  # for the log
        if request.method in _SAFE:
            self._rates.of_caller(caller.user_id)
            return caller
        # Before the signature is used up: a client may send the same request again after Retry-After.
        self._rates.room_of_caller(caller.user_id)
        try:
            await self._use(signers, claim, request, caller.user_id)
        except Unauthorized:
            self.knock(request)
            raise
        return caller

    async def _use(self, signers: Signers, claim: Claim, request: Request, user_id: str) -> None:
        """Use up a signature, or what it may be good for, and count it for its signer. Raises Unauthorized if that was
        done before, BodyTooLarge and TooManyRequests.
        """
        # Counted when it is used and not before: whoever recorded a request does not use up what its signer may ask.
        if request.method != "PATCH" or not request.has_body or _told(request) != signing.UNSIGNED:
            await signers.use_once(claim)
            self._rates.charge_caller(user_id)
        elif await signers.use_now(claim):
            self._rates.charge_caller(user_id)
            await signers.use_for(claim, await _kept(request))
        else:
            document = await _kept(request)
            await signers.use_now(claim)  # the document may have taken its time
            self._rates.of_caller(user_id)  # never on credit, and before it is used up, for the same reasons
            await signers.use_for(claim, document)

    async def _proven(self, signers: Signers, claim: Claim, request: Request) -> Caller:
        signers.timely(claim)
        # Before the body, which is kept: nobody's would be, too.
        signer = await signers.signer(claim)
        path, host = signed_place(request, self._believe_proxy)
        fields = request.fields if host is None else {**request.fields, b"host": host}
        query = request.scope["query_string"]
        message = Message(request.method, path, query, fields, await _payload(request))
        return await signers.caller(signer, claim, message, _project(request))


def _project(request: Request) -> str | None:
    """The project that a signed request is about: X-Project-Id, or the project in the path."""
    named = request.field(b"x-project-id")
    if named is not None and named.strip():
        return named.strip()
    found = _PROJECT(request.path)
    return found[1] if found else None


async def _payload(request: Request) -> bytes:
    """What stands for the body in the canonical request; a signed body is read and stays to be read again.

    Raises BodyTooLarge, and Unauthorized when the body is not the one of X-Sdk-Content-Sha256.
    """
    if not request.has_body:
        return signing.EMPTY
    if request.method in _SAFE:
        raise Unauthorized(f"A signed {request.method} has no body.")
    told = _told(request)
    if told == signing.UNSIGNED:
        return told
    body = await _kept(request)
    found = hashlib.sha256(body).hexdigest().encode()
    # Of an empty body the SDK signs the hash, whatever it tells.
    if body and told not in (b"", found):
        raise Unauthorized
    return found


def _told(request: Request) -> bytes:
    return request.fields.get(b"x-sdk-content-sha256", b"").strip()


async def _kept(request: Request) -> bytes:
    body = await request.content(LARGEST)
    request.give_back(body)
    return body


def permitted(caller: Caller, service: str, request: Request) -> bool:
    """Whether the access rules of the caller's token, if it has some, allow this request to a service of this type."""
    rules = caller.access_rules
    return rules is None or permits(rules, service, request.method, request.prefix + request.path, request.path)


def signed_place(request: Request, believe_proxy: bool) -> tuple[bytes, bytes | None]:
    """Path and host of the URL that the client used, percent-encoded as they came: what it signed."""
    raw = request.scope.get("raw_path") or quote(request.prefix + request.path, safe="/%").encode()
    path, host = raw.partition(b"?")[0], request.field(b"host")
    if believe_proxy:
        _, host, prefix = forwarded(request, "", host)
        path = prefix.encode("latin-1") + path
    return path, None if host is None else host.encode("latin-1")


def client_address(request: Request, believe_proxy: bool) -> str:
    """The IP address that a request comes from: behind a proxy that is believed, what that proxy itself saw, if it is
    one; empty if unknown.
    """
    peer: str = (request.scope.get("client") or ("", 0))[0]
    if not believe_proxy:
        return peer
    # A client may send such headers itself; the proxy adds to their end.
    found = (request.field(b"x-forwarded-for") or "").rpartition(",")[2]
    if not found.strip():
        last = (request.field(b"forwarded") or "").rpartition(",")[2]
        named = [pair.partition("=") for pair in last.split(";")]
        found = next((value for name, _, value in named if name.strip().lower() == "for"), "")
    return _address(found.strip(' "')) or peer


def _address(node: str) -> str | None:
    """The IP address in `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:4711`."""
    host = node[1:].partition("]")[0] if node.startswith("[") else node
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None
