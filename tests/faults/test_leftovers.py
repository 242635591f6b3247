"""What a sweep removes, and what it never touches."""

from collections.abc import Callable
from pathlib import Path

from tests.support.attacked import Site
from tests.support.raw import Raw
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


def test_data_in_a_store_that_is_not_configured_keeps_no_dead_worker(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    file = tmp_path / "calotype.toml"
    file.write_text("[stores.one]\n[stores.two]\n")
    site = Site(start_server("sqlite", configuration=file))
    image = site.image()
    with Raw(site.port) as client:
        client.request(*site.upload_head(image, Content_Length="1000", X_Image_Meta_Store="two"), b"bytes")
        assert site.status(image, "saving") == "saving"
        site.server.kill()
    file.write_text("[stores.one]\n")
    for _ in range(2):
        site.server.start()
        assert site.show(image)["status"] == "queued"
        site.server.kill()
    site.server.start()
    assert len(list((site.server.data / "run").iterdir())) == 1
    unfinished = site.server.data / "two" / ".partial" / image
    assert unfinished.exists()
    site.server.kill()
    file.write_text("[stores.one]\n[stores.two]\n")
    site.server.start()
    assert not unfinished.exists()
