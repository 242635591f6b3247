"""What a Keystone says of tokens (spec: identity-and-huawei B); blocking, from any thread."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
from keystoneauth1 import access as accesses
from keystoneauth1 import exceptions as failures
from keystoneauth1.access import AccessInfo

from calotype.access.keystone.account import Account, AccountRefused, told
from calotype.access.keystone.errors import Unreachable
from calotype.access.keystone.revocations import Event, event
from calotype.access.keystone.validated import Validated, validated
from calotype.settings import Keystone, SettingsError

CLOCKS_SECONDS = 30.0
"""By how much this host's clock may differ from Keystone's before the operator is told."""
MARGIN_SECONDS = 60.0
"""How far back revocations are read again: answers that were under way meanwhile, and clocks that differ."""
# Who may validate tokens, and who may read revocations, by Keystone's own rules.
_VALIDATE = {"admin", "service"}

_VERSION = re.compile(r"/v\d+(\.\d+)?$")


class Away(Unreachable):
    """Nothing answers at all, or not in time."""


class Denied(Exception):
    """Keystone does not let the account do this."""


class _Events(msgspec.Struct):
    events: list[dict[str, Any]]


_read_events = msgspec.json.Decoder(_Events).decode


class KeystoneClient:
    """Asks one Keystone as the service's account. Everything raises Unreachable when there is no usable answer."""

    def __init__(self, keystone: Keystone) -> None:
        self._keystone = keystone
        self._account = Account(keystone)
        self._timed: AccessInfo | None = None
        self._ahead = time.time() - time.monotonic()

    def validate(self, token: str, allow_expired: bool = False) -> Validated | None:
        """What a token grants, None if Keystone does not know it or it is over; `allow_expired` is for services."""
        query = {"nocatalog": "1"} | ({"allow_expired": "1"} if allow_expired else {})
        try:
            # The header says that access rules of application credentials are heeded here.
            answer = self._ask(
                "/auth/tokens", query, {"X-Subject-Token": token, "OpenStack-Identity-Access-Rules": "1"}
            )
            return validated(answer.content)
        except failures.NotFound:
            return None
        except Denied as error:
            raise Unreachable(str(error)) from None
        except (msgspec.MsgspecError, ValueError):
            raise Unreachable(f"what {self._account.url}/auth/tokens answers is not what Keystone does") from None

    def revocations(self, since: float) -> list[Event]:
        """Those after a moment, in seconds of Keystone's clock; raises Denied, also when they are not offered."""
        moment = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        try:
            answer = self._ask("/OS-REVOKE/events", {"since": moment})
            return [event(each) for each in _read_events(answer.content).events]
        except failures.NotFound:
            raise Denied("Keystone does not offer its revocations") from None
        except (msgspec.MsgspecError, ValueError, KeyError):
            raise Unreachable(f"what {self._account.url}/OS-REVOKE/events answers is not what Keystone does") from None

    def clock(self) -> float:
        """By how many seconds Keystone's clock is ahead of the monotonic one, or a little less: its time of the log-in
        is taken for the time of the first look at it."""
        access = self._access()
        if access is not self._timed and access.issued is not None:
            self._timed, self._ahead = access, access.issued.timestamp() - time.monotonic()
        return self._ahead

    def image_endpoint(self) -> str:
        """The image service in Keystone's catalogue, without version and final slash; empty if it is not there."""
        wanted = self._keystone
        token = str(self._access().auth_token)
        try:
            answer = self._ask("/auth/tokens", {}, {"X-Subject-Token": token})
            catalogue = accesses.create(body=answer.json(), auth_token=token).service_catalog
            url = catalogue.url_for(
                service_type=wanted.service_type or "image",
                service_name=wanted.service_name or None,
                interface=wanted.interface,
                region_name=wanted.region or None,
            )
        except failures.NotFound:
            raise Unreachable("the token of the account ended meanwhile") from None
        except (failures.CatalogException, Denied, ValueError):
            return ""
        return _VERSION.sub("", (url or "").rstrip("/")).rstrip("/")

    def check(self) -> list[str]:
        """Raise SettingsError if Keystone refuses the account; answers sentences on what is not right."""
        try:
            granted = self._account.access()
        except AccountRefused as error:
            raise SettingsError(str(error)) from None
        except failures.ClientException as error:
            raise _unreachable(error) from None
        roles = {name.lower() for name in granted.role_names or ()}
        missing = _apart(granted)
        if not roles & _VALIDATE and not ("reader" in roles and granted.system_scoped):
            missing.append(f"{self._account.name} validates no tokens of others: give it the role service")
        if self._keystone.revocation_seconds:
            try:
                self.revocations(time.time())
            except Denied as error:
                missing.append(f"revocations are noticed late: {error}; give it the role service")
        return missing

    def _access(self) -> AccessInfo:
        try:
            return self._account.access()
        except AccountRefused as error:
            raise Unreachable(str(error)) from None
        except failures.ClientException as error:
            raise _unreachable(error) from None

    def _ask(self, path: str, query: dict[str, str], headers: dict[str, str] | None = None) -> Any:
        """The answer; raises NotFound of keystoneauth, Denied and Unreachable."""
        try:
            return self._account.get(path, query, headers)
        except failures.NotFound:
            raise
        except failures.Forbidden as error:
            raise Denied(told(error, self._account.name)) from None
        except (AccountRefused, failures.Unauthorized) as error:
            raise Unreachable(str(error)) from None
        except failures.ClientException as error:
            raise _unreachable(error) from None


def _apart(granted: AccessInfo) -> list[str]:
    """A sentence on the clocks if they differ; `granted` is of a moment ago."""
    ahead = time.time() - granted.issued.timestamp() if granted.issued is not None else 0.0
    if abs(ahead) <= CLOCKS_SECONDS:
        return []
    way, end = ("ahead of", "too early") if ahead > 0 else ("behind", "too late")
    return [f"the clock here is {abs(ahead):.0f} seconds {way} Keystone's, and tokens end {end}: set it right"]


def _unreachable(error: failures.ClientException) -> Unreachable:
    kind = Away if isinstance(error, failures.ConnectionError) else Unreachable
    return kind(f"Keystone cannot be asked: {error}")
