"""Plays the matrix on a cloud: every call by every persona about every kind of image."""

import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from tests.matrix.calls import LISTS, OF_AN_IMAGE, OF_NONE, Call
from tests.matrix.cloud import Answer, Cloud
from tests.matrix.kinds import ABSENT, KINDS, MADE, Workshop
from tests.matrix.people import PERSONAS, People
from tests.matrix.recorded import Outcomes

NONE = "-"
"""The kind of calls that are about no image."""


_FIXED = r"^(Access was denied to this resource|There was a conflict when trying to complete your request)\. "
"""What Glance puts before some texts; one layout for all is as good (spec: image-v2 1.5)."""


class Told(NamedTuple):
    """What an answer told: `outcome` in short; `whole` all of it but what differs between any two answers."""

    outcome: str
    whole: str
    request_id: str


Row = dict[str, Told]
"""By persona."""
Table = dict[str, dict[str, Row]]
"""By call and kind of image."""


def play(
    cloud: Cloud,
    people: People,
    threads: int,
    wanted: Callable[[Call], bool] = lambda _: True,
    personas: Sequence[str] = PERSONAS,
) -> Table:
    """The answers that the personas get to all calls that are wanted, in the order of their tables."""
    workshop = Workshop(cloud, people)
    asked = Questions(cloud, people, workshop, personas)
    of_an_image, lists, of_none = ([each for each in calls if wanted(each)] for calls in (OF_AN_IMAGE, LISTS, OF_NONE))
    with ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(_of_kind, asked, workshop, kind, of_an_image) for kind in KINDS]
        found = [part.result() for part in parts]
        workshop.clear()
        images = dict(zip(MADE, pool.map(workshop.make, MADE), strict=True))
        listed = list(pool.map(lambda call: asked.list(call, images), lists))
    table: Table = {}
    for call in of_an_image:
        table[call.name] = {kind: rows[call.name] for kind, rows in zip(KINDS, found, strict=True)}
    table |= {call.name: rows for call, rows in zip(lists, listed, strict=True)}
    table |= {call.name: {NONE: {each: asked.tell(call, each, ABSENT) for each in personas}} for call in of_none}
    workshop.clear()
    return table


def _of_kind(asked: "Questions", workshop: Workshop, kind: str, calls: Iterable[Call]) -> dict[str, Row]:
    """All calls about one kind; what one of them did to an image, the next does not meet."""
    rows: dict[str, Row] = {}
    image: str | None = None
    for call in calls:
        rows[call.name] = {}
        for persona in asked.personas:
            image = image or workshop.make(kind)
            told = asked.tell(call, persona, image)
            rows[call.name][persona] = told
            if kind in MADE and _changes(call, int(told.outcome[:3])):
                workshop.remove(image)
                image = None
    return rows


def _changes(call: Call, status: int) -> bool:
    """Whether the image may be another one now."""
    if call.method == "GET" or status == 401:
        return False
    return call.harms or status < 300 or status >= 500


def outcomes(table: Table) -> Outcomes:
    """The outcomes alone, as they are recorded."""
    return {
        call: {kind: {persona: told.outcome for persona, told in row.items()} for kind, row in rows.items()}
        for call, rows in table.items()
    }


class Questions:
    """Asks, and tells the answer without the ids of this cloud."""

    def __init__(self, cloud: Cloud, people: People, workshop: Workshop, personas: Sequence[str] = PERSONAS) -> None:
        self.personas = personas
        self._cloud = cloud
        self._people = people
        self._workshop = workshop

    def tell(self, call: Call, persona: str, image: str) -> Told:
        """The answer to one question."""
        return self._told(call, persona, image, self._ask(call, persona, image))

    def list(self, call: Call, images: dict[str, str]) -> dict[str, Row]:
        """What a list tells of each kind of image."""
        rows: dict[str, Row] = {kind: {} for kind in images}
        for persona in self.personas:
            answer = self._ask(call, persona, "")
            for kind, image in images.items():
                rows[kind][persona] = self._told(call, persona, image, answer)
        return rows

    def _ask(self, call: Call, persona: str, image: str) -> Answer:
        who, projects = self._people.person[persona], self._people.projects
        ids = {**projects, "image": image, "absent": ABSENT, "mine": who.project or projects["newcomer"]}

        def filled(text: str) -> str:
            return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], text)

        body = None if call.json_body is None else json.loads(filled(json.dumps(call.json_body)))
        headers = {**call.headers, **who.headers}
        return self._cloud(
            call.api, call.method, filled(call.path), json_body=body, content=call.content, headers=headers
        )

    def _told(self, call: Call, persona: str, image: str, answer: Answer) -> Told:
        outcome = f"{answer.status} {self._short(call, persona, image, answer)}".strip()
        return Told(outcome, whole(answer, image), answer.headers.get("x-openstack-request-id", ""))

    def _short(self, call: Call, persona: str, image: str, answer: Answer) -> str:
        mine = self._people.person[persona].project or "nobody's"
        if answer.status >= 300:
            return self._people.plain(_text(answer).replace(image, "<image>").replace(mine, "<mine>"))
        match call.told:
            case "listed":
                return "shown" if image in [each["id"] for each in answer.body["images"]] else "not shown"
            case "members":
                return " ".join(sorted(self._people.plain(each["member_id"]) for each in answer.body["members"]))
            case "tasks":
                return str(len(answer.body["tasks"]))
            case "made":
                self._workshop.remove(answer.body["id"])
                owner = str(answer.body["owner"]).replace(mine, "<mine>")
                return self._people.plain(f"{answer.body['visibility']} of {owner}")
        return ""


def whole(answer: Answer, name: str) -> str:
    """The answer without its date, its request ids, and `name`."""
    # Whether the connection is kept depends on whether a body that was not read had arrived by then.
    headers = [(key, value) for key, value in answer.headers.items() if key.lower() not in ("date", "connection")]
    ids = {value for key, value in headers if "request-id" in key.lower()}
    text = f"{answer.status}\n{headers}\n{answer.content!r}"
    for each in (name, *ids):
        text = text.replace(each, "…") if each else text
    return text


def _text(answer: Answer) -> str:
    """The words of a fault, without what surrounds them in every fault. A 401 says the same to everybody."""
    body: Any = answer.body
    if answer.status == 401 or not answer.content:
        return ""
    if not isinstance(body, dict):
        return answer.content.decode(errors="replace")
    if "message" not in body:
        body = next(iter(body.values()))
    if not isinstance(body, dict) or "message" not in body:
        return ""  # the versions, which are no fault
    text = re.sub(r"\s+", " ", html.unescape(str(body["message"]).replace("<br />", " "))).strip()
    return re.sub(_FIXED, "", text)
