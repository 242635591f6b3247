"""The file of property protections: what it may hold, what it means, and that it holds (image-v2 6)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calotype.access import protections
from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.access.protections import RIGHTS, Protections, completed
from calotype.settings import Image, SettingsError
from tests.support.attacked import PATCH
from tests.support.catalogue import Run, an_image
from tests.support.compute import CALLERS, DEMO
from tests.support.image import image_service

ALL = "create = {0}\nread = {0}\nupdate = {0}\ndelete = {0}\n"
Read = Callable[..., Protections]


def load(settings: Image) -> Protections | None:
    """The protections of the file that the settings name, under Glance's rules."""
    return protections.load(settings, Policy(), protections.read(settings))


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a file with the given text."""

    def of(text: str | bytes, rule_format: Any = "roles") -> Protections:
        path = tmp_path / "protections.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        found = load(Image(property_protection_file=str(path), property_protection_rule_format=rule_format))
        assert found is not None
        return found

    return of


def caller(*roles: str, service: tuple[str, ...] = ()) -> Caller:
    return Caller(user_id="u", project_id="p", roles=frozenset(roles), service_roles=frozenset(service))


@pytest.mark.parametrize(
    ("text", "rule_format", "message"),
    [
        (b"\xff", "roles", "not UTF-8"),
        ("create = admin\n", "roles", "line 1: a section [EXPRESSION] comes first"),
        ("[a]\nnonsense\n", "roles", "line 2: neither a section [EXPRESSION] nor RIGHT = WHO"),
        (f"[a]\n{ALL.format('@')}[a]\n", "roles", "line 6: section [a] is there twice"),
        ("[a]\nread = @\nread = !\n", "roles", "line 3: section [a]: read is there twice"),
        ("[a]\n", "roles", "section [a]: create is missing; each section has create, read, update, delete"),
        ("[a]\ncreate = @\nread = @\nupdate = @\n", "roles", "section [a]: delete is missing; each section has"),
        (f"[(]\n{ALL.format('@')}", "roles", "section [(]: not a regular expression: missing ), unterminated"),
        (f"[a{{99999999999}}]\n{ALL.format('@')}", "roles", "section [a{99999999999}]: not a regular"),
        (
            f"[a]\n{ALL.format('admin, @, !')}",
            "roles",
            "section [a]: create: '@' (everybody) and '!' (nobody) exclude each other",
        ),
        (f"[a]\n{ALL.format('unheard_of')}", "policies", "section [a]: create: 'unheard_of' is no policy rule"),
        (
            f"[a]\n{ALL.format('get_images, add_image')}",
            "policies",
            "section [a]: create: 'get_images, add_im",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_told(
    tmp_path: Path, read: Read, text: str, rule_format: str, message: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        read(text, rule_format)
    assert f"image.property_protection_file: {tmp_path}/protections.conf: {message}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "absent", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(SettingsError, match=reason):
            load(Image(property_protection_file=str(path)))


def test_no_file_is_no_protection() -> None:
    assert load(Image()) is None


@pytest.mark.parametrize(
    ("who", "roles", "allowed"),
    [
        ("admin", ("admin",), True),
        ("admin", ("member",), False),
        (" Admin ,MEMBER", ("member",), True),
        ("@", (), True),
        ("member, @", ("reader",), True),
        ("!", ("admin",), False),
        ("admin, !", ("admin",), False),
        ("", ("admin",), False),
        (",", ("",), False),
        ("admin,\n  member", ("member",), True),
        ("50%%(of)s", ("50%%(of)s",), True),
    ],
)
def test_who_has_a_right(read: Read, who: str, roles: tuple[str, ...], allowed: bool) -> None:
    assert read(f"[a]\n{ALL.format(who)}").allows(caller(*roles), "update", "a") is allowed


def test_each_right_stands_for_itself(read: Read) -> None:
    found = read("[a]\ncreate = c\nread = r\nupdate = u\ndelete = d\n")
    for right in RIGHTS:
        assert [each for each in RIGHTS if found.allows(caller(right[0]), each, "a")] == [right]


def test_the_roles_of_a_service_count(read: Read) -> None:
    found = read(f"[a]\n{ALL.format('nova')}")
    assert found.allows(caller("member", service=("nova",)), "read", "a")
    assert not found.allows(caller("member", service=("cinder",)), "read", "a")


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("x_a", "one"), ("my_x_a", "two"), ("x", "two"), ("y", "three"), ("Y", None), ("", None), ("z]", "four"),
        ("x" * 256, None), ("os_glance_x", "*"), ("os_glance", "*"), ("my_os_glance", None),
    ],
)  # fmt: skip
def test_the_first_section_that_is_found_decides(read: Read, name: str, first: str | None) -> None:
    found = read(
        f"[^x_]\n{ALL.format('one')}[x]\n{ALL.format('two')}[y$]\n{ALL.format('three')}"
        f"[[z]\\]]\n{ALL.format('four')}[os_glance_x]\nnothing that is read\n"
        .replace("nothing that is read", "read = !")
    )  # fmt: skip
    roles = ("one", "two", "three", "four")
    assert [role for role in roles if found.allows(caller(role), "read", name)] == (
        [*roles] if first == "*" else [first] if first else []
    )


def test_policy_rules(read: Read) -> None:
    found = read("[a]\ncreate = publicize_image\nread = default\nupdate = @\ndelete =\n", "policies")
    for who, expected in (
        (CALLERS["admin"], [True, True, True, False]),
        (CALLERS["reader"], [False, True, True, False]),
        (CALLERS["roleless"], [False, True, True, False]),
        (CALLERS["unscoped"], [False, False, True, False]),
    ):
        assert [found.allows(who, right, "a") for right in RIGHTS] == expected


def test_a_policy_rule_is_asked_about_no_image(read: Read) -> None:
    """Otherwise a filter would have to know the images before it finds them."""
    found = read(f"[a]\n{ALL.format('modify_image')}", "policies")
    assert not found.allows(CALLERS["demo"], "update", "a")
    assert found.allows(CALLERS["admin"], "update", "a")


def test_every_policy_rule_can_be_named(read: Read) -> None:
    """What a rule says of an image or of the caller's own project holds of nothing; live Glance answered the same."""
    rules = ("get_image", "modify_image", "get_members", "modify_member", "download_image", "add_image", "get_images")
    for rule in (*rules, "get_metadef_namespaces", "context_is_admin", "manage_image_cache", "download_from_store"):
        found = read(f"[a]\n{ALL.format(rule)}", "policies")
        assert not found.allows(CALLERS["demo"], "read", "a")
        assert found.allows(CALLERS["admin"], "read", "a")
    for rule in ("default", "metadef_default", "get_task"):
        assert read(f"[a]\n{ALL.format(rule)}", "policies").allows(CALLERS["demo"], "read", "a")


