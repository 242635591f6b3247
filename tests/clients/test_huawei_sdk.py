"""Huawei Cloud's SDK for Python, unmodified: the native image calls of its IMS client, and what it asks of IAM."""

from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.http.http_handler import HttpHandler
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.signer.algorithm import SigningAlgorithm
from huaweicloudsdkiam.v3 import IamClient, KeystoneListAuthDomainsRequest, KeystoneListProjectsRequest
from huaweicloudsdkims.v2 import (
    GlanceAddImageMemberRequest,
    GlanceAddImageMemberRequestBody,
    GlanceCreateImageMetadataRequest,
    GlanceCreateImageMetadataRequestBody,
    GlanceCreateTagRequest,
    GlanceDeleteImageMemberRequest,
    GlanceDeleteImageRequest,
    GlanceDeleteTagRequest,
    GlanceListImageMemberSchemasRequest,
    GlanceListImageMembersRequest,
    GlanceListImageSchemasRequest,
    GlanceListImagesRequest,
    GlanceShowImageMemberRequest,
    GlanceShowImageMemberSchemasRequest,
    GlanceShowImageRequest,
    GlanceShowImageSchemasRequest,
    GlanceUpdateImageMemberRequest,
    GlanceUpdateImageMemberRequestBody,
    GlanceUpdateImageRequest,
    GlanceUpdateImageRequestBody,
    ImsClient,
)

from tests.support.access_key import Pair
from tests.support.server import Server

# The SDK calls the native image calls deprecated in favour of Huawei's own.
pytestmark = pytest.mark.filterwarnings("ignore:Method 'glance_.*:DeprecationWarning")
REGION = "RegionOne"


@pytest.fixture(scope="module")
def pairs(servers: Any) -> dict[str, Pair]:
    """An access key of each of two users."""
    server = servers.get("sqlite")
    return {name: server.access_key(name) for name in ("demo", "alt")}


def with_token(token: str) -> HttpHandler:
    """The SDK's own hook: takes the signature off and puts a token on."""

    def exchange(**given: Any) -> None:
        headers = given["request"].header_params
        headers.pop("Authorization", None)
        headers["X-Auth-Token"] = token

    return HttpHandler().add_request_handler(exchange)


class Cloud:
    """Both ways to be somebody."""

    def __init__(self, server: Server, pairs: dict[str, Pair], how: str) -> None:
        self.server = server
        self._pairs = pairs
        self._how = how

    def ims(self, who: str = "demo", pair: Pair | None = None) -> ImsClient:
        """An IMS client of a user."""
        access, secret = pair or self._pairs[who]
        builder = ImsClient.new_builder().with_endpoint(self.server.base)
        builder.with_credentials(BasicCredentials(access, secret, self.server.personas[who].project_id))
        if self._how == "token":
            builder.with_http_handler(with_token(self.server.personas[who].token))
        return builder.build()


@pytest.fixture(params=["access key", "token"])
def cloud(request: pytest.FixtureRequest, sqlite_server: Server, pairs: dict[str, Pair]) -> Cloud:
    return Cloud(sqlite_server, pairs, request.param)


def create(client: ImsClient, name: str, **more: Any) -> str:
    """The id of a new image."""
    body = GlanceCreateImageMetadataRequestBody(name=name, disk_format="raw", container_format="bare", **more)
    found: str = client.glance_create_image_metadata(GlanceCreateImageMetadataRequest(body=body)).id
    return found


def listed(client: ImsClient, **filters: Any) -> list[str]:
    """The names of the images that a list answers."""
    return [each.name for each in client.glance_list_images(GlanceListImagesRequest(**filters)).images]


def test_the_life_of_an_image(cloud: Cloud) -> None:
    client = cloud.ims()
    image = create(client, "名字 with blanks & =", min_ram=16, tags=["a", "b"], os_version="CentOS 7.3 64bit")
    create(client, "another")
    shown = client.glance_show_image(GlanceShowImageRequest(image_id=image))
    assert (shown.name, shown.min_ram, sorted(shown.tags)) == ("名字 with blanks & =", 16, ["a", "b"])
    assert (shown.status, shown.owner, shown.os_version) == (
        "queued",
        cloud.server.personas["demo"].project_id,
        "CentOS 7.3 64bit",
    )
    assert set(listed(client)) == {"名字 with blanks & =", "another"}
    assert listed(client, name="名字 with blanks & =", limit=5) == ["名字 with blanks & ="]
    assert listed(client, tag="b") == ["名字 with blanks & ="]

    rename = [GlanceUpdateImageRequestBody(op="replace", path="/name", value="new name")]
    changed = client.glance_update_image(GlanceUpdateImageRequest(image_id=image, body=rename))
    assert changed.name == "new name"

    client.glance_create_tag(GlanceCreateTagRequest(image_id=image, tag="c d"))
    client.glance_delete_tag(GlanceDeleteTagRequest(image_id=image, tag="a"))
    assert sorted(client.glance_show_image(GlanceShowImageRequest(image_id=image)).tags) == ["b", "c d"]

    client.glance_delete_image(GlanceDeleteImageRequest(image_id=image))
    with pytest.raises(ClientRequestException) as gone:
        client.glance_show_image(GlanceShowImageRequest(image_id=image))
    assert gone.value.status_code == 404
    assert listed(client) == ["another"]


