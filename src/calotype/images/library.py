"""The verbs on images that do not touch their data. One rule for all: what cannot be seen does not exist."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.facts import OWN, Proposal, Target
from calotype.access.policy.pages import filled
from calotype.access.policy.policy import Policy
from calotype.access.protections import Protections, completed
from calotype.database import images as rows
from calotype.database import listing as lists
from calotype.database.engine import Database
from calotype.images import attributes
from calotype.images.cache import Cache
from calotype.images.errors import (
    Forbidden,
    ImageNotFound,
    Invalid,
    LimitExceeded,
    NotAuthorized,
    NotFound,
)
from calotype.images.intake import Intake
from calotype.images.model import Filter, Image, Listing, keepable, now
from calotype.images.patch import authorize_visibility
from calotype.images.quota import Quotas
from calotype.images.schema_properties import SchemaProperties
from calotype.images.visibility import owns, sees
from calotype.settings import Image as Limits

Check = Callable[[Image], None]
Properties = dict[str, str | None]

_OF_OTHERS = frozenset(("copy_image", "add_image_location"))
"""Rules that may let a caller do something to an image of another project."""
MAX_CONDITIONS = 32
"""Filters in one list: PostgreSQL's planning time grows with their third power, SQLite refuses some hundreds."""


class Library:
    """The catalogue as a caller meets it."""

    def __init__(
        self,
        database: Database,
        policy: Policy,
        intake: Intake,
        limits: Limits,
        quotas: Quotas,
        protections: Protections | None = None,
        schema: SchemaProperties | None = None,
        cache: Cache | None = None,
    ) -> None:
        self._database = database
        self._policy = policy
        self._intake = intake
        self._limits = limits
        self._quotas = quotas
        self.protections = protections
        self._schema = schema
        self._cache = cache

    async def show(self, caller: Caller, image_id: str, rule: str = "get_image") -> Image:
        """The image, or ImageNotFound; `rule` is what the caller wants to do. One statement."""
        if keepable(image_id):
            row = await self._database.one(rows.GET, {"id": image_id, "project": caller.project_id or ""})
            if row is not None:
                image = rows.image(row)
                if self.visible(caller, image, rule):
                    return self.shown(caller, image)
        raise ImageNotFound(image_id)

    def visible(self, caller: Caller, image: Image, rule: str = "get_image") -> bool:
        """Whether the image exists as far as the caller can tell: who may do what `rule` guards may know of it."""
        allows = self._policy.allows
        return sees(caller, image) and (allows("get_image", caller, image) or allows(rule, caller, image))

    def shown(self, caller: Caller, image: Image) -> Image:
        """What of the image is the caller's to read: all images go out this way."""
        return image if self.protections is None else self.protections.shown(caller, image)

    def authorize(self, rule: str, caller: Caller, image: Target = None) -> None:
        """Raise NotAuthorized unless the rule lets the caller."""
        if not self._policy.allows(rule, caller, image):
            raise NotAuthorized(rule)

    async def find(self, caller: Caller, listing: Listing, marker: str | None = None) -> list[Image]:
        """The images of a list, after the image whose id is `marker`. At most two statements by Glance's own rules.

        `listing.admin` and `listing.project` are filled in here. Raises NotAuthorized, Invalid for a bad marker.
        """
        self.authorize("get_images", caller, OWN)
        if len(listing.filters) > MAX_CONDITIONS:
            raise Invalid(f"A list takes {MAX_CONDITIONS} filters at the most, this one has {len(listing.filters)}.")
        listing.admin, listing.project = caller.is_admin, caller.project_id
        if marker is not None:
            listing.marker = await self._marker(caller, marker)
        if listing.limit == 0 or any(self._fits_nothing(caller, each) for each in listing.filters):
            return []
        found = await (self._narrowed(caller, listing) if self._policy.narrows_lists else self._listed(listing))
        return [self.shown(caller, image) for image in found]

    async def _listed(self, listing: Listing) -> list[Image]:
        return [rows.image(row) for row in await self._database.all(*lists.statement(listing))]

    async def _narrowed(self, caller: Caller, listing: Listing) -> list[Image]:
        """A page of what the operator's rule lets the caller see."""

        def read(marker: Image | None, limit: int | None) -> Awaitable[list[Image]]:
            return self._listed(msgspec.structs.replace(listing, marker=marker, limit=limit))

        def allowed(image: Image) -> bool:
            return self._policy.allows("get_image", caller, image)

        return await filled(read, allowed, listing.marker, listing.limit)

    def _fits_nothing(self, caller: Caller, each: Filter) -> bool:
        """Whether no image fits the filter: for the caller, none has a property that the caller may not read."""
        if self.protections is not None and each.kind == "property":
            return not self.protections.allows(caller, "read", each.values[0])
        return each.kind == "none"

    async def _marker(self, caller: Caller, marker: str) -> Image:
        try:
            return await self.show(caller, marker)
        except NotFound as error:
            raise Invalid(error.text) from None

    async def create(self, caller: Caller, wanted: Mapping[str, Any]) -> Image:
        """A new image in status queued; `wanted` holds attributes and additional properties of the right types.

        Raises what `drafted` does, LimitExceeded, Conflict for an id that is or was in use.
        """
        image = self.drafted(caller, wanted)
        created: Image = await self._quotas.write(lambda gate: rows.create(image, gate.create))
        return self.shown(caller, created)

    def drafted(self, caller: Caller, wanted: Mapping[str, Any]) -> Image:
        """An image that the caller may create; raises NotAuthorized, Forbidden, LimitExceeded, Invalid."""
        image = _new(caller, wanted)
        target = Proposal(image.owner, wanted.get("visibility", "private"))
        if not self._policy.allows("add_image", caller, target):
            if image.owner != caller.project_id:
                raise Forbidden(f"You are not permitted to create images owned by '{image.owner}'")
            raise NotAuthorized("add_image")
        authorize_visibility(image.visibility, target, caller, self._policy)
        for name in wanted:
            attributes.refuse_reserved(name)
        if self.protections is not None:
            self.protections.refuse_new(caller, image.properties)
        attributes.check_tag_quota(image.tags, self._limits)
        for name in wanted:
            if name != "id":
                attributes.refuse_read_only(name)
        for name, value in wanted.items():
            attributes.refuse_out_of_range(name, value)
        attributes.check_property_quota(image.properties, self._limits)
        return image

    async def usage(self, caller: Caller) -> dict[str, tuple[int, int]]:
        """Limit and usage of the caller's project by resource (image-v2 20); empty if there are no such limits."""
        return await self._quotas.usage(caller.project_id)

    async def change(
        self,
        caller: Caller,
        image_id: str,
        mutate: rows.Change,
        rule: str = "modify_image",
        first: Check | None = None,
    ) -> Image:
        """Let `mutate` change the image in one transaction.

        In order: ImageNotFound; whatever `first` raises; NotAuthorized by `rule`; whatever `mutate` raises;
        LimitExceeded for more properties than an image may have, of those that the caller sees. What `first` and
        `mutate` are given lacks what the caller may not read; that stays as it is.
        """
        guarded = self.guarded(caller, rule, mutate, first)
        changed: Image = await self._database.write(rows.change, image_id, caller.project_id or "", guarded)
        return self.shown(caller, changed)

    def guarded(self, caller: Caller, rule: str, mutate: rows.Change, first: Check | None = None) -> rows.Change:
        """`mutate` behind the checks that every change makes.

        Whatever the operator's rules say, images are changed by their owners and by administrators alone, as in
        Glance's database layer; what adds data only is the rules' to decide.
        """

        def checked(image: Image) -> Image:
            if not self.visible(caller, image, rule):
                raise ImageNotFound(image.id)
            seen = self.shown(caller, image)
            if first is not None:
                first(seen)
            self.authorize(rule, caller, image)
            changed = mutate(seen)
            if rule not in _OF_OTHERS and not owns(caller, image):
                raise Forbidden("You do not own this image")
            if not changed.properties.keys() <= seen.properties.keys():
                attributes.check_property_quota(changed.properties, self._limits)
            return completed(image, seen, changed)

        return checked

    def with_properties(self, caller: Caller, image: Image, properties: Properties) -> Image:
        """The image, as the caller sees it, with these additional properties and no others.

        Raises Forbidden for what the caller may not change, Invalid for what the operator's schemas do not take.
        """
        before = image.properties
        changed = [name for name, value in properties.items() if name not in before or before[name] != value]
        for name in changed:
            if self._schema is not None:
                self._schema.check(name, properties[name])
            if self.protections is not None:
                self.protections.refuse_set(caller, name, name in before)
        for name in before.keys() - properties.keys():
            if self.protections is not None:
                self.protections.refuse_removal(caller, name)
        return msgspec.structs.replace(image, properties=properties, updated_at=now())

    async def delete(self, caller: Caller, image_id: str) -> None:
        """Remove the image and its data, in any status; Forbidden if it is protected."""
        guarded = self.guarded(caller, "delete_image", _refuse_protected)
        image = await self._database.write(rows.remove, image_id, caller.project_id or "", guarded)
        # The image is gone whatever the stores say; what they cannot remove now is loose, and the sweeper tries again.
        await self._intake.erase(rows.data_of(image))
        if self._cache is not None:
            await self._cache.forget(image_id)

    async def tag(self, caller: Caller, image_id: str, tag: str) -> None:
        """Add a tag; nothing changes but `updated_at` if the image has it."""

        def mutate(image: Image) -> Image:
            tags = list(dict.fromkeys([*image.tags, tag]))
            try:
                attributes.check_tag_quota(tags, self._limits)
            except LimitExceeded as error:
                raise LimitExceeded(f"Image tag limit exceeded for image {image_id}: {error.text}:") from None
            return msgspec.structs.replace(image, tags=tags, updated_at=now())

        await self.change(caller, image_id, mutate)

    async def untag(self, caller: Caller, image_id: str, tag: str) -> None:
        """Take a tag away; NotFound if the image does not have it."""

        def mutate(image: Image) -> Image:
            if tag not in image.tags:
                raise NotFound("The resource could not be found.")
            return msgspec.structs.replace(image, tags=[each for each in image.tags if each != tag], updated_at=now())

        await self.change(caller, image_id, mutate)

    async def deactivate(self, caller: Caller, image_id: str) -> None:
        """Bar the image's data to all but admins; Forbidden unless it is active or deactivated."""
        await self._switch(caller, image_id, "deactivate", "deactivated")

    async def reactivate(self, caller: Caller, image_id: str) -> None:
        """Undo deactivate."""
        await self._switch(caller, image_id, "reactivate", "active")

    async def _switch(self, caller: Caller, image_id: str, verb: str, status: str) -> None:
        def mutate(image: Image) -> Image:
            if image.status not in ("active", "deactivated"):
                raise Forbidden(f"Not allowed to {verb} image in status '{image.status}'")
            if image.status == status:
                return image
            return msgspec.structs.replace(image, status=status, updated_at=now())

        await self.change(caller, image_id, mutate, rule=verb)


def _new(caller: Caller, wanted: Mapping[str, Any]) -> Image:
    base = {name: attributes.normal(name, wanted[name]) for name in attributes.WRITABLE if name in wanted}
    moment = now()
    image = Image(
        id=wanted.get("id") or str(uuid.uuid4()),
        name=None,
        owner=caller.project_id,
        status="queued",
        visibility="shared",
        protected=False,
        os_hidden=False,
        disk_format=None,
        container_format=None,
        min_disk=0,
        min_ram=0,
        size=None,
        virtual_size=None,
        checksum=None,
        os_hash_algo=None,
        os_hash_value=None,
        created_at=moment,
        updated_at=moment,
        upload=None,
        attempts=0,
        properties={
            name: attributes.kept(name, value) for name, value in wanted.items() if name not in attributes.BASE
        },
        tags=[],
    )
    return msgspec.structs.replace(image, **base)


def _refuse_protected(image: Image) -> Image:
    if image.protected:
        raise Forbidden(f"Image {image.id} is protected and cannot be deleted.")
    return image
