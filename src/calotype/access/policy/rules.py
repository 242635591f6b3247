"""The policy rules: Glance's names and default check strings (spec: image-v2 3.2), in oslo.policy's language."""

from typing import NamedTuple

_DEFAULT = "rule:default"
_ADMIN = "rule:context_is_admin"
_SERVICE = "rule:service_api"
_OWNED = "project_id:%(project_id)s"
_LENT = "project_id:%(member_id)s"
_OPEN = "'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s"
_OWNING = f"role:member and {_OWNED}"

_MEMBER = f"{_ADMIN} or ({_OWNING})"
_READER = f"{_ADMIN} or (role:reader and {_OWNED})"
_CREATE = f"{_ADMIN} or ({_OWNING} and project_id:%(owner)s)"
_SHOW = f"{_ADMIN} or (role:reader and ({_OWNED} or {_LENT} or {_OPEN}))"
_DOWNLOAD = f"{_ADMIN} or (role:member and ({_OWNED} or {_LENT} or {_OPEN}))"
_SHARES = f"{_ADMIN} or role:reader and ({_OWNED} or {_LENT})"
_SHARED = f"{_ADMIN} or (role:member and {_LENT})"
_DEFINITION = f"{_ADMIN} or (role:reader and ({_OWNED} or 'public':%(visibility)s))"
_DEFINE = "rule:metadef_admin"


class Rule(NamedTuple):
    """A rule: `check` is what it says unless the operator says otherwise, `guards` what asks it."""

    name: str
    check: str
    guards: str


