"""What stories may assert besides gabbi's own: repeated headers and whole bodies."""

from typing import Any, ClassVar

from gabbi.handlers.base import ResponseHandler


class HeaderLines(ResponseHandler):  # type: ignore[misc]
    """`response_header_lines: {Vary: [a, b]}`: exactly these header lines, in this order; `[]` is none."""

    test_key_suffix = "header_lines"
    test_key_value: ClassVar[dict[str, list[str]]] = {}

    def action(self, test: Any, item: str, value: Any = None) -> None:
        """Compare one header."""
        expected = [str(test.replace_template(str(line))) for line in value]
        found = test.response.get_list(item)
        assert expected == found, f"header {item}: expected {expected}, got {found}"


class Text(ResponseHandler):  # type: ignore[misc]
    """`response_text: [a]`: the body is exactly this text."""

    test_key_suffix = "text"
    test_key_value: ClassVar[list[str]] = []

    def action(self, test: Any, item: str, value: Any = None) -> None:
        """Compare the body."""
        body = test.output.decode() if isinstance(test.output, bytes) else test.output
        expected = str(test.replace_template(item))
        assert expected == body, f"body: expected {expected!r}, got {body!r}"
