"""The configured stores, by name.

Data that was stored before any store was named is in the store `local`, DIR/images, and stays readable: that store is
on the shelf whether it is named or not, and hidden when it is not.
"""

from collections.abc import Iterable, Iterator

from calotype.images.errors import NotFound, StorageUnavailable
from calotype.images.model import Location
from calotype.settings import Settings
from calotype.settings import Store as Configured
from calotype.stores.base import Store
from calotype.stores.fetch import Fetcher
from calotype.stores.local import LocalStore
from calotype.stores.web import WebStore

LOCAL = "local"


class Shelf:
    """All stores of this service. `named` tells whether the operator has named any; `default` is a name."""

    def __init__(self, settings: Settings, fetcher: Fetcher) -> None:
        self._configured = settings.stores
        self._stores: dict[str, Store] = {LOCAL: LocalStore(settings.images)}
        for name, each in settings.stores.items():
            self._stores[name] = _made(name, each, settings, fetcher)
        self.named = bool(settings.stores)
        self.default = settings.image.default_store or next(iter(self.writable()), LOCAL)

    def __getitem__(self, name: str) -> Store:
        """The store; StorageUnavailable if data is said to be in one that is no longer configured."""
        try:
            return self._stores[name]
        except KeyError:
            raise StorageUnavailable(f"The store {name} is not configured.") from None

    def __contains__(self, name: str) -> bool:
        """Whether clients may name the store."""
        return name in self._configured

    def items(self) -> Iterator[tuple[str, Configured, Store]]:
        """The named stores in the order of the configuration."""
        return ((name, each, self._stores[name]) for name, each in self._configured.items())

    def all(self) -> Iterable[tuple[str, Store]]:
        """Every store, the hidden one included."""
        return self._stores.items()

    def writable(self) -> list[str]:
        """The names of the stores that data can be put into."""
        if not self._configured:
            return [LOCAL]
        return [name for name in self._configured if not self._stores[name].read_only]

    def web(self) -> str | None:
        """The name of the store for the URLs of clients."""
        return next((name for name, each in self._configured.items() if each.type == "http"), None)

    def find(self, name: str) -> str:
        """`name` if clients may name it; NotFound in Glance's words."""
        if name not in self:
            raise NotFound(f"Store for identifier {name} not found")
        return name

    def ordered(self, locations: list[Location]) -> list[Location]:
        """The locations by the weights of their stores, highest first; equal weights stay as they are."""
        if len(locations) < 2:
            return locations
        return sorted(locations, key=lambda each: -self._weight(each.store))

    def _weight(self, name: str) -> int:
        return self._configured[name].weight if name in self._configured else 0

    async def open(self) -> None:
        """Open every store; raises StorageUnavailable."""
        for store in self._stores.values():
            await store.open()

    async def close(self) -> None:
        """Close every store."""
        for store in self._stores.values():
            await store.close()


def _made(name: str, configured: Configured, settings: Settings, fetcher: Fetcher) -> Store:
    if configured.type == "http":
        return WebStore(fetcher)
    return LocalStore(settings.store_directory(name))
