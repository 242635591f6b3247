"""May they: Glance's rule names and default rules (spec: image-v2 3.2), as plain functions of caller and image."""

from collections.abc import Callable

from calotype.access.caller import Caller
from calotype.images.model import Image


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


def _nobody_else(caller: Caller, target: Image | None) -> bool:
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
_ADMIN_ONLY = (
    "publicize_image",
    "delete_image_location",
    "copy_image",
    "tasks_api_access",
    "cache_image",
    "cache_list",
    "cache_delete",
    "cache_clean",
    "cache_prune",
    "metadef_admin",
)

_RULES: dict[str, Callable[..., bool]] = {
    "get_image": _get_image,
    "get_images": _reader,
    "download_image": _download,
    "get_member": _get_members,
    "get_members": _get_members,
    "modify_member": _modify_member,
    "get_metadef_namespaces": _reader,
    "get_image_location": _get_locations,
    "add_image_location": _add_location,
    "fetch_image_location": _service,
    "stores_info_detail": _service,
    **dict.fromkeys(_WRITES, _owning_member),
    **dict.fromkeys(_ADMIN_ONLY, _nobody_else),
}


class Policy:
    """The rules in force."""

    def knows(self, rule: str) -> bool:
        """Whether there is such a rule."""
        return rule in _RULES

    def allows(self, rule: str, caller: Caller, target: Image | None = None) -> bool:
        """Whether `caller` may do what `rule` guards to `target`.

        Without a target, what a rule says of the target does not hold.
        All rules are project-scoped: a token without a project is refused, unless a service speaks for the caller.
        """
        if caller.project_id is None and not caller.service:
            return False
        return caller.is_admin or _RULES[rule](caller, target)
