"""Settings of access: who may come in, what they may do, and how often and how slowly."""

import re
from typing import Annotated, Literal

import msgspec

from calotype.settings.section import Positive, Seconds, Section, SettingsError

_RATE = re.compile(r"([1-9][0-9]{0,8})/(s|m|h)")
_PERIODS = {"s": 1, "m": 60, "h": 3600}


class Keystone(Section, frozen=True):
    """The Keystone that tokens (`identity.source`) and limits (`quota.keystone_limits`) are asked of, and as whom."""

    url: str = ""
    """Its URL, for example https://keystone.example/v3."""
    username: str = ""
    """The user: with the role service it validates tokens and reads revocations, as reader for the system limits."""
    password: str = ""
    """Its password; better given as CALOTYPE_KEYSTONE_PASSWORD."""
    user_domain: str = "Default"
    """The name of the user's domain."""
    project: str = ""
    """The name of the project that it acts in; empty: the system as a whole."""
    project_domain: str = "Default"
    """The name of the project's domain."""
    auth_type: str = ""
    """A plugin of keystoneauth to log in by, for example `v3applicationcredential`; empty: the user above."""
    auth: dict[str, str] = msgspec.field(default_factory=dict)
    """The plugin's options, as keystoneauth names them; `auth_url` is `url` if it is not there."""
    endpoint_id: str = ""
    """The endpoint of the image service, whose service and region the limits are registered for; empty: look for it."""
    service_type: str = "image"
    """The type of the service to look for, for limits and for the image endpoint in links."""
    service_name: str = ""
    """The name of the service to look for; empty: any."""
    region: str = ""
    """The region of the endpoint to look for; empty: any."""
    interface: Literal["public", "internal", "admin"] = "public"
    """The interface of the endpoint to look for."""
    certificates: str = ""
    """PEM file of the authorities that Keystone's certificate is checked against; empty: those of the system."""
    insecure: bool = False
    """Do not check that certificate: whoever is on the way then learns every token."""
    client_certificate: str = ""
    """PEM file of the certificate to show to Keystone; empty: none."""
    client_key: str = ""
    """PEM file of its key; empty: it is in the file of the certificate."""
    timeout_seconds: Seconds = 10.0
    """How long one question to it may take."""
    token_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 300.0
    """How long a validated token counts before Keystone has to be asked again, so also how long without Keystone."""
    revocation_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 5.0
    """How often to ask for revocations, which end a validated token before that; 0 is never."""
    memcached: tuple[str, ...] = ()
    """HOST:PORT of memcached servers, where workers share what they know of tokens; empty: each keeps its own."""
    memcached_key: str = ""
    """Secret of those workers, by which it is encrypted there; better given as CALOTYPE_KEYSTONE_MEMCACHED_KEY."""
    service_token_roles: tuple[str, ...] = ("service",)
    """A token in X-Service-Token counts if it has one of these roles."""

    def __repr__(self) -> str:
        """Without the secrets and the plugin's options."""
        return f"Keystone(url={self.url!r}, username={self.username!r}, auth_type={self.auth_type!r})"


class Identity(Section, frozen=True):
    """Whose tokens count, and the built-in identity (spec: identity-and-huawei A)."""

    source: Literal["builtin", "keystone"] = "builtin"
    """`builtin`: accounts and tokens of this service. `keystone`: those of the Keystone of `keystone.url`."""
    token_hours: Annotated[float, msgspec.Meta(gt=0, le=876_000)] = 24.0
    """How long a token lives."""
    region: str = "RegionOne"
    """Region of the service catalogue."""
    public_endpoint: str = ""
    """Identity URL in catalogue, discovery and `WWW-Authenticate`; empty: Keystone's, or derived from the request."""
    password_memory_kib: Positive = 19456
    """Memory of one Argon2id hash, in KiB (RFC 9106; the OWASP minimum)."""
    password_iterations: Positive = 2
    """Passes of one Argon2id hash."""
    access_key_file: str = ""
    """The key that secrets of access keys are encrypted with; empty: access-keys.key in the data directory, made with
    the first access key. Hosts that share a database need the same."""
    signature_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 900.0
    """How far the time of a request that is signed with an access key may be from the time here."""
    lockout_attempts: Annotated[int, msgspec.Meta(ge=0)] = 0
    """After how many wrong passwords in a row a user is locked out; 0: never, as in Keystone."""
    lockout_minutes: Annotated[float, msgspec.Meta(gt=0, le=525_600)] = 30.0
    """For how long; then, and after a right password, counting begins anew."""


class Policy(Section, frozen=True):
    """Who may do what with images: rules that differ from Glance's defaults, in oslo.policy's language."""

    file: str = ""
    """policy.yaml: rules by name. `calotype policy sample` prints one with every rule and its default."""
    directory: str = ""
    """Directory of more such files, read after it in the order of their names; a later one wins."""


class Rate(Section, frozen=True):
    """How often one may ask. Counted by each worker process for itself: N of them let N times as much pass."""

    per_caller: str = ""
    """Requests of one user: NUMBER/s, /m or /h, for example 100/s; empty: any number."""
    caller_burst: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of them at once, after a pause; 0: the number in `per_caller`."""
    per_address: str = ""
    """Log-ins and requests without a valid token or signature, from one address (IPv6: one /64); as `per_caller`."""
    address_burst: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of them at once, after a pause; 0: the number in `per_address`."""

    @property
    def caller(self) -> tuple[float, float] | None:
        """Requests a second and at once of one user, None for any number; raises SettingsError."""
        return _rate("per_caller", self.per_caller, self.caller_burst)

    @property
    def address(self) -> tuple[float, float] | None:
        """The same for one address."""
        return _rate("per_address", self.per_address, self.address_burst)


class Clients(Section, frozen=True):
    """How slow clients may be before they are cut off."""

    head_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    """How long the head of a request may take, from its connection or the answer before it."""
    body_pace: Annotated[int, msgspec.Meta(ge=0)] = 64
    """A body, uploads included, that brings fewer bytes a second than this is cut off; 0: never."""
    body_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 120.0
    """Over how long that is measured: so long a client may pause."""


def _rate(name: str, text: str, burst: int) -> tuple[float, float] | None:
    if not text:
        if burst:
            raise SettingsError(f"rate.{name}: has to be set for the burst to count")
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise SettingsError(f"rate.{name}: {text!r} is no rate; write a number and /s, /m or /h, for example 100/s")
    number = int(match[1])
    return number / _PERIODS[match[2]], float(burst or number)
