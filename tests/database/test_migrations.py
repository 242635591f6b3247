"""The migrations make exactly the tables that `tables.py` describes, once, on both engines."""

import asyncio
import multiprocessing
import re
import sqlite3
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from calotype.database import migrations, schema
from calotype.database.connect import sqlite_path
from calotype.database.metadef_tables import metadata
from calotype.images.errors import StorageUnavailable
from tests.support.postgres import Postgres


def test_head_is_the_last_migration() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert [script.revision for script in scripts.walk_revisions()] == list(reversed(schema.REVISIONS))
    assert scripts.get_current_head() == schema.head()


def test_migrated_tables_are_those_of_the_metadata(empty_url: str) -> None:
    schema.upgrade(empty_url)
    assert schema.current(empty_url) == schema.head()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*expression-based index")
        differences = _with_connection(empty_url, _differences)
    assert differences == []


def test_migrated_sqlite_definitions_are_those_of_the_metadata(tmp_path: Path) -> None:
    migrated, created = tmp_path / "migrated.db", tmp_path / "created.db"
    schema.upgrade(f"sqlite:///{migrated}")
    _with_connection(f"sqlite:///{created}", metadata.create_all)
    assert _sqlite_definitions(migrated) == _sqlite_definitions(created)
    assert "image_properties_by_value" in _sqlite_definitions(migrated)


def test_migrated_postgresql_definitions_are_those_of_the_metadata(postgres: Postgres) -> None:
    migrated, created = postgres.database(), postgres.database()
    schema.upgrade(migrated)
    _with_connection(created, metadata.create_all)
    assert _postgresql_definitions(postgres, migrated) == _postgresql_definitions(postgres, created)


def test_every_text_of_postgresql_compares_by_code_point(postgres: Postgres) -> None:
    url = postgres.database()
    schema.upgrade(url)
    found = postgres.execute(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'text'",
        url.rpartition("/")[2],
    )
    assert len(found) > 50
    assert [row for row in found if row["collation_name"] != "C"] == []


def test_identity_starts_at_revision_zero(empty_url: str) -> None:
    schema.upgrade(empty_url)
    assert _select(empty_url, "SELECT id, revision FROM identity_revision") == [(1, 0)]


def test_the_resource_types_of_openstack_are_there(empty_url: str) -> None:
    schema.upgrade(empty_url)
    found = _select(empty_url, "SELECT name FROM metadef_resource_types WHERE protected ORDER BY name")
    assert [name for (name,) in found] == [
        "OS::Cinder::Volume",
        "OS::Glance::Image",
        "OS::Nova::Aggregate",
        "OS::Nova::Flavor",
        "OS::Nova::Server",
        "OS::Trove::Instance",
    ]


def test_a_second_upgrade_does_nothing(empty_url: str) -> None:
    schema.upgrade(empty_url)
    _execute(empty_url, "UPDATE identity_revision SET revision = 7")
    schema.upgrade(empty_url)
    schema.check(empty_url)
    assert _select(empty_url, "SELECT id, revision FROM identity_revision") == [(1, 7)]


