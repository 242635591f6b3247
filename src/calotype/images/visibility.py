"""Who sees an image (spec: image-v2 8.1). Lists apply the same rules in SQL: `database.listing`."""

from calotype.access.caller import Caller
from calotype.images.model import Image


def sees(caller: Caller, image: Image) -> bool:
    """Whether `caller` may know that the image exists; `image.share` must be the caller's project's."""
    if owns(caller, image) or image.visibility in ("public", "community"):
        return True
    return image.visibility == "shared" and (image.share is not None or image.owner is None)


def owns(caller: Caller, image: Image) -> bool:
    """Whether the image is the caller's to change: its project's, or anybody's for an administrator."""
    return caller.is_admin or (image.owner is not None and image.owner == caller.project_id)
