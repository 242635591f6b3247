"""Every story in this folder, request by request, against a running server on each database.

A story is a gabbi file. A first line `# configuration: NAME.toml` has it served by servers started with that file of
`configurations/`. Each story begins with an empty catalogue; the variables it may use are listed in
`Server.environment`; CALOTYPE_WEB is the URL of tests/support/source.py.
A story whose earlier requests were not selected runs them first.
"""

import re
import unittest
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from gabbi.handlers import RESPONSE_HANDLERS
from gabbi.handlers.jsonhandler import JSONHandler
from gabbi.suitemaker import test_suite_from_dict as suite_from_dict

from tests.support.handlers import HeaderLines, Text
from tests.support.servers import Servers

FOLDER = Path(__file__).parent
HANDLERS = [HeaderLines, Text, JSONHandler, *(each for each in RESPONSE_HANDLERS if each is not JSONHandler)]
LONGEST = 4000


class Step(NamedTuple):
    """One request of a story on one server."""

    database: str
    configuration: str | None
    story: Path
    number: int
    name: str

    def __str__(self) -> str:
        return f"{self.database}-{self.story.stem}-{self.number:02}-{self.name}"


def steps() -> list[Step]:
    """All requests of all stories, story by story."""
    found = []
    for database in ("sqlite", "postgresql"):
        for story in sorted(FOLDER.glob("*.yaml")):
            configuration = configuration_of(story)
            names = [str(each.get("name", "")) for each in load(story)["tests"]]
            found += [Step(database, configuration, story, number, name) for number, name in enumerate(names, 1)]
    return found


def configuration_of(story: Path) -> str | None:
    """The configuration that the first line asks for."""
    with story.open() as lines:
        match = re.fullmatch(r"# configuration: (\S+\.toml)", lines.readline().strip())
    return match[1] if match else None


def load(story: Path) -> dict[str, Any]:
    """The file as data; new each time, because gabbi puts the values of one server into what it is given."""
    found: dict[str, Any] = yaml.safe_load(story.read_text())
    return found


def test_there_are_stories() -> None:
    assert steps()


@pytest.fixture(scope="module")
def begun() -> dict[tuple[str, Path], list[Any]]:
    """The requests of the story that is being told, by database and story."""
    return {}


@pytest.mark.parametrize("step", steps(), ids=str)
def test_story(
    step: Step,
    begun: dict[tuple[str, Path], list[Any]],
    servers: Servers,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = servers.get(step.database, step.configuration)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CALOTYPE_WEB", source)
    key = step.database, step.story
    if key not in begun:
        begun.clear()  # gabbi keeps a megabyte for each request
        server.clear()
        begun[key] = requests(step.story, server.port)
    request = begun[key][step.number - 1]
    assert not request.has_run, "The request ran before its turn, where its failure would not have been seen."
    result = unittest.TestResult()
    request.run(result)
    if result.skipped:
        pytest.skip(result.skipped[0][1])
    if result.unexpectedSuccesses:
        pytest.fail(f"expected to fail, and did not\n{exchange(request)}", pytrace=False)
    for _, trace in (*result.errors, *result.failures):
        pytest.fail(f"{reason(trace)}\n{exchange(request)}", pytrace=False)


def requests(story: Path, port: int) -> list[Any]:
    """The story's requests as gabbi's test cases."""
    handlers = [handler() for handler in HANDLERS]
    suite = suite_from_dict(
        unittest.TestLoader(), story.stem, load(story), str(FOLDER), "127.0.0.1", port, None, None, handlers=handlers
    )
    return list(suite)


def reason(trace: str) -> str:
    """The error at the end of a traceback, without the frames."""
    lines = trace.rstrip().splitlines()
    last = max((number for number, line in enumerate(lines) if line.startswith('  File "')), default=-1)
    error = next((number for number in range(last + 1, len(lines)) if not lines[number].startswith(" ")), 0)
    return _cut("\n".join(lines[error:]))


def exchange(request: Any) -> str:
    """What was sent and what came back."""
    data = request.test_data
    sent = [f"> {data['method']} {getattr(request, 'url', data['url'])}"]
    sent += [f"> {name}: {value}" for name, value in data["request_headers"].items()]
    sent += [f"> {data['query_parameters']}"] if data["query_parameters"] else []
    sent += ["", _cut(data["data"])] if data["data"] != "" else []
    response = getattr(request, "response", None)
    if response is None:
        return "\n".join([*sent, "", "< no response"])
    hidden = ("status", "reason", "http_protocol_version")
    came = [f"< {response['status']} {response['reason']}"]
    came += [f"< {name}: {value}" for name, value in response.multi_items() if name not in hidden]
    return "\n".join([*sent, "", *came, "", _cut(getattr(request, "output", ""))])


def _cut(body: Any) -> str:
    text = body if isinstance(body, str) else repr(body)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … {len(text)} characters"