def test_a_database_at_head_is_checked_without_alembic(empty_url: str) -> None:
    schema.upgrade(empty_url)
    program = (
        "import sys; from calotype.database import schema; url = sys.argv[1]; schema.check(url); schema.upgrade(url);"
        "print(sorted({'alembic', 'sqlalchemy.ext.asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, empty_url], check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_four_processes_may_upgrade_at_once(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    processes = [spawn.Process(target=_upgrade_together, args=(empty_url, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    schema.check(empty_url)
    assert _select(empty_url, "SELECT id, revision FROM identity_revision") == [(1, 0)]


def test_a_failed_migration_leaves_the_database_as_it_was(empty_url: str) -> None:
    _execute(empty_url, "CREATE TABLE tokens (id integer)")
    with pytest.raises(schema.SchemaError, match=r"could not be migrated and are as they were.*tokens.*already exists"):
        schema.upgrade(empty_url)
    assert schema.current(empty_url) is None
    _execute(empty_url, "DROP TABLE tokens")
    schema.upgrade(empty_url)
    schema.check(empty_url)


def test_check_of_a_database_without_tables_names_the_command(empty_url: str) -> None:
    assert schema.current(empty_url) is None
    with pytest.raises(schema.SchemaError, match=r"no tables yet\. Run `calotype db upgrade`"):
        schema.check(empty_url)
    assert schema.current(empty_url) is None


def test_check_does_not_create_the_file(tmp_path: Path) -> None:
    with pytest.raises(schema.SchemaError):
        schema.check(f"sqlite:///{tmp_path / 'calotype.db'}")
    assert list(tmp_path.iterdir()) == []


def test_check_of_an_older_database_names_the_command(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.upgrade(empty_url)
    current = schema.head()
    monkeypatch.setattr(schema, "REVISIONS", (*schema.REVISIONS, "9999"))
    with pytest.raises(
        schema.SchemaError, match=rf"at revision {current} and .* needs 9999\. Run `calotype db upgrade`"
    ):
        schema.check(empty_url)


def test_the_data_of_the_first_tables_stays_where_it_is(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as first:
        first.setattr(command, "upgrade", lambda config, _, upgrade=command.upgrade: upgrade(config, "0001"))
        schema.upgrade(empty_url)
    for name, size, location in (("full", 7, "'full.1'"), ("empty", "NULL", "NULL")):
        _execute(
            empty_url,
            "INSERT INTO images (id, status, visibility, protected, os_hidden, min_disk, min_ram, size, created_at,"
            f" updated_at, location, attempts, properties, tags) VALUES ('{name}', 'active', 'private', false, false,"
            f" 0, 0, {size}, 1, 1, {location}, 2, '{{}}', '[]')",
        )
    _execute(empty_url, "INSERT INTO loose_data (location, image_id, holder, seen_at) VALUES ('x', 'full', 'h', 5)")
    schema.upgrade(empty_url)
    assert _select(empty_url, "SELECT id, locations, charged, reserved FROM images ORDER BY id") == [
        ("empty", "[]", 0, 0),
        ("full", '[{"store":"local","name":"full.1"}]', 7, 0),
    ]
    assert _select(empty_url, "SELECT * FROM loose_data") == [("local", "x", "full", "h", 5)]


@pytest.mark.parametrize(
    ("names", "implications"),
    [
        (("admin", "member", "reader"), ["admin>member", "member>reader"]),
        (("Member", "admin", "manager", "reader", "other"), ["Member>reader", "admin>manager", "manager>Member"]),
        (("Reader", "admin", "reader"), ["admin>Reader", "admin>reader"]),
        (("other",), []),
    ],
)
def test_what_roles_implied_by_their_names_they_go_on_to_imply(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], implications: list[str]
) -> None:
    with monkeypatch.context() as first:
        first.setattr(command, "upgrade", lambda config, _, upgrade=command.upgrade: upgrade(config, "0004"))
        schema.upgrade(empty_url)
    for name in names:
        _execute(empty_url, f"INSERT INTO roles (id, name) VALUES ('{name} id', '{name}')")
    schema.upgrade(empty_url)
    found = _select(empty_url, "SELECT prior_id, implied_id FROM implied_roles")
    assert sorted(f"{prior[:-3]}>{implied[:-3]}" for prior, implied in found) == implications


@pytest.mark.parametrize(
    ("names", "made", "implications"),
    [
        (
            ("admin", "member", "reader"),
            {"manager", "service"},
            {"admin>manager", "manager>member", "admin>member", "member>reader"},
        ),
        (("admin", "manager", "other"), {"service"}, {"admin>manager"}),
        (("Service",), {"manager"}, set()),
    ],
)
def test_the_roles_that_a_first_start_makes_by_now_are_made(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], made: set[str], implications: set[str]
) -> None:
    with monkeypatch.context() as first:
        first.setattr(command, "upgrade", lambda config, _, upgrade=command.upgrade: upgrade(config, "0004"))
        schema.upgrade(empty_url)
    _execute(empty_url, "INSERT INTO domains (id, name, description, enabled) VALUES ('default', 'D', '', true)")
    for name in names:
        _execute(empty_url, f"INSERT INTO roles (id, name) VALUES ('{name} id', '{name}')")
    schema.upgrade(empty_url)
    roles = _select(empty_url, "SELECT name, extra FROM roles")
    assert {name for name, extra in roles if extra == '{"options":{"immutable":true}}'} == made
    assert {name for name, extra in roles if extra == "{}"} == {*names}
    pairs = _select(
        empty_url,
        "SELECT prior.name, implied.name FROM implied_roles JOIN roles prior ON prior.id = prior_id"
        " JOIN roles implied ON implied.id = implied_id",
    )
    assert {f"{prior}>{implied}" for prior, implied in pairs} == implications


def test_roles_are_a_first_starts(empty_url: str) -> None:
    schema.upgrade(empty_url)
    assert _select(empty_url, "SELECT name FROM roles") == []


@pytest.mark.parametrize("verb", [schema.check, schema.upgrade])
def test_a_database_of_a_newer_calotype_is_left_alone(empty_url: str, verb: Callable[[str], None]) -> None:
    schema.upgrade(empty_url)
    _execute(empty_url, "UPDATE alembic_version SET version_num = 'f00d'")
    with pytest.raises(schema.SchemaError, match="revision f00d, which a newer Calotype wrote"):
        verb(empty_url)
    assert schema.current(empty_url) == "f00d"


def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path, postgres: Postgres) -> None:
    junk = tmp_path / "junk.db"
    junk.write_text("This is not a database, however long you look at it. " * 50)
    for url in (f"sqlite:///{junk}", postgres.url("absent"), "postgresql://127.0.0.1:1/calotype"):
        for verb in (schema.current, schema.check, schema.upgrade):
            with pytest.raises(StorageUnavailable, match=r"^The database cannot be opened: "):
                verb(url)


