"""Run by the interpreter that has python-novaclient 6.0.2: walks through its image calls and prints what it saw."""

import json
import os
import sys
import warnings

from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from novaclient import client, exceptions

warnings.simplefilter("ignore")


def main(image_id: str) -> None:
    """List, show, change the metadata of, and delete the image."""
    auth = v3.Password(
        auth_url=os.environ["OS_AUTH_URL"],
        username=os.environ["OS_USERNAME"],
        password=os.environ["OS_PASSWORD"],
        project_name=os.environ["OS_PROJECT_NAME"],
        user_domain_name="Default",
        project_domain_name="Default",
    )
    nova = client.Client("2.1", session=Session(auth=auth), region_name="RegionOne")
    seen = {
        "detailed": [image.to_dict() for image in nova.images.list()],
        "basic": [image.id for image in nova.images.list(detailed=False)],
        "limited": [image.id for image in nova.images.list(limit=1)],
        "shown": nova.images.get(image_id).to_dict(),
        "found": nova.images.find(name="for-nova").id,
    }
    nova.images.set_meta(image_id, {"os_version": "3", "colour": "blue"})
    seen["after_set"] = nova.images.get(image_id).metadata
    nova.images.delete_meta(image_id, ["colour"])
    seen["after_delete_meta"] = nova.images.get(image_id).metadata
    nova.images.delete(image_id)
    try:
        nova.images.get(image_id)
    except exceptions.NotFound as error:
        seen["after_delete"] = [error.code, str(error)]
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