def test_patches_in_quick_succession(cloud: Cloud) -> None:
    """The SDK signs them alike: neither the patch nor a fraction of the second is in the signature."""
    client = cloud.ims()
    image = create(client, "name")
    for name in ("one", "two", "three", "four"):
        rename = [GlanceUpdateImageRequestBody(op="replace", path="/name", value=name)]
        changed = client.glance_update_image(GlanceUpdateImageRequest(image_id=image, body=rename))
        assert changed.name == name
    client.glance_delete_image(GlanceDeleteImageRequest(image_id=image))


def test_members(cloud: Cloud) -> None:
    owner, other = cloud.ims(), cloud.ims("alt")
    project = cloud.server.personas["alt"].project_id
    image = create(owner, "shared", visibility="shared")
    body = GlanceAddImageMemberRequestBody(member=project)
    added = owner.glance_add_image_member(GlanceAddImageMemberRequest(image_id=image, body=body))
    assert (added.member_id, added.status) == (project, "pending")
    accept = GlanceUpdateImageMemberRequestBody(status="accepted")
    accepted = other.glance_update_image_member(
        GlanceUpdateImageMemberRequest(image_id=image, member_id=project, body=accept)
    )
    assert accepted.status == "accepted"
    assert listed(other) == ["shared"]
    one = owner.glance_show_image_member(GlanceShowImageMemberRequest(image_id=image, member_id=project))
    every = owner.glance_list_image_members(GlanceListImageMembersRequest(image_id=image)).members
    assert [one.member_id] == [each.member_id for each in every] == [project]
    owner.glance_delete_image_member(GlanceDeleteImageMemberRequest(image_id=image, member_id=project))
    assert listed(other) == []


def test_schemas(cloud: Cloud) -> None:
    client = cloud.ims()
    assert client.glance_show_image_schemas(GlanceShowImageSchemasRequest()).name == "image"
    assert client.glance_list_image_schemas(GlanceListImageSchemasRequest()).name == "images"
    assert client.glance_show_image_member_schemas(GlanceShowImageMemberSchemasRequest()).name == "member"
    assert client.glance_list_image_member_schemas(GlanceListImageMemberSchemasRequest()).name == "members"


def test_what_is_refused_is_an_error_of_the_client(sqlite_server: Server, pairs: dict[str, Pair]) -> None:
    cloud = Cloud(sqlite_server, pairs, "access key")
    with pytest.raises(ClientRequestException) as wrong:
        listed(cloud.ims(pair=Pair(pairs["demo"].access, "x" * 40)))
    assert wrong.value.status_code == 401
    access, secret = pairs["demo"]
    credentials = BasicCredentials(access, secret, sqlite_server.personas["alt"].project_id)
    client = ImsClient.new_builder().with_endpoint(sqlite_server.base).with_credentials(credentials).build()
    with pytest.raises(ClientRequestException) as foreign:
        listed(client)
    assert foreign.value.status_code == 401


def test_another_algorithm(sqlite_server: Server, pairs: dict[str, Pair]) -> None:
    config = HttpConfig(signing_algorithm=SigningAlgorithm.HMAC_SM3)
    access, secret = pairs["demo"]
    builder = ImsClient.new_builder().with_endpoint(sqlite_server.base).with_http_config(config)
    client = builder.with_credentials(BasicCredentials(access, secret, "p")).build()
    with pytest.raises(ClientRequestException) as refused:
        listed(client)
    assert refused.value.status_code == 401


def test_the_project_is_found_by_the_name_of_the_region(start_server: Any) -> None:
    """Without a project id the SDK asks IAM for the project that is named like the region."""
    server = start_server()
    access, secret = server.access_key()
    region = server.operator("project", "create", REGION)["id"]
    server.operator("role", "grant", "--user", "demo", "--project", REGION, "member")
    credentials = BasicCredentials(access, secret).with_iam_endpoint(server.base)
    builder = ImsClient.new_builder().with_credentials(credentials).with_region(Region(REGION, server.base))
    client = builder.build()
    image = create(client, "in the region")
    assert client.glance_show_image(GlanceShowImageRequest(image_id=image)).owner == region


def test_iam(sqlite_server: Server, pairs: dict[str, Pair]) -> None:
    access, secret = pairs["demo"]
    credentials = GlobalCredentials(access, secret, "default")
    client = IamClient.new_builder().with_endpoint(sqlite_server.base).with_credentials(credentials).build()
    found = client.keystone_list_projects(KeystoneListProjectsRequest(name="demo")).projects
    assert [each.id for each in found] == [sqlite_server.personas["demo"].project_id]
    assert client.keystone_list_auth_domains(KeystoneListAuthDomainsRequest()).domains == []
