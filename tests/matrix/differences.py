"""Where Calotype answers otherwise than the originals, on purpose. `line` begins a line of docs/compatibility.md."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.matrix.calls import ALL

UNSEEN = "an image that may not be seen, any call"
"""The line of the largest difference, which no row below repeats: whatever is asked about such an image, the answer is
that for an image that does not exist."""


class Difference(NamedTuple):
    """Whatever fits `calls`, `theirs`, `kinds` and `personas` is `ours`.

    These are shell patterns, several of them divided by `|`; `theirs` and `ours` are outcomes.
    """

    line: str
    calls: str
    theirs: str
    ours: str
    kinds: str = "*"
    personas: str = "*"

    def fits(self, call: str, kind: str, persona: str, outcome: str) -> bool:
        """Whether the difference is about this outcome of the originals."""
        pairs = ((self.calls, call), (self.theirs, outcome), (self.kinds, kind), (self.personas, persona))
        return all(any(fnmatchcase(name, each) for each in pattern.split("|")) for pattern, name in pairs)


_OWNER = "403 Owner can't be updated by non admin."
_MODIFY = "403 You are not authorized to complete modify_image action."
_ASKED_LATER = (
    ("owner to *", _OWNER),
    ("public", _MODIFY.replace("modify", "publicize")),
    ("community", _MODIFY.replace("modify", "communitize")),
    ("location|patch: locations", _MODIFY.replace("modify_image", "set_image_location")),
    ("location away", _MODIFY.replace("modify_image", "delete_image_location")),
)
_OF_OTHERS = "foreign *|nobody's *"
_NO_CACHE = "404 Caching via API is not supported at this site."
_LISTS = "403 HTTP 403 Forbidden: You are not authorized to complete get_images action."
_ASKED_OF_GLANCE = "|".join(call.name for call in ALL if call.api == "image" and call.name != "GET /versions")

DIFFERENCES = (
    Difference(
        "`X-Service-Token` that is not valid or not a service's, Image API",
        _ASKED_OF_GLANCE,
        "*",
        "401",
        personas="* + stranger|* + bad",
    ),
    Difference(
        "GET members of a shared image without owner",
        "members",
        "200",
        "403 You are not authorized to complete get_members action.",
        kinds="nobody's shared",
    ),
    Difference("PATCH `add /owner` by a member", "patch: owner added", "200", _OWNER, personas="member*"),
    Difference(
        "PATCH `add /owner` by a member",
        "patch: owner added",
        "403 Forbidding request, image <image> not visible",
        _OWNER,
        personas="member*",
    ),
    *(
        Difference("PATCH of owner, visibility or locations by", f"patch: {change}", theirs, _MODIFY, kinds, personas)
        for change, theirs in _ASKED_LATER
        for kinds, personas in (("*", "reader*|stranger*|pending|accepted|rejected"), (_OF_OTHERS, "member*"))
    ),
    Difference("import by a token for the system", "import: *", "500 *", "202", personas="system + service"),
    Difference("`DELETE /v2/cache/{id}`", "cache: remove", "500 *", "404 Image <image> not found."),
    Difference("unscoped tokens", "compute: *list*", "500 *", _LISTS, personas="unscoped*"),
    Difference("unscoped tokens", "compute: *", "500 *", "404 Image not found.", personas="unscoped*"),
)
"""The first that fits is meant."""


def expected(call: str, kind: str, persona: str, theirs: str) -> tuple[str, Difference | None]:
    """What Calotype has to say where the originals say `theirs`; and the difference, if there is one."""
    for each in DIFFERENCES:
        if each.fits(call, kind, persona, theirs):
            return each.ours, each
    return theirs, None
