"""Everything that identity may refuse, defined once; the text is Keystone's own sentence and safe to show."""


class AccessError(Exception):
    """Base of all."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Unauthorized(AccessError):
    """It is not proven who asks, or the one who asks has nothing there. The text never says which.

    `reason` and `user_id`, the user whom somebody claims to be, are for the log and never for an answer.
    """

    def __init__(
        self,
        text: str = "The request you have made requires authentication.",
        *,
        reason: str = "",
        user_id: str | None = None,
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.user_id = user_id


class TooManyRequests(AccessError):
    """More often than the operator lets one ask; after `seconds`, a whole number, it works again."""

    def __init__(self, seconds: int) -> None:
        super().__init__("This request was rate-limited.")
        self.seconds = seconds


class UnsupportedMethod(Unauthorized):
    """None of the known ways to prove who one is."""

    def __init__(self, supported: tuple[str, ...]) -> None:
        super().__init__("Attempted to authenticate with an unsupported method.", reason="unsupported method")
        self.supported = supported


class Forbidden(AccessError):
    """Known, but not allowed; `action` is the name of the rule or a sentence."""

    def __init__(self, action: str = "") -> None:
        super().__init__("You are not authorized to perform the requested action" + (f": {action}." if action else "."))


class Refused(AccessError):
    """Allowed to the one who asks, but not in the state in which the thing is, or not at all."""


class NotFound(AccessError):
    """There is no such thing."""


class Conflict(AccessError):
    """The name is taken."""


class Invalid(AccessError):
    """The request cannot be understood."""


def missing(kind: str, name: str) -> NotFound:
    """Keystone's sentence for a thing that is not there."""
    return NotFound(f"Could not find {kind}: {name}.")
