"""The verbs on metadata definitions (spec: image-v2 3.2, 25). What cannot be seen does not exist."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.facts import OWN, Own
from calotype.access.policy.pages import filled
from calotype.access.policy.policy import Policy
from calotype.database import metadef_listing as lists
from calotype.database import metadefs as rows
from calotype.database.engine import Database
from calotype.database.statements import Work
from calotype.images.errors import Forbidden, NotAuthorized, NotFound
from calotype.images.model import keepable, now
from calotype.metadefs.model import (
    ABSENT,
    NOT_THERE,
    OBJECT,
    PROPERTY,
    RESOURCE_TYPE,
    TAG,
    Draft,
    Kind,
    Listing,
    Namespace,
    Part,
)
from calotype.metadefs.model import ResourceType as Type


class Whole(NamedTuple):
    """A namespace and parts of it, oldest first."""

    namespace: Namespace
    parts: list[Part]


class Page(NamedTuple):
    """A page of a list of namespaces with their associations; `following` is the marker of the next page, if full."""

    namespaces: list[Whole]
    following: str | None


class Definitions:
    """The definitions as a caller meets them."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    async def resource_types(self, caller: Caller) -> list[Type]:
        """Everything that properties can be set on. One statement."""
        self._authorize("list_metadef_resource_types", caller)
        return [rows.resource_type(row) for row in await self._database.all(rows.TYPES, {})]

    async def find(self, caller: Caller, listing: Listing, marker: str | None = None) -> Page:
        """The namespaces of a list, after the one named `marker`. At most three statements by Glance's own rules.

        `listing.admin` and `listing.project` are filled in here. Raises NotAuthorized, NotFound for a bad marker.
        """
        self._authorize("get_metadef_namespaces", caller)
        self._authorize("list_metadef_resource_types", caller)
        listing.admin, listing.project = caller.is_admin, caller.project_id
        if marker:
            listing.marker = await self._seen(caller, marker, ABSENT)
        if listing.limit == 0:
            return Page([], None)
        found = await self._narrowed(caller, listing)
        following = found[-1].namespace.name if found and len(found) == listing.limit else None
        return Page(found, following)

    async def _narrowed(self, caller: Caller, listing: Listing) -> list[Whole]:
        """A page of what the rule lets the caller see."""
        associations: dict[str, list[Part]] = {}

        async def read(marker: Namespace | None, limit: int | None) -> list[Namespace]:
            wanted = msgspec.structs.replace(listing, marker=marker, limit=limit)
            found, of_found = await page(self._database, wanted)
            associations.update(of_found)
            return found

        def allowed(each: Namespace) -> bool:
            return self._policy.allows("get_metadef_namespace", caller, each)

        found = await filled(read, allowed, listing.marker, listing.limit)
        return [Whole(each, associations.get(each.id, [])) for each in found]

    async def show(self, caller: Caller, name: str) -> Whole:
        """The namespace with everything in it. Two statements."""
        found = await self._seen(caller, name, ABSENT)
        for kind in (RESOURCE_TYPE, OBJECT, PROPERTY, TAG):
            self._authorize(kind.index, caller, found)
        inside = await self._database.all(rows.PARTS, {"namespace_id": found.id})
        return Whole(found, [rows.part(row) for row in inside])

    async def create(self, caller: Caller, draft: Draft, parts: Sequence[Part]) -> Whole:
        """A new namespace with everything in it; Conflict if its name is in use or two parts of a kind have one."""
        new, inside = made(draft, parts, caller.project_id or "")
        self._authorize("add_metadef_namespace", caller)
        for kind in (RESOURCE_TYPE, OBJECT, PROPERTY, TAG):
            if any(each.kind is kind for each in inside):
                self._authorize(kind.add, caller)
        await self._database.write(rows.create, new, inside)
        return Whole(new, inside)

    async def replace(self, caller: Caller, name: str, draft: Draft) -> Namespace:
        """Give the namespace all attributes of the draft, its name included; what is in it stays."""

        def mutate(old: Namespace) -> Namespace:
            self._must(caller, old, "modify_metadef_namespace")
            wished = msgspec.structs.asdict(draft) | {"owner": draft.owner or caller.project_id or old.owner}
            return msgspec.structs.replace(old, **wished, updated_at=now())

        changed: Namespace = await self._write(rows.change, name, mutate)
        return changed

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove the namespace and everything in it; Forbidden if it is protected."""

        def check(old: Namespace) -> None:
            self._must(caller, old, "delete_metadef_namespace")
            _refuse_protected(old, _PROTECTED.format(namespace=name))

        await self._write(rows.remove, name, check)

    async def parts(self, caller: Caller, name: str, kind: Kind) -> list[Part]:
        """All parts of a kind, oldest first. Two statements."""
        found = await self._seen(caller, name, kind.nowhere, kind.index)
        self._authorize(kind.index, caller, found)
        inside = await self._database.all(rows.PARTS_OF_KIND, {"namespace_id": found.id, "kind": kind.id})
        return [rows.part(row) for row in inside]

    async def part(self, caller: Caller, name: str, kind: Kind, part_name: str, resource_type: str = "") -> Part:
        """One part. With a resource type its name is given with the prefix that properties have on that type."""
        found = await self._seen(caller, name, kind.nowhere, kind.show)
        self._authorize(kind.show, caller, found)
        if resource_type:
            self._authorize(RESOURCE_TYPE.show, caller, found)
            part_name = await self._without_prefix(found, resource_type, part_name)
        return await self._one(found, kind, part_name, kind.absent.format(name=part_name, namespace=name))

    async def add(
        self,
        caller: Caller,
        name: str,
        kind: Kind,
        new: Sequence[Part],
        replace: bool = False,
        rule: str | None = None,
    ) -> list[Part]:
        """Put parts into the namespace, all or none, instead of all others of the kind if `replace` is set."""
        stamped = _stamped(new)

        def check(found: Namespace) -> None:
            self._must(caller, found, rule or kind.add, kind.nowhere)

        await self._write(rows.add_parts, name, kind, stamped, check, replace, absent=kind.nowhere)
        return stamped

    async def change(self, caller: Caller, name: str, part_name: str, new: Part) -> Part:
        """Give the part of that name the name and the document of `new`."""

        def decide(found: Namespace, old: Part | None) -> Part:
            self._must(caller, found, new.kind.change, new.kind.nowhere)
            if old is None:
                raise NotFound(new.kind.absent.format(name=part_name, namespace=name))
            return msgspec.structs.replace(old, name=new.name, body=new.body, updated_at=now())

        changed: Part = await self._write_part(name, new.kind, part_name, decide)
        return changed

    async def remove(self, caller: Caller, name: str, kind: Kind, part_name: str) -> None:
        """Take a part out; Forbidden if the namespace is protected."""

        def decide(found: Namespace, old: Part | None) -> None:
            self._must(caller, found, kind.remove, kind.nowhere)
            if old is None:
                raise NotFound(kind.absent.format(name=part_name, namespace=name))
            _refuse_protected(found, kind.protected.format(name=old.name))

        await self._write_part(name, kind, part_name, decide)

    async def clear(self, caller: Caller, name: str, kind: Kind) -> None:
        """Take all parts of a kind out; Forbidden if the namespace is protected."""

        def check(found: Namespace) -> None:
            for rule in kind.clear:
                self._must(caller, found, rule)
            _refuse_protected(found, _PROTECTED.format(namespace=name))

        await self._write(rows.remove_parts, name, kind, check)

    async def _without_prefix(self, found: Namespace, resource_type: str, part_name: str) -> str:
        absent = (
            f"The metadata definition resource-type association of resource-type={resource_type} to "
            f"namespace={found.name}, was not found."
        )
        try:
            association = await self._one(found, RESOURCE_TYPE, resource_type, absent)
        except NotFound:
            if any(row[0] == resource_type for row in await self._database.all(rows.TYPES, {})):
                raise
            unknown = f"The metadata definition resource-type with name={resource_type}, was not found."
            raise NotFound(unknown) from None
        prefix = association.body.get("prefix") or ""
        if not part_name.startswith(prefix):
            raise NotFound(
                f"Property {part_name} does not start with the expected resource type association prefix of '{prefix}'."
            )
        return part_name.removeprefix(prefix)

    async def _one(self, found: Namespace, kind: Kind, part_name: str, absent: str) -> Part:
        if keepable(part_name):
            at = {"namespace_id": found.id, "kind": kind.id, "key": kind.key(part_name)}
            row = await self._database.one(rows.PART, at)
            if row is not None:
                return rows.part(row)
        raise NotFound(absent)

    async def _seen(self, caller: Caller, name: str, absent: str, rule: str = "get_metadef_namespace") -> Namespace:
        if keepable(name):
            row = await self._database.one(rows.GET, {"name": name})
            if row is not None:
                found = rows.namespace(row)
                if self._visible(caller, found, rule):
                    return found
        raise NotFound(absent.format(namespace=name))

    async def _write(self, work: Callable[..., Work], name: str, *more: Any, absent: str = NOT_THERE) -> Any:
        if not keepable(name):
            raise NotFound(absent.format(namespace=name))
        return await self._database.write(work, name, *more)

    async def _write_part(self, name: str, kind: Kind, part_name: str, decide: rows.Decision) -> Any:
        if not keepable(part_name):
            raise NotFound(kind.absent.format(name=part_name, namespace=name))
        return await self._write(rows.change_part, name, kind, part_name, decide, absent=kind.nowhere)

    def _must(self, caller: Caller, found: Namespace, rule: str, absent: str = NOT_THERE) -> None:
        """NotFound for what the caller may not see, NotAuthorized if the rule says no."""
        if not self._visible(caller, found, rule):
            raise NotFound(absent.format(namespace=found.name))
        self._authorize(rule, caller, found)

    def _visible(self, caller: Caller, found: Namespace, rule: str) -> bool:
        """Whether it exists as far as the caller can tell: who may do what `rule` guards may know of it.

        Private ones are their owners' and administrators', whatever the rules say, as in Glance's database layer.
        """
        allows = self._policy.allows
        open_to = caller.is_admin or found.visibility == "public" or found.owner == caller.project_id
        return open_to and (allows("get_metadef_namespace", caller, found) or allows(rule, caller, found))

    def _authorize(self, rule: str, caller: Caller, found: Namespace | Own = OWN) -> None:
        """NotAuthorized if the rule says no; NotFound for who could not see a namespace of their own project either."""
        if self._policy.allows(rule, caller, found):
            return
        if found is OWN and not self._policy.allows("get_metadef_namespace", caller, OWN):
            raise NotFound("The resource could not be found.")
        raise NotAuthorized(rule)


_PROTECTED = "Metadata definition namespace {namespace} is protected and cannot be deleted."


async def page(database: Database, listing: Listing) -> tuple[list[Namespace], dict[str, list[Part]]]:
    """The namespaces of a list, and by their ids the resource types that they are associated with. Two statements."""
    listed, associated, params = lists.statements(listing)
    found = [rows.namespace(row) for row in await database.all(listed, params)]
    associations: dict[str, list[Part]] = {}
    for row in await database.all(associated, params) if found else ():
        associations.setdefault(row[0], []).append(rows.part(row))
    return found, associations


def made(draft: Draft, parts: Sequence[Part], owner: str) -> tuple[Namespace, list[Part]]:
    """A namespace out of a draft, and the parts in it as they are kept; `owner` has it if the draft names nobody."""
    moment = now()
    wished = msgspec.structs.asdict(draft) | {"owner": draft.owner or owner}
    return Namespace(id=uuid.uuid4().hex, created_at=moment, updated_at=moment, **wished), _stamped(parts)


def _stamped(parts: Sequence[Part]) -> list[Part]:
    """The parts with their time: each a microsecond later than the one before, so that they keep their order."""
    moment = now()
    return [
        msgspec.structs.replace(each, created_at=moment + number, updated_at=moment + number)
        for number, each in enumerate(parts)
    ]


def _refuse_protected(found: Namespace, text: str) -> None:
    if found.protected:
        raise Forbidden(text)
