"""May they: Glance's rule names and default rules (spec: image-v2 3.2), as plain functions of caller and target."""

from collections.abc import Callable

from calotype.access.caller import Caller
from calotype.images.model import Image
from calotype.metadefs.model import Namespace


def _own(caller: Caller, target: Image | None) -> bool:
    return target is not None and caller.project_id is not None and target.owner == caller.project_id


def _member_of(caller: Caller, target: Image | None) -> bool:
    shared = target is not None and target.visibility == "shared" and target.share is not None
    return shared and not _own(caller, target)


def _open(target: Image | None) -> bool:
    return target is not None and target.visibility in ("public", "community", "shared")


def _owning_member(caller: Caller, target: Image | None) -> bool:
    return "member" in caller.roles and _own(caller, target)


def _reader(caller: Caller, _: Image | None) -> bool:
    return "reader" in caller.roles


def _get_image(caller: Caller, target: Image | None) -> bool:
    return "reader" in caller.roles and (_own(caller, target) or _member_of(caller, target) or _open(target))


def _download(caller: Caller, target: Image | None) -> bool:
    return "member" in caller.roles and (_own(caller, target) or _member_of(caller, target) or _open(target))


def _get_members(caller: Caller, target: Image | None) -> bool:
    return "reader" in caller.roles and (_own(caller, target) or _member_of(caller, target))


def _modify_member(caller: Caller, target: Image | None) -> bool:
    return "member" in caller.roles and _member_of(caller, target)


def _get_locations(caller: Caller, target: Image | None) -> bool:
    return "reader" in caller.roles and _own(caller, target)


def _service(caller: Caller, _: Image | None) -> bool:
    return caller.speaks_for_a_service


def _add_location(caller: Caller, target: Image | None) -> bool:
    return caller.speaks_for_a_service or _owning_member(caller, target)


def _get_metadef(caller: Caller, target: Namespace | None) -> bool:
    own = target is None or (caller.project_id is not None and target.owner == caller.project_id)
    return "reader" in caller.roles and (own or (target is not None and target.visibility == "public"))


def _everybody(caller: Caller, target: Image | Namespace | None) -> bool:
    return True


def _nobody_else(caller: Caller, target: Image | Namespace | None) -> bool:
    return False


_WRITES = (
    "add_image",
    "modify_image",
    "delete_image",
    "upload_image",
    "deactivate",
    "reactivate",
    "communitize_image",
    "set_image_location",
    "add_member",
    "delete_member",
)
_OPEN = ("default", "metadef_default", "get_task", "get_tasks", "add_task", "modify_task")
_ADMIN_ONLY = (
    "context_is_admin",
    "manage_image_cache",
    "publicize_image",
    "delete_image_location",
    "copy_image",
    "tasks_api_access",
    "cache_image",
    "cache_list",
    "cache_delete",
    "cache_clean",
    "cache_prune",
    "list_cached_nodes",
    "metadef_admin",
    "add_metadef_namespace",
    "modify_metadef_namespace",
    "delete_metadef_namespace",
    "add_metadef_resource_type_association",
    "remove_metadef_resource_type_association",
    "add_metadef_property",
    "modify_metadef_property",
    "remove_metadef_property",
    "add_metadef_object",
    "modify_metadef_object",
    "delete_metadef_object",
    "add_metadef_tag",
    "add_metadef_tags",
    "modify_metadef_tag",
    "delete_metadef_tag",
    "delete_metadef_tags",
)
_METADEF_READS = (
    "get_metadef_namespaces",
    "get_metadef_namespace",
    "list_metadef_resource_types",
    "get_metadef_resource_type",
    "get_metadef_properties",
    "get_metadef_property",
    "get_metadef_objects",
    "get_metadef_object",
    "get_metadef_tags",
    "get_metadef_tag",
)

_RULES: dict[str, Callable[..., bool]] = {
    "get_image": _get_image,
    "get_images": _reader,
    "download_image": _download,
    "get_member": _get_members,
    "get_members": _get_members,
    "modify_member": _modify_member,
    **dict.fromkeys(_METADEF_READS, _get_metadef),
    **dict.fromkeys(_OPEN, _everybody),
    "service_api": _service,
    "download_from_store": _download,
    "get_image_location": _get_locations,
    "add_image_location": _add_location,
    "fetch_image_location": _service,
    "stores_info_detail": _service,
    **dict.fromkeys(_WRITES, _owning_member),
    **dict.fromkeys(_ADMIN_ONLY, _nobody_else),
}


_OWN_PROJECT = frozenset(("get_images", *_METADEF_READS))
"""Rules that without a target are about the caller's project."""


class Policy:
    """The rules in force."""

    def knows(self, rule: str) -> bool:
        """Whether there is such a rule."""
        return rule in _RULES

    def allows(self, rule: str, caller: Caller, target: Image | Namespace | None = None) -> bool:
        """Whether `caller` may do what `rule` guards to `target`.

        Without a target, what a rule says of the target does not hold.
        All rules are project-scoped: a token without a project is refused, unless a service speaks for the caller.
        """
        if caller.project_id is None and not caller.service:
            return False
        return caller.is_admin or _RULES[rule](caller, target)

    def holds(self, rule: str, caller: Caller) -> bool:
        """Whether the rule lets the caller when it is about nothing, so not about something of the caller's either."""
        return self.allows(rule, caller) and (caller.is_admin or rule not in _OWN_PROJECT)
