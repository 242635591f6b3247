"""What a sweep removes, and what it never touches."""

from collections.abc import Callable

from tests.support.server import Server


def test_unfinished_data_without_a_row_goes_and_foreign_files_stay(start_server: Callable[..., Server]) -> None:
    server = start_server("sqlite")
    server.stop()
    images = server.data / "images"
    stray, foreign = images / ".partial" / "5f0d3c52", images / "an-image-of-glance"
    for path in (stray, foreign):
        path.write_bytes(b"bytes")
    server.start()
    assert not stray.exists()
    assert foreign.read_bytes() == b"bytes"
