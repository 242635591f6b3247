"""Everything that a verb on an image may refuse, defined once; each API gives it a body of its own.

The text of an error is the Image API's own sentence, because that is the vocabulary of the domain.
"""


class ImageError(Exception):
    """Base of all; `text` is safe to show to the caller."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Invalid(ImageError):
    """The request contradicts the rules of the resource."""


class NotFound(ImageError):
    """The thing is absent, or the caller may not know of it: nobody can tell which."""


class ImageNotFound(NotFound):
    """The image itself is absent or invisible; each call words that differently."""

    def __init__(self, image_id: str) -> None:
        super().__init__(f"No image found with ID {image_id}")
        self.image_id = image_id


class Forbidden(ImageError):
    """The caller may know of the thing but not do this to it."""


class NotAuthorized(Forbidden):
    """A policy rule said no."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"You are not authorized to complete {rule} action.")


class Conflict(ImageError):
    """The state of the thing does not allow this now."""


class Gone(ImageError):
    """The image was deleted while its data arrived, or its store takes no data."""


class LimitExceeded(ImageError):
    """A quota or a size limit."""


class ContentRefused(ImageError):
    """The data is not what it was declared to be, or is unsafe."""


class StorageFull(ImageError):
    """The medium has no room left."""


class StorageUnavailable(ImageError):
    """The store or the database cannot be reached or used at the moment."""
