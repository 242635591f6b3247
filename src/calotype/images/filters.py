"""The small language of list filters: `in:` lists with quotes, comparison operators, times (spec: image-v2 9.3)."""

from datetime import UTC

import iso8601

from calotype.images.errors import Invalid
from calotype.images.model import VISIBILITIES, Filter, Kind, MemberStatus, nothing

LARGEST = 2**63 - 1
COMPARISONS: dict[str, Kind] = {"eq": "eq", "neq": "neq", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}
"""What may stand before the colon of a time, and the condition that it makes."""
SECOND = 1_000_000
_MEMBER_STATUSES: dict[str, MemberStatus | None] = {
    "pending": "pending",
    "accepted": "accepted",
    "rejected": "rejected",
    "all": None,
}
MAX_CHOICES = 1000
"""Items of an `in:` list: each is a parameter of the statement, and databases take no number of them."""


def text_filter(name: str, text: str) -> Filter:
    """`value`, `eq:value` or `in:a,"b,c"` on a text column; Invalid for another operator or bad quotes."""
    operator, colon, rest = text.partition(":")
    if not colon:
        return Filter("eq", name, (text,))
    if operator == "eq":
        return Filter("eq", name, (rest,))
    if operator == "in":
        choices = tuple(dict.fromkeys(split_list(rest)))
        if len(choices) > MAX_CHOICES:
            raise Invalid(f"A list of values takes {MAX_CHOICES} at the most, that of '{name}' has {len(choices)}.")
        return Filter("in", name, choices)
    raise Invalid(f"Unable to filter by unknown operator '{operator}'.")


def time_filter(name: str, text: str) -> list[Filter]:
    """`[operator:]time` on a time column. Times show whole seconds, so equality means the same second."""
    operator, colon, rest = text.partition(":")
    if not colon or operator[:1].isdigit():
        operator, rest = "eq", text
    if operator not in COMPARISONS:
        raise Invalid("Unable to filter on a unknown operator.")
    moment = microseconds(name, rest)
    if operator == "eq":
        return [Filter("gte", name, (moment,)), Filter("lt", name, (moment + SECOND,))]
    return [Filter(COMPARISONS[operator], name, (moment,))]


def number_filter(operator: Kind, name: str, number: int) -> Filter:
    """A comparison with a whole number of any size."""
    if abs(number) > LARGEST:
        beyond = (number > 0) == (operator == "lte")
        return Filter("gte", name, (-LARGEST,)) if beyond and operator != "eq" else nothing()
    return Filter(operator, name, (number,))


def visibility(text: str) -> str:
    """A visibility, or "all"; Invalid."""
    if text not in (*VISIBILITIES, "all"):
        raise Invalid(f"Invalid visibility value: {text}")
    return text


def member_status(text: str) -> MemberStatus | None:
    """The status of a share, None for "all"; Invalid."""
    if text not in _MEMBER_STATUSES:
        raise Invalid(f"Invalid status: {text}")
    return _MEMBER_STATUSES[text]


def microseconds(name: str, text: str) -> int:
    """An ISO 8601 time, UTC if it names no zone, as microseconds since 1970; Invalid."""
    try:
        moment = iso8601.parse_date(text, default_timezone=UTC)
        seconds = int(moment.replace(microsecond=0).timestamp())
    except (iso8601.ParseError, OverflowError, ValueError):
        raise Invalid(f'Bad "{name}" query filter format. Use ISO 8601 DateTime notation.') from None
    return seconds * SECOND + moment.microsecond


def split_list(text: str) -> list[str]:
    """The items of a comma-separated list in which double quotes protect commas; Invalid for misplaced quotes.

    Inside quotes a backslash keeps the next character from ending the item, and stays in the item.
    """
    if not text:
        return []
    items: list[str] = []
    rest: str | None = text
    while rest is not None:
        item, rest = _quoted(rest, text) if rest.startswith('"') else _plain(rest, text)
        items.append(item)
    return items


def _plain(rest: str, text: str) -> tuple[str, str | None]:
    item, comma, after = rest.partition(",")
    if '"' in item:
        raise Invalid(f"Invalid filter value {text}. There is no comma before opening quotation mark.")
    return item, after if comma else None


def _quoted(rest: str, text: str) -> tuple[str, str | None]:
    end = 1
    while end < len(rest) and rest[end] != '"':
        end += 2 if rest[end] == "\\" else 1
    if end >= len(rest):
        raise Invalid(f"Invalid filter value {text}. The quote is not closed.")
    after = rest[end + 1 :]
    if after and not after.startswith(","):
        raise Invalid(f"Invalid filter value {text}. There is no comma after closing quotation mark.")
    return rest[1:end], after[1:] if after else None
