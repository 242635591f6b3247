"""The verbs on the members of a shared image (spec: image-v2 16)."""

from collections.abc import Callable
from typing import Any

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.database import members as rows
from calotype.database.engine import Database
from calotype.database.statements import Work
from calotype.images.errors import Conflict, Forbidden, ImageNotFound, Invalid, LimitExceeded, NotFound
from calotype.images.library import Library
from calotype.images.model import MEMBER_STATUSES, Image, Membership, keepable, now
from calotype.settings import Image as Limits


class Sharing:
    """Shares as a caller meets them."""

    def __init__(self, database: Database, library: Library, policy: Policy, limits: Limits) -> None:
        self._database = database
        self._library = library
        self._policy = policy
        self._limits = limits

    async def members(self, caller: Caller, image_id: str) -> list[Membership]:
        """All members for the owner and admins, the caller's own entry for a member; of those, what may be shown."""
        image = await self._library.show(caller, image_id)
        if image.visibility != "shared":
            raise Forbidden(f"Not allowed to list members for image {image_id}: Only shared images have members.")
        self._library.authorize("get_members", caller, image)
        if not self._policy.allows("get_member", caller, image):
            return []
        found = [rows.membership(row) for row in await self._database.all(rows.LIST, {"image_id": image_id})]
        return [each for each in found if self._may_read(caller, image, each)]

    async def show(self, caller: Caller, image_id: str, member_id: str) -> Membership:
        """One member; every refusal is NotFound."""
        image = await self._library.show(caller, image_id)
        unknown = NotFound(f"{member_id} not found in the member list of the image {image_id}.")
        if image.visibility != "shared":
            raise NotFound("Only shared images have members.")
        if not self._policy.allows("get_member", caller, image) or not keepable(member_id):
            raise unknown
        row = await self._database.one(rows.GET, {"image_id": image_id, "member_id": member_id})
        if row is None or not self._may_read(caller, image, rows.membership(row)):
            raise unknown
        return rows.membership(row)

    async def add(self, caller: Caller, image_id: str, member_id: str) -> Membership:
        """Offer the image to a project, which may accept or reject it."""

        def check(image: Image, count: int, present: bool) -> None:
            if image.visibility != "shared":
                raise Forbidden(f"Not allowed to create members for image {image_id}.")
            self._library.authorize("add_member", caller, image)
            quota = self._limits.member_quota
            if 0 <= quota <= count:
                raise LimitExceeded(
                    f"Image member limit exceeded for image {image_id}: "
                    "The limit has been exceeded on the number of allowed image members for this image. "
                    f"Attempted: {count + 1}, Maximum: {quota}:"
                )
            if present:
                raise Conflict(f"Member {member_id} is duplicated for image {image_id}")

        moment = now()
        new = Membership(image_id, member_id, "pending", moment, moment)
        self._must_be_keepable(image_id)
        project, see = caller.project_id or "", self._seen_by(caller)
        added: Membership = await self._database.write(rows.add, new, project, see, check)
        return added

    async def decide(self, caller: Caller, image_id: str, member_id: str, status: Any) -> Membership:
        """Set the status of a share: by default the member itself and admins may. Invalid for a status that is none."""

        def mutate(image: Image, old: Membership | None) -> Membership:
            found = self._existing(caller, image, member_id, old, "update")
            self._library.authorize("modify_member", caller, image)
            if status not in MEMBER_STATUSES:
                raise Invalid('Incorrect request: Status must be "pending", "accepted" or "rejected".')
            return msgspec.structs.replace(found, status=status, updated_at=now())

        return await self._write(rows.change, caller, image_id, member_id, mutate)

    async def remove(self, caller: Caller, image_id: str, member_id: str) -> None:
        """Withdraw a share: by default the owner and admins may."""

        def check(image: Image, old: Membership | None) -> Membership:
            found = self._existing(caller, image, member_id, old, "delete")
            self._library.authorize("delete_member", caller, image)
            return found

        await self._write(rows.remove, caller, image_id, member_id, check)

    async def _write(
        self, work: Callable[..., Work], caller: Caller, image_id: str, member_id: str, mutate: rows.Mutation
    ) -> Membership:
        self._must_be_keepable(image_id)
        if not keepable(member_id):
            raise NotFound(f"{member_id!r} not found in the member list of the image {image_id}.")
        project, see = caller.project_id or "", self._seen_by(caller)
        written: Membership = await self._database.write(work, image_id, member_id, project, see, mutate)
        return written

    def _existing(
        self, caller: Caller, image: Image, member_id: str, found: Membership | None, verb: str
    ) -> Membership:
        if image.visibility != "shared":
            raise Forbidden(f"Not allowed to {verb} members for image {image.id}.")
        if found is None or not self._may_read(caller, image, found):
            raise NotFound(f"{member_id} not found in the member list of the image {image.id}.")
        self._library.authorize("get_member", caller, image)
        return found

    def _may_read(self, caller: Caller, image: Image, member: Membership) -> bool:
        return caller.is_admin or caller.project_id in (image.owner, member.member_id)

    def _seen_by(self, caller: Caller) -> rows.See:
        def see(image: Image) -> None:
            if not self._library.visible(caller, image):
                raise ImageNotFound(image.id)

        return see

    def _must_be_keepable(self, image_id: str) -> None:
        if not keepable(image_id):
            raise ImageNotFound(image_id)
