"""When application credentials end: which times are read, and how they are shown; asked of Keystone 30."""

from typing import Any

from tests.identity.test_credentials import create, made

TIMES = {
    "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999",
    "2126-01-01T00:00:00Z": "2126-01-01T00:00:00.000000",
    "2126-01-01 00:00": "2126-01-01T00:00:00.000000",
    "2126-01-01T07Z": "2126-01-01T07:00:00.000000",
    "21260101T070809,5": "2126-01-01T07:08:09.500000",
    "2126-01-01T07:08:09.123456789Z": "2126-01-01T07:08:09.123456",
}
NO_TIMES = (
    *("2126", "2126-01", "2126-01-01", "2126-W01-1", "2126-001T00:00:00", "1/2/2126", " 2126-01-01T00:00:00"),
    *("2126-01-01T24:00:00", "2126-01-01T00:00:60", "2126-02-29T00:00:00", "2126-01-01T00:00:00z"),
    *("2126-01-01T00:00:00+00:00", "2126-01-01T00:00:00-05", "10000-01-01T00:00:00"),
)


async def test_times_are_read_and_shown_as_keystone_does(world: Any) -> None:
    for number, (text, shown) in enumerate(TIMES.items()):
        assert (await made(world, name=f"r{number}", expires_at=text))["expires_at"] == shown
    for text in NO_TIMES:
        assert (await create(world, expires_at=text)).status_code == 400, text
    path = f"/v3/users/{world.ids['user demo']}/application_credentials"
    listed = (await world.call("GET", path, "demo")).json()["application_credentials"]
    assert {each["expires_at"] for each in listed} == {*TIMES.values()}
