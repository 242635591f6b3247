"""The servers of one run of the tests: one for each database and configuration, started when first wanted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.server import Server

CONFIGURATIONS = Path(__file__).parents[1] / "wire" / "configurations"


class Servers:
    """Servers that many tests share."""

    def __init__(self, new_home: Callable[[], Path], new_postgresql: Callable[[], str]) -> None:
        self._new_home = new_home
        self._new_postgresql = new_postgresql
        self._started: dict[tuple[str, str | None], Server] = {}
        self._failed: dict[tuple[str, str | None], str] = {}

    def get(self, database: str, configuration: str | None = None) -> Server:
        """The server on `sqlite` or `postgresql`, with a file of tests/wire/configurations if one is named."""
        key = (database, configuration)
        if key in self._failed:
            pytest.fail(f"The server did not start: {self._failed[key]}", pytrace=False)
        if key not in self._started:
            file = CONFIGURATIONS / configuration if configuration else None
            try:
                self._started[key] = self.unstarted(database, configuration=file).start()
            except Exception as error:
                self._failed[key] = repr(error)
                raise
        return self._started[key]

    def unstarted(self, database: str, **options: object) -> Server:
        """A server for a test that does harm; to be started and stopped by the caller. `url` names its database."""
        home = self._new_home()
        url = options.pop("url", None) or (
            self._new_postgresql() if database == "postgresql" else f"sqlite:///{home / 'data' / 'calotype.db'}"
        )
        return Server(home, url, **options)  # type: ignore[arg-type]

    def stop(self) -> None:
        """End all of them."""
        for server in self._started.values():
            server.stop()