RULES = (
    Rule("default", "", "what a rule that is named and not there means"),
    Rule("context_is_admin", "role:admin", "who is an administrator of the cloud"),
    Rule("service_api", "role:service or role:admin", "who is a service"),
    Rule("add_image", _CREATE, "POST /v2/images"),
    Rule("delete_image", _MEMBER, "DELETE /v2/images/{image}"),
    Rule("get_image", _SHOW, "GET /v2/images/{image}"),
    Rule("get_images", _READER, "GET /v2/images"),
    Rule("modify_image", _MEMBER, "PATCH /v2/images/{image}"),
    Rule("publicize_image", _ADMIN, "visibility: public"),
    Rule("communitize_image", _MEMBER, "visibility: community"),
    Rule("download_image", _DOWNLOAD, "GET /v2/images/{image}/file"),
    Rule("download_from_store", _DOWNLOAD, "GET /v2/images/{image}/file?prefer="),
    Rule("upload_image", _MEMBER, "PUT /v2/images/{image}/file"),
    Rule("delete_image_location", _ADMIN, "PATCH /v2/images/{image}: /locations"),
    Rule("get_image_location", _READER, "GET /v2/images/{image}: locations, direct_url"),
    Rule("set_image_location", _MEMBER, "PATCH /v2/images/{image}: /locations"),
    Rule(
        "add_image_location",
        f"{_SERVICE} or ({_OWNING} and project_id:%(owner)s)",
        "POST /v2/images/{image}/locations",
    ),
    Rule("fetch_image_location", _SERVICE, "GET /v2/images/{image}/locations"),
    Rule("add_member", _MEMBER, "POST /v2/images/{image}/members"),
    Rule("delete_member", _MEMBER, "DELETE /v2/images/{image}/members/{member}"),
    Rule("get_member", _SHARES, "GET /v2/images/{image}/members/{member}"),
    Rule("get_members", _SHARES, "GET /v2/images/{image}/members"),
    Rule("modify_member", _SHARED, "PUT /v2/images/{image}/members/{member}"),
    Rule("manage_image_cache", _ADMIN, "not asked; for rules that name it"),
    Rule("deactivate", _MEMBER, "POST /v2/images/{image}/actions/deactivate"),
    Rule("reactivate", _MEMBER, "POST /v2/images/{image}/actions/reactivate"),
    Rule("copy_image", _ADMIN, "POST /v2/images/{image}/import"),
    Rule("list_cached_nodes", _ADMIN, "GET /v2/cache/nodes/{image}"),
    Rule("get_task", _DEFAULT, "not asked"),
    Rule("get_tasks", _DEFAULT, "not asked"),
    Rule("add_task", _DEFAULT, "not asked"),
    Rule("modify_task", _DEFAULT, "not asked"),
    Rule("tasks_api_access", _ADMIN, "/v2/tasks"),
    Rule("metadef_default", "", "not asked; for rules that name it"),
    Rule("metadef_admin", _ADMIN, "what the rules that change definitions name"),
    Rule("get_metadef_namespace", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}"),
    Rule("get_metadef_namespaces", _READER, "GET /v2/metadefs/namespaces"),
    Rule("modify_metadef_namespace", _DEFINE, "PUT /v2/metadefs/namespaces/{namespace}"),
    Rule("add_metadef_namespace", _DEFINE, "POST /v2/metadefs/namespaces"),
    Rule("delete_metadef_namespace", _DEFINE, "DELETE /v2/metadefs/namespaces/{namespace}"),
    Rule("get_metadef_object", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}/objects/{object}"),
    Rule("get_metadef_objects", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}/objects"),
    Rule("modify_metadef_object", _DEFINE, "PUT /v2/metadefs/namespaces/{namespace}/objects/{object}"),
    Rule("add_metadef_object", _DEFINE, "POST /v2/metadefs/namespaces/{namespace}/objects"),
    Rule("delete_metadef_object", _DEFINE, "DELETE /v2/metadefs/namespaces/{namespace}/objects/{object}"),
    Rule("list_metadef_resource_types", _DEFINITION, "GET /v2/metadefs/resource_types"),
    Rule("get_metadef_resource_type", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}/resource_types"),
    Rule("add_metadef_resource_type_association", _DEFINE, "POST /v2/metadefs/namespaces/{namespace}/resource_types"),
    Rule(
        "remove_metadef_resource_type_association",
        _DEFINE,
        "DELETE /v2/metadefs/namespaces/{namespace}/resource_types/{name}",
    ),
    Rule("get_metadef_property", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}/properties/{property}"),
    Rule("get_metadef_properties", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}/properties"),
    Rule("modify_metadef_property", _DEFINE, "PUT /v2/metadefs/namespaces/{namespace}/properties/{property}"),
    Rule("add_metadef_property", _DEFINE, "POST /v2/metadefs/namespaces/{namespace}/properties"),
    Rule("remove_metadef_property", _DEFINE, "DELETE /v2/metadefs/namespaces/{namespace}/properties/{property}"),
    Rule("get_metadef_tag", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}/tags/{tag}"),
    Rule("get_metadef_tags", _DEFINITION, "GET /v2/metadefs/namespaces/{namespace}/tags"),
    Rule("modify_metadef_tag", _DEFINE, "PUT /v2/metadefs/namespaces/{namespace}/tags/{tag}"),
    Rule("add_metadef_tag", _DEFINE, "POST /v2/metadefs/namespaces/{namespace}/tags/{tag}"),
    Rule("add_metadef_tags", _DEFINE, "POST /v2/metadefs/namespaces/{namespace}/tags"),
    Rule("delete_metadef_tag", _DEFINE, "DELETE /v2/metadefs/namespaces/{namespace}/tags/{tag}"),
    Rule("delete_metadef_tags", _DEFINE, "DELETE /v2/metadefs/namespaces/{namespace}/tags"),
    Rule("cache_image", _ADMIN, "PUT /v2/cache/{image}"),
    Rule("cache_list", _ADMIN, "GET /v2/cache"),
    Rule("cache_delete", _ADMIN, "DELETE /v2/cache, DELETE /v2/cache/{image}"),
    Rule("cache_clean", _ADMIN, "POST /v2/cache/clean"),
    Rule("cache_prune", _ADMIN, "POST /v2/cache/prune"),
    Rule("stores_info_detail", f"{_ADMIN} or {_SERVICE}", "GET /v2/info/stores/detail"),
)
"""Every rule, in Glance's order. Rules that nothing asks are there for the files that name them."""

DEFAULTS = {rule.name: rule.check for rule in RULES}
