"""PATCH of an image's locations (spec: image-v2 15.1): possible only where locations are shown."""

from typing import Any

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.images import attributes
from calotype.images.errors import Conflict, Forbidden, Invalid, NotAuthorized
from calotype.images.hashes import hexadecimal
from calotype.images.model import Image, Location
from calotype.images.patch import Operation
from calotype.images.stream import HASH
from calotype.settings import Image as Settings
from calotype.stores.shelf import Shelf

_HASH_BYTES = 64
_MD5_BYTES = 16
_METADATA_BYTES = 4096
_LONGEST_POSITION = 9
_FIELDS = ("os_hash_algo", "os_hash_value", "checksum")


class Relocation:
    """The operations of one PATCH on locations. `sizes` holds the bytes found at each new URL, None for none."""

    def __init__(
        self, caller: Caller, policy: Policy, shelf: Shelf, settings: Settings, sizes: dict[str, int | None]
    ) -> None:
        self._caller = caller
        self._policy = policy
        self._shelf = shelf
        self._settings = settings
        self._sizes = sizes

    def __call__(self, operation: Operation, image: Image) -> None:
        """Apply one operation in place."""
        verbs = {"add": self._add, "replace": self._replace, "remove": self._remove}
        verbs[operation.op](operation, image)

    def _add(self, operation: Operation, image: Image) -> None:
        self._demand_sight("add")
        self._demand("set_image_location", image)
        self._demand_status("add", image, "active", "queued")
        # What a queued image has is left of a verification that failed.
        places = [] if image.status == "queued" else list(image.locations)
        at = len(places) if operation.place == "-" else _position(operation.place)
        if at is None:
            raise Invalid("Invalid position for adding a location.")
        attributes.check_location_quota(len(places) + 1, self._settings)
        new = self._location(operation.value, image)
        if new.owned:
            raise Invalid("Invalid location")
        if new in places:
            raise Invalid(f"The location {operation.value['url']} already exists")
        self._validate(operation.value.get("validation_data"), image)
        # A position behind the end is the end.
        places.insert(min(at, len(places)), new)
        self._put(image, places)

    def _replace(self, operation: Operation, image: Image) -> None:
        self._demand_sight("replace")
        self._demand("set_image_location", image)
        self._demand_status("replace", image, "active", "queued")
        if not operation.value:
            raise Forbidden("Cannot set locations to empty list.")
        attributes.check_location_quota(len(operation.value), self._settings)
        urls = [each["url"] for each in operation.value]
        before = [self._url(each) for each in image.locations]
        if before and (sorted(urls) != sorted(before)):
            raise Invalid(f"Original locations is not empty: {before}")
        for url in set(urls):
            if urls.count(url) > 1:
                raise Invalid(f"The location {url} already exists")
        places = [self._location(each, image) for each in operation.value]
        for each in operation.value:
            self._validate(each.get("validation_data"), image)
        self._put(image, places)

    def _remove(self, operation: Operation, image: Image) -> None:
        self._demand("delete_image_location", image)
        self._demand_sight("remove")
        self._demand_status("remove", image, "active")
        if len(image.locations) == 1:
            raise Forbidden("Cannot remove last location in the image.")
        at = _position(operation.place)
        if at is None or at >= len(image.locations):
            raise Invalid("Invalid position for removing a location.")
        # The position is the one that the client sees.
        gone = self._shelf.ordered(image.locations)[at]
        image.locations = [each for each in image.locations if each is not gone]

    def _put(self, image: Image, places: list[Location]) -> None:
        if image.status == "queued":
            attributes.refuse_locked(image.properties)
            attributes.demand_formats(image)
            image.status = "active"
            image.size = self._sizes.get(places[0].name)
        image.locations = places

    def _location(self, value: dict[str, Any], image: Image) -> Location:
        """The location that a client describes: one that the image has, or new data at a URL that can be read."""
        url = value["url"]
        metadata = {name: each for name, each in value["metadata"].items() if name != "store"}
        if len(msgspec.json.encode(metadata)) > _METADATA_BYTES:
            raise Invalid(f"The metadata of a location takes {_METADATA_BYTES} bytes at the most.")
        for each in image.locations:
            if self._url(each) == url:
                return msgspec.structs.replace(each, metadata=metadata)
        web = self._shelf.web()
        size = self._sizes.get(url)
        if web is None or not size or (image.status != "queued" and size != image.size):
            raise Invalid("Invalid location")
        return Location(web, url, metadata)

    def _validate(self, expected: dict[str, Any] | None, image: Image) -> None:
        """Take over the hashes that the client announces, as far as it may announce any."""
        if not expected:
            return
        for name in _FIELDS:
            value, known = expected.get(name), getattr(image, name)
            if value is None or value == known:
                continue
            if known is not None:
                raise Conflict(f"{name} is already set with a different value")
        new = [name for name in _FIELDS if name in expected and getattr(image, name) is None]
        if new and image.status != "queued":
            raise Conflict(f"New value(s) for {', '.join(new)} may only be provided when image status is 'queued'")
        if expected["os_hash_algo"] != HASH:
            raise Conflict(f"os_hash_algo must be {HASH}, not {expected['os_hash_algo']}")
        _demand_hex("os_hash_value", expected["os_hash_value"], HASH, _HASH_BYTES)
        if "checksum" in expected:
            _demand_hex("checksum", expected["checksum"], "md5", _MD5_BYTES)
        for name in _FIELDS:
            if name in expected:
                setattr(image, name, expected[name])

    def _url(self, location: Location) -> str:
        return self._shelf[location.store].url(location.name)

    def _demand_sight(self, verb: str) -> None:
        if not self._settings.show_locations:
            shown = "update" if verb == "replace" else verb
            raise Forbidden(f"It's not allowed to {shown} locations if locations are invisible.")

    def _demand(self, rule: str, image: Image) -> None:
        if not self._policy.allows(rule, self._caller, image):
            raise NotAuthorized(rule)

    def _demand_status(self, verb: str, image: Image, *statuses: str) -> None:
        if image.status not in statuses:
            raise Conflict(f"It's not allowed to {verb} locations if image status is {image.status}.")


def _position(text: str) -> int | None:
    """A place in the list, None if it is none; only the plain digits count, as no others are numbers to `int`."""
    return int(text[:_LONGEST_POSITION]) if text.isascii() and text.isdigit() else None


def _demand_hex(name: str, value: str, algorithm: str, size: int) -> None:
    if not hexadecimal(value):
        raise Conflict(f"{name} ({value}) is not a valid hexadecimal value")
    if len(value) != 2 * size:
        raise Conflict(f"{name} ({value}) is not the correct size for {algorithm} (should be {size} bytes)")