def test_the_roles_of_a_service_count_for_policy_rules(read: Read) -> None:
    found = read(
        "[a]\ncreate = context_is_admin\nread = service_api\nupdate = publicize_image\ndelete = !\n", "policies"
    )
    for service, expected in (
        (("service",), [False, True, False, False]),
        (("admin", "service"), [True, True, True, False]),
        (("cinder",), [False, False, False, False]),
    ):
        assert [found.allows(caller("member", service=service), right, "a") for right in RIGHTS] == expected


def test_what_is_hidden_is_not_lost() -> None:
    whole = an_image(properties={"a": "1", "b": "2"})
    seen = msgspec.structs.replace(whole, properties={"a": "1"})
    renamed = msgspec.structs.replace(seen, name="other")
    assert completed(whole, seen, renamed) == msgspec.structs.replace(whole, name="other")
    emptied = msgspec.structs.replace(seen, properties={})
    assert completed(whole, seen, emptied).properties == {"b": "2"}


def test_the_quota_counts_what_the_caller_sees(tmp_path: Path, run: Run) -> None:
    """Otherwise its refusals would tell how many properties there are that the caller does not see."""
    (tmp_path / "p.conf").write_text(f"[hidden]\n{ALL.format('admin')}[.*]\n{ALL.format('@')}")
    limits = Image(property_protection_file=str(tmp_path / "p.conf"), property_quota=2)
    with image_service(tmp_path, run, image=limits) as service:
        wanted = {"hidden": "1", "owner": DEMO}
        made = service("POST", "/v2/images", "admin", json=wanted).json()["id"]
        for who, name, told in (
            ("demo", "a", ""),
            ("admin", "b", "Attempted: 3"),
            ("demo", "b", ""),
            ("demo", "c", "Attempted: 3"),
        ):
            change = [{"op": "add", "path": f"/{name}", "value": "1"}]
            answer = service("PATCH", f"/v2/images/{made}", who, json=change, headers=PATCH)
            assert (answer.status_code, told in answer.text) == (413 if told else 200, True), answer.text
