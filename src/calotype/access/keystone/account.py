"""The account as which the service asks Keystone; blocking, from any thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keystoneauth1 import exceptions as failures
from keystoneauth1 import loading
from keystoneauth1.access import AccessInfo
from keystoneauth1.identity import BaseIdentityPlugin, v3
from keystoneauth1.session import Session

from calotype.settings import Keystone, SettingsError

REFUSED_SECONDS = 5.0
"""How long a refused account does not try again: each try may count for the lock-out of the account in Keystone."""


class AccountRefused(Exception):
    """Keystone lets the account not log in: the operator has to mend the account or the settings."""


class Account:
    """A session with one Keystone. keystoneauth logs in, and again two minutes before the token ends.

    Everything raises AccountRefused when that is not allowed, and keystoneauth's ClientException.
    """

    def __init__(self, keystone: Keystone) -> None:
        url = keystone.url.rstrip("/")
        self.url = url if url.endswith("/v3") else f"{url}/v3"
        self.name = f"the user {keystone.username!r}" if not keystone.auth_type else f"the account {keystone.auth_type}"
        self._auth = _plugin(keystone, self.url)
        self._renewal = threading.Lock()
        self._failed_at = 0.0
        self._refused: tuple[float, str] | None = None
        key = (keystone.client_certificate, keystone.client_key) if keystone.client_key else None
        self._session = Session(
            self._auth,
            verify=not keystone.insecure and (keystone.certificates or True),
            cert=key or keystone.client_certificate or None,
            timeout=keystone.timeout_seconds,
            app_name="calotype",
        )

    def access(self) -> AccessInfo:
        """What its token grants. Who waited for a log-in of others that got no answer does not try as well."""
        began = time.monotonic()
        with self._renewal:
            if began < self._failed_at:
                raise failures.ConnectFailure("the log-in got no answer a moment ago")
            if self._refused is not None and time.monotonic() - self._refused[0] < REFUSED_SECONDS:
                raise AccountRefused(self._refused[1])
            try:
                return self._granted()
            except AccountRefused as error:
                self._refused = time.monotonic(), str(error)
                raise
            except failures.ConnectionError:
                self._failed_at = time.monotonic()
                raise

    def _granted(self) -> AccessInfo:
        try:
            with _files():
                return self._auth.get_access(self._session)
        except (failures.BadRequest, failures.Unauthorized, failures.Forbidden, failures.NotFound) as error:
            raise AccountRefused(told(error, self.name)) from None
        except failures.ClientException:
            raise
        except Exception as error:  # as in _plugin
            raise AccountRefused(f"{self.name} cannot log in: {error}") from None

    def get(self, path: str, query: dict[str, str], headers: dict[str, str] | None = None) -> Any:
        """The answer to a GET below /v3. With a token that is no longer good it is asked once more with another."""
        access = self.access()
        try:
            return self._send(path, query, headers, access)
        except failures.Unauthorized:
            self._forget(access)
            return self._send(path, query, headers, self.access())

    def _send(self, path: str, query: dict[str, str], headers: dict[str, str] | None, access: AccessInfo) -> Any:
        try:
            return self._once(path, query, headers or {}, access)
        except failures.ConnectFailure:  # a kept connection, perhaps, that Keystone closed at the same moment
            return self._once(path, query, headers or {}, access)

    def _once(self, path: str, query: dict[str, str], headers: dict[str, str], access: AccessInfo) -> Any:
        own = {"X-Auth-Token": access.auth_token, "Accept": "application/json"}
        try:
            with _files():
                return self._session.get(
                    self.url + path, params=query, headers=own | headers, authenticated=False, log=False
                )
        except failures.NotFound as error:
            if _is_gone(access, error, headers):
                raise failures.Unauthorized(str(error)) from None
            raise

    def _forget(self, access: AccessInfo) -> None:
        """Log in anew for the next question, unless somebody else did meanwhile."""
        with self._renewal:
            if self._auth.auth_ref is access:
                self._auth.invalidate()


@contextmanager
def _files() -> Iterator[None]:
    """Files of certificates and keys are read for each connection: what cannot be read is told as a ClientException."""
    try:
        yield
    except OSError as error:
        raise failures.SSLError(str(error)) from None


def told(error: failures.HttpError, name: str) -> str:
    """The sentence for an account that Keystone refuses."""
    if isinstance(error, failures.Unauthorized):
        return f"Keystone refuses {name}: are name, password and domain right? Has it a role in its scope?"
    if isinstance(error, failures.NotFound):
        return f"Keystone refuses {name}: does it exist, and is keystone.url right? ({error.message})"
    return f"Keystone refuses {name}: {error.message}"


def _is_gone(access: AccessInfo, error: failures.NotFound, headers: dict[str, str]) -> bool:
    """Whether it is the account itself that is not found: Keystone says 404, not 401, to a token whose user, project or
    application credential was deleted, and names it. What was asked for may stand there, too, and proves nothing."""
    named = str(error).replace(headers.get("X-Subject-Token", ""), "")
    credential = getattr(access, "application_credential_id", None)  # tokens of v2 have none
    return any(id_ and id_ in named for id_ in (access.user_id, access.project_id, access.domain_id, credential))


def _plugin(keystone: Keystone, url: str) -> BaseIdentityPlugin:
    """The plugin that logs in; raises SettingsError."""
    if not keystone.auth_type:
        scope: dict[str, Any] = {"system_scope": "all"}
        if keystone.project:
            scope = {"project_name": keystone.project, "project_domain_name": keystone.project_domain}
        return v3.Password(
            url,
            username=keystone.username,
            password=keystone.password,
            user_domain_name=keystone.user_domain,
            **scope,
        )
    try:
        loader: Any = loading.get_plugin_loader(keystone.auth_type)
        known = {option.dest for option in loader.get_options()}
        if unknown := sorted(keystone.auth.keys() - known):
            raise SettingsError(f"keystone.auth: {unknown[0]!r} is no option of {keystone.auth_type}")
        plugin = loader.load_from_options(**({"auth_url": url} if "auth_url" in known else {}) | keystone.auth)
    except failures.NoMatchingPlugin:
        names = ", ".join(sorted(loading.get_available_plugin_names()))
        raise SettingsError(f"keystone.auth_type: {keystone.auth_type!r} is not known; there are {names}") from None
    except SettingsError:
        raise
    except Exception as error:  # plugins say in many ways what they lack
        raise SettingsError(f"keystone.auth: {error}") from None
    if not isinstance(plugin, BaseIdentityPlugin):
        raise SettingsError(f"keystone.auth_type: {keystone.auth_type!r} does not log in to a Keystone")
    return plugin
