"""What the handlers of the Image API work with."""

from typing import Any, Protocol

from calotype.api.entrance import Entrance
from calotype.api.image.discovery import Versions
from calotype.api.image.metadefs.schemas import documents as metadef_documents
from calotype.api.image.schemas import ImageValidator, documents
from calotype.api.image.views import ImageView
from calotype.api.wire import Request, base_url, decode
from calotype.images.cached import CachedImages
from calotype.images.errors import Invalid
from calotype.images.imports import Imports
from calotype.images.library import Library
from calotype.images.locations import Locations
from calotype.images.schema_properties import SchemaProperties
from calotype.images.sharing import Sharing
from calotype.images.tasks import Tasks
from calotype.images.transfer import Transfer
from calotype.metadefs.definitions import Definitions
from calotype.settings import Settings


class Verbs(Protocol):
    """The parts of the domain that the handlers call."""

    @property
    def library(self) -> Library: ...
    @property
    def sharing(self) -> Sharing: ...
    @property
    def transfer(self) -> Transfer: ...
    @property
    def imports(self) -> Imports: ...
    @property
    def locations(self) -> Locations: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def definitions(self) -> Definitions: ...
    @property
    def schema(self) -> SchemaProperties | None: ...
    @property
    def cached(self) -> CachedImages: ...


class ImageAPI:
    """The parts that the API is given, and the questions that its handlers put to a request."""

    def __init__(self, settings: Settings, entrance: Entrance, verbs: Verbs) -> None:
        self.settings = settings
        self.entrance = entrance
        self.library = verbs.library
        self.sharing = verbs.sharing
        self.transfer = verbs.transfer
        self.imports = verbs.imports
        self.locations = verbs.locations
        self.tasks = verbs.tasks
        self.definitions = verbs.definitions
        self.cached = verbs.cached
        self.versions = Versions(bool(settings.cache.directory), bool(settings.stores))
        self.view = ImageView(settings.image, verbs.locations, verbs.schema)
        self.validator = ImageValidator(settings.image, verbs.schema)
        self.schemas = documents(settings.image, verbs.schema) | metadef_documents()

    def base(self, request: Request) -> str:
        """The URL of the service as the client sees it, without a final slash."""
        url = base_url(request, self.settings.public_endpoint, self.settings.proxy_headers)
        return url + request.prefix

    async def json(self, request: Request) -> Any:
        """The body, an object or an array; raises Invalid, BadBody, BodyTooLarge."""
        if not request.has_body:
            raise Invalid("Body expected in request.")
        body = decode(await request.content(self.settings.image.max_body))
        if not isinstance(body, (dict, list)):
            raise Invalid("Unexpected body type. Expected list/dict.")
        return body

    async def json_object(self, request: Request) -> dict[str, Any]:
        """The body, an object."""
        body = await self.json(request)
        if not isinstance(body, dict):
            raise Invalid("Unexpected body type. Expected a JSON object.")
        return body