def test_the_file_of_sqlite_is_its_owners_and_keeps_a_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "new" / "calotype.db"
    schema.upgrade(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert _select(f"sqlite:///{path}", "PRAGMA journal_mode") == [("wal",)]


def _upgrade_together(url: str, barrier: Barrier) -> None:
    barrier.wait(60)
    schema.upgrade(url)


def _differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def _with_connection(url: str, function: Callable[[Connection], Any]) -> Any:
    if url.startswith("sqlite:"):
        with create_engine(url).begin() as connection:
            return function(connection)
    return asyncio.run(_with_async_connection(url, function))


async def _with_async_connection(url: str, function: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(function)
    finally:
        await engine.dispose()


def _select(url: str, statement: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(sqlite_path(url))) as file:
            return file.execute(statement).fetchall()
    return [tuple(row) for row in asyncio.run(_fetch(url, statement))]


def _execute(url: str, statement: str) -> None:
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(sqlite_path(url))) as file, file:
            file.execute(statement)
    else:
        asyncio.run(_fetch(url, statement))


async def _fetch(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


def _sqlite_definitions(path: Path) -> dict[str, str]:
    rows = _select(f"sqlite:///{path}", "SELECT name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version'")
    return {name: re.sub(r"\s+", " ", sql or "") for name, sql in rows}


def _postgresql_definitions(postgres: Postgres, url: str) -> list[list[tuple[Any, ...]]]:
    name = url.rpartition("/")[2]
    # A dropped column leaves its number, so the place is counted.
    columns = """SELECT table_name, column_name,
        row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position), data_type, is_nullable, column_default,
        collation_name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'alembic_version'"""
    indexes = """SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'"""
    constraints = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'"""
    return [sorted(map(tuple, postgres.execute(each, name)), key=repr) for each in (columns, indexes, constraints)]
