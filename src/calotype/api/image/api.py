"""What the handlers of the Image API work with."""

from typing import Any

from calotype.access.tokens import Tokens
from calotype.api.image.metadefs.schemas import documents as metadef_documents
from calotype.api.image.schemas import ImageValidator, documents
from calotype.api.wire import Request, base_url, decode
from calotype.images.errors import Invalid
from calotype.images.library import Library
from calotype.images.sharing import Sharing
from calotype.images.transfer import Transfer
from calotype.metadefs.definitions import Definitions
from calotype.settings import Settings


class ImageAPI:
    """The parts that the API is given, and the questions that its handlers put to a request."""

    def __init__(
        self,
        settings: Settings,
        tokens: Tokens,
        library: Library,
        sharing: Sharing,
        transfer: Transfer,
        definitions: Definitions,
    ) -> None:
        self.settings = settings
        self.tokens = tokens
        self.library = library
        self.sharing = sharing
        self.transfer = transfer
        self.definitions = definitions
        self.validator = ImageValidator(settings.image)
        self.schemas = documents(settings.image) | metadef_documents()

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
