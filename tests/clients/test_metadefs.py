"""Metadata definitions through python-glanceclient and the `openstack` command, unmodified."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from openstack.connection import Connection

from calotype.metadefs.loading import STANDARD
from tests.support.commands import Command, os_variables
from tests.support.server import Server

Connect = Callable[[Server, str], Connection]


@pytest.fixture
def glance(sqlite_server: Server, home: Path) -> Command:
    """The `glance` command as the administrator."""
    return Command("glance", os_variables(sqlite_server, sqlite_server.personas["admin"]), home)


@pytest.fixture
def openstack(sqlite_server: Server, home: Path) -> Command:
    """The `openstack` command as the administrator."""
    return Command("openstack", os_variables(sqlite_server, sqlite_server.personas["admin"]), home)


def cells(table: str) -> list[list[str]]:
    """The rows of a table, without its head."""
    found = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines() if "|" in line
    ]
    return found[1:]


def rows(table: str) -> dict[str, str]:
    """A table of names and values."""
    return {row[0]: row[1] for row in cells(table) if len(row) == 2}


def first(table: str) -> list[str]:
    """The first column of a table."""
    return [row[0] for row in cells(table)]


def test_glance_imports_every_standard_namespace(glance: Command) -> None:
    names = []
    for file in sorted(STANDARD.glob("*.json")):
        shown = rows(glance.text("md-namespace-import", "--file", str(file)))
        names.append(shown["namespace"])
        assert (shown["visibility"], shown["protected"]) == ("public", "True")
    assert sorted(first(glance.text("md-namespace-list", "--page-size", "4"))) == sorted(names)
    some = first(glance.text("md-namespace-list", "--resource-types", "OS::Nova::Aggregate"))
    assert some == ["OS::Compute::AggregateNumInstancesFilter"]
    topology = glance.text("md-namespace-show", "OS::Compute::VirtCPUTopology", "--resource-type", "OS::Nova::Flavor")
    assert "hw:cpu_sockets" in topology


def test_glance_on_every_noun(glance: Command) -> None:
    made = rows(glance.text("md-namespace-create", "CALO::Glance", "--display-name", "G", "--visibility", "public"))
    assert (made["display_name"], made["visibility"], made["protected"]) == ("G", "public", "False")
    schema = json.dumps({"description": "how many", "minimum": 1})
    glance.text(
        "md-property-create", "CALO::Glance", "--name", "count", "--title", "Count", "--type", "integer",
        "--schema", schema,
    )  # fmt: skip
    assert rows(glance.text("md-property-show", "CALO::Glance", "count"))["minimum"] == "1"
    glance.text("md-property-update", "CALO::Glance", "count", "--name", "number")
    assert cells(glance.text("md-property-list", "CALO::Glance")) == [["number", "Count", "integer"]]
    schema = json.dumps({"properties": {"p": {"title": "P", "type": "string"}}})
    glance.text("md-object-create", "CALO::Glance", "--name", "thing", "--schema", schema)
    glance.text("md-object-update", "CALO::Glance", "thing", "--name", "other")
    assert first(glance.text("md-object-list", "CALO::Glance")) == ["other"]
    assert rows(glance.text("md-object-property-show", "CALO::Glance", "other", "p"))["title"] == "P"
    glance.text("md-tag-create", "CALO::Glance", "--name", "one")
    # It replaces the first; --append fails inside the client, which sends a header that is no text.
    glance.text("md-tag-create-multiple", "CALO::Glance", "--names", "two:three", "--delim", ":")
    glance.text("md-tag-update", "CALO::Glance", "two", "--name", "2")
    assert sorted(first(glance.text("md-tag-list", "CALO::Glance"))) == ["2", "three"]
    glance.text("md-resource-type-associate", "CALO::Glance", "--name", "OS::Glance::Image", "--prefix", "hw_")
    assert cells(glance.text("md-namespace-resource-type-list", "CALO::Glance")) == [["OS::Glance::Image", "hw_", ""]]
    assert "OS::Trove::Instance" in first(glance.text("md-resource-type-list"))
    glance.text("md-resource-type-deassociate", "CALO::Glance", "OS::Glance::Image")
    updated = rows(glance.text("md-namespace-update", "CALO::Glance", "--description", "changed"))
    assert updated["description"] == "changed"
    glance.text("md-tag-delete", "CALO::Glance", "three")
    glance.text("md-object-delete", "CALO::Glance", "other")
    glance.text("md-property-delete", "CALO::Glance", "number")
    for each in ("tags", "objects", "properties"):
        glance.text(f"md-namespace-{each}-delete", "CALO::Glance")
    glance.text("md-namespace-delete", "CALO::Glance")
    code, _, error = glance.try_("md-namespace-show", "CALO::Glance")
    assert (code, "Metadata definition namespace=CALO::Glance was not found." in error) == (1, True)


def test_the_openstack_command_on_every_noun(openstack: Command) -> None:
    metadef = ("image", "metadef")
    namespace, property_, object_ = ((*metadef, noun) for noun in ("namespace", "property", "object"))
    association = (*metadef, "resource", "type", "association")
    made = openstack.json(*namespace, "create", "CALO::OSC", "--public", "--display-name", "O")
    assert (made["namespace"], made["visibility"]) == ("CALO::OSC", "public")
    openstack.text(*namespace, "set", "CALO::OSC", "--public", "--description", "set", "--tag", "t")
    shown = openstack.json(*namespace, "show", "CALO::OSC")
    assert (shown["description"], shown["tags"]) == ("set", [{"name": "t"}])
    assert openstack.json(*namespace, "list") == [{"namespace": "CALO::OSC"}]
    schema = json.dumps({"enum": ["a", "b"]})
    openstack.text(
        *property_, "create", "--name", "p", "--title", "P", "--type", "string", "--schema", schema, "CALO::OSC"
    )
    assert openstack.json(*property_, "show", "CALO::OSC", "p")["enum"] == ["a", "b"]
    openstack.text(*property_, "set", "CALO::OSC", "p", "--name", "q", "--title", "Q")
    assert openstack.json(*property_, "list", "CALO::OSC") == [{"name": "q", "title": "Q", "type": "string"}]
    assert openstack.json(*object_, "create", "--namespace", "CALO::OSC", "o")["name"] == "o"
    openstack.text(*object_, "update", "CALO::OSC", "o", "--name", "u")
    assert openstack.json(*object_, "show", "CALO::OSC", "u")["name"] == "u"
    assert [each["name"] for each in openstack.json(*object_, "list", "CALO::OSC")] == ["u"]
    assert openstack.json(*association, "create", "CALO::OSC", "OS::Nova::Flavor")["name"] == "OS::Nova::Flavor"
    assert openstack.json(*association, "list", "CALO::OSC") == [{"Name": "OS::Nova::Flavor"}]
    types = openstack.json(*metadef, "resource", "type", "list")
    assert {"Name": "OS::Glance::Image"} in types
    openstack.text(*association, "delete", "CALO::OSC", "OS::Nova::Flavor")
    openstack.text(*object_, "delete", "CALO::OSC", "u")
    openstack.text(*property_, "delete", "CALO::OSC", "q")
    openstack.text(*namespace, "unset", "CALO::OSC", "--tag", "t")
    openstack.text(*namespace, "delete", "CALO::OSC")
    assert openstack.json(*namespace, "list") == []


def test_the_sdk_pages_through_what_a_member_sees(sqlite_server: Server, connect: Connect) -> None:
    admin, demo = connect(sqlite_server, "admin").image, connect(sqlite_server, "demo").image
    for number in range(5):
        admin.create_metadef_namespace(namespace=f"n{number}", visibility="private" if number == 2 else "public")
    found = [each.namespace for each in demo.metadef_namespaces(limit=2, sort_key="namespace", sort_dir="asc")]
    assert found == ["n0", "n1", "n3", "n4"]
    assert demo.get_metadef_namespace_schema().name == "namespace"
