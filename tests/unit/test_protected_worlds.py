"""Whatever a caller tries, nothing is learnt or changed without the right to it (image-v2 6).

The same requests go to two services whose images differ in what the caller may not read: the answers must be the same.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calotype.access.protections import RIGHTS
from calotype.api.compute.routes import ComputeAPI
from calotype.database import images as rows
from calotype.settings import Image
from calotype.telemetry.callers import DeprecatedCalls
from tests.support.attacked import PATCH
from tests.support.catalogue import Run, an_image
from tests.support.compute import CALLERS, DEMO, door
from tests.support.image import ImageService, image_service

NAMES = "ab"
VALUES = ("1", "2")
Rules = dict[str, dict[str, bool]]

rules = st.fixed_dictionaries({name: st.fixed_dictionaries(dict.fromkeys(RIGHTS, st.booleans())) for name in NAMES})
properties = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES))
operations = st.one_of(
    st.fixed_dictionaries({
        "op": st.sampled_from(("add", "replace")), "path": st.sampled_from(["/" + name for name in NAMES]),
        "value": st.sampled_from((*VALUES, "3")),
    }),
    st.fixed_dictionaries({"op": st.just("remove"), "path": st.sampled_from(["/" + name for name in NAMES])}),
)  # fmt: skip
old_form = operations.map(
    lambda each: {each["op"]: each["path"], **({"value": each["value"]} if "value" in each else {})}
)
V20 = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
names = st.sampled_from(NAMES)
values = st.sampled_from((*VALUES, "3"))
items = st.dictionaries(names, values)
Step = tuple[str, str, str, dict[str, Any]]
steps: st.SearchStrategy[Step] = st.one_of(
    st.just(("image", "GET", "/v2/images/{id}", {})),
    st.just(("compute", "GET", "/v2.1/images/{id}", {})),
    st.builds(lambda n, v: ("image", "GET", f"/v2/images?{n}={v}", {}), names, values),
    st.builds(lambda n, v: ("compute", "GET", f"/v2.1/images/detail?property-{n}={v}", {}), names, values),
    st.builds(lambda n: ("compute", "GET", f"/v2.1/images/{{id}}/metadata/{n}", {}), names),
    st.builds(
        lambda body: ("image", "PATCH", "/v2/images/{id}", {"json": body, "headers": PATCH}),
        st.lists(operations, max_size=3),
    ),
    st.builds(
        lambda body: ("image", "PATCH", "/v2/images/{id}", {"json": body, "headers": V20}),
        st.lists(old_form, max_size=3),
    ),
    st.just(("image", "PUT", "/v2/images/{id}/tags/t", {})),
    st.builds(
        lambda method, body: ("compute", method, "/v2.1/images/{id}/metadata", {"json": {"metadata": body}}),
        st.sampled_from(("POST", "PUT")),
        items,
    ),
    st.builds(
        lambda n, v: ("compute", "PUT", f"/v2.1/images/{{id}}/metadata/{n}", {"json": {"meta": {n: v}}}), names, values
    ),
    st.builds(lambda n: ("compute", "DELETE", f"/v2.1/images/{{id}}/metadata/{n}", {}), names),
)


class World:
    """Both APIs over one image whose hidden properties are this world's own."""

    def __init__(self, service: ImageService, run: Run, whole: Mapping[str, str]) -> None:
        app: Any = ComputeAPI(service.settings, door(service.settings), service.parts.library, DeprecatedCalls())
        self._compute = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://calotype.example:8776")
        self._image = service
        self._run = run
        self.id = str(uuid.uuid4())
        image = an_image(id=self.id, owner=DEMO, visibility="private", properties=dict(whole), created_at=0)
        run(service.parts.database.write(rows.create, image))

    def ask(self, step: Step) -> tuple[int, str]:
        """Status and body of demo's request, without what differs between any two worlds."""
        api, method, path, options = step
        path = path.format(id=self.id)
        if api == "image":
            answer = self._image(method, path, **options)
        else:
            headers = {"X-Auth-Token": "demo"}
            answer = self._run(self._compute.request(method, path, headers=headers, **options))
        body = answer.json() if answer.content and answer.headers["content-type"] == "application/json" else {}
        return answer.status_code, str(_timeless(body)).replace(self.id, "ID") or answer.text

    def end(self) -> dict[str, str | None]:
        """The properties that are there now; the image goes."""
        parts = self._image.parts
        row = self._run(parts.database.one(rows.GET, {"id": self.id, "project": ""}))
        self._run(parts.library.delete(CALLERS["admin"], self.id))
        self._run(self._compute.aclose())
        return rows.image(row).properties


def _timeless(document: Any) -> Any:
    if isinstance(document, list):
        return [_timeless(each) for each in document]
    if isinstance(document, dict):
        return {name: _timeless(each) for name, each in sorted(document.items()) if name[:7] not in ("updated",)}
    return document


@pytest.fixture
def services(tmp_path: Path, run: Run) -> Iterator[Callable[[Rules], list[ImageService]]]:
    """Two services, each over its own catalogue, with the rules of an example."""
    with ExitStack() as opened:

        def under(example: Rules) -> list[ImageService]:
            opened.close()
            text = "".join(
                f"[^{name}$]\n" + "".join(f"{right} = {'@' if allowed else '!'}\n" for right, allowed in rights.items())
                for name, rights in example.items()
            )
            (tmp_path / "p.conf").write_text(text)
            limits = Image(property_protection_file=str(tmp_path / "p.conf"))
            found = []
            for number in "12":
                (tmp_path / number).mkdir(exist_ok=True)
                found.append(opened.enter_context(image_service(tmp_path / number, run, image=limits)))
            return found

        yield under


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rules, properties, st.tuples(properties, properties), st.lists(steps, min_size=1, max_size=8))
def test_nothing_is_learnt_or_changed_without_the_right(
    services: Callable[[Rules], list[ImageService]],
    run: Run,
    rights: Rules,
    shared: dict[str, str],
    own: tuple[dict[str, str], dict[str, str]],
    asked: list[Step],
) -> None:
    readable = {name: value for name, value in shared.items() if rights[name]["read"]}
    befores = [readable | {name: value for name, value in hidden.items() if not rights[name]["read"]} for hidden in own]
    worlds = [World(service, run, before) for service, before in zip(services(rights), befores, strict=True)]
    for step in asked:
        one, other = (world.ask(step) for world in worlds)
        assert one == other, step
        assert one[0] < 500, step
    for before, world in zip(befores, worlds, strict=True):
        after = world.end()
        for name in NAMES:
            _check_change(rights[name], before.get(name), after.get(name))


def _check_change(right: dict[str, bool], before: str | None, after: str | None) -> None:
    """That the change of one property needed no right that the caller lacks."""
    if before == after:
        return
    if not right["read"]:
        assert after is not None
        assert right["create"]
        assert right["update"]
    elif before is None:
        assert right["create"]
    elif after is None:
        assert right["delete"]
    else:
        assert right["update"] or (right["delete"] and right["create"])
