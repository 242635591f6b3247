"""The outcomes of a matrix as a file that people can review: equal rows together, personas by outcome."""

import json
from pathlib import Path

FILE = Path(__file__).parent / "recorded.json"

Outcomes = dict[str, dict[str, dict[str, str]]]
"""By call, kind of image, persona."""
Folded = dict[str, list[dict[str, str]]]
"""By call: rows of `kinds`, and by outcome who of the personas has it there. Commas separate names."""


def folded(outcomes: Outcomes) -> Folded:
    """Kinds about which everybody gets the same outcome share a row."""
    found: Folded = {}
    for call, kinds in outcomes.items():
        together: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for kind, row in kinds.items():
            who: dict[str, list[str]] = {}
            for persona, outcome in row.items():
                who.setdefault(outcome, []).append(persona)
            key = tuple((outcome, ", ".join(personas)) for outcome, personas in who.items())
            together.setdefault(key, []).append(kind)
        found[call] = [{"kinds": ", ".join(kinds), **dict(key)} for key, kinds in together.items()]
    return found


def unfolded(rows: Folded) -> Outcomes:
    """The outcomes that were folded."""
    found: Outcomes = {}
    for call, each in rows.items():
        found[call] = {}
        for row in each:
            who = {p: outcome for outcome, personas in row.items() if outcome != "kinds" for p in personas.split(", ")}
            found[call] |= dict.fromkeys(row["kinds"].split(", "), who)
    return found


def read() -> Outcomes:
    """What the originals answered."""
    return unfolded(json.loads(FILE.read_text()))


def write(outcomes: Outcomes) -> None:
    """Keep what the originals answered."""
    FILE.write_text(json.dumps(folded(outcomes), indent=1, ensure_ascii=False) + "\n")


def unseen(outcomes: Outcomes, call: str, kind: str, persona: str) -> bool:
    """Whether the image is not there as far as the persona may know.

    A service, which may not look at images, may ask for the locations of those that all projects see.
    """
    if "absent" not in outcomes[call]:
        return False
    show = "compute: show" if call.startswith("compute: ") else "show"
    if call in ("locations", "location: add") and persona == "service":
        persona = "stranger"
    return outcomes[show][kind][persona].startswith(("404", "500"))
