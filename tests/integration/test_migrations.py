"""Bringing a database to its tables: the revisions agree with the entities, whoever runs them, however often."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event

import salescrm
from salescrm.backends.sql import SqlBackend, migrate, schema_version, tables
from salescrm.backends.sql.migrations import running, words
from salescrm.backends.sql.migrations.names import COLLECTIONS, table_names, version_table
from salescrm.catalog import schemas
from salescrm.errors import Misconfigured, SchemaOutdated

ENGINES = ["sqlite_url", "postgres_url", "mariadb_url"]
#: None, and one with which most names would be too long.
PREFIXES = ["", "a_department_with_quite_a_long_name_of_its_own_"]


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest) -> str:
    """An empty database, once per engine."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """A host's engine on it, as SQLAlchemy makes one."""
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


def backend(engine: sa.Engine | str, **options: Any) -> SqlBackend:
    return SqlBackend(engine, tuple(schemas().values()), **options)


def make_all(engine: sa.Engine, prefix: str, schema: str | None = None) -> None:
    """The tables that the entities ask for, made by SQLAlchemy at once."""
    metadata = sa.MetaData()
    tables(schemas().values(), metadata, prefix=prefix, schema=schema)
    with engine.begin() as connection:
        metadata.create_all(connection)


def drop_all(engine: sa.Engine, schema: str | None = None) -> None:
    metadata = sa.MetaData()
    metadata.reflect(engine, schema=schema, resolve_fks=False)
    with engine.begin() as connection:
        metadata.drop_all(connection)


def described(engine: sa.Engine, schema: str = "public") -> set[tuple[object, ...]]:
    """Everything that the engine itself says about the tables: definitions, indexes, collations, comments."""
    with engine.connect() as connection:
        match engine.dialect.name:
            case "sqlite":
                # What the planner is told about the tables is no part of them.
                found = connection.exec_driver_sql(
                    "SELECT name, sql FROM sqlite_master WHERE name <> 'sqlite_stat1'"
                )
                return {tuple(row) for row in found}
            case "postgresql":
                return {tuple(row) for row in connection.execute(sa.text(OF_POSTGRES), {"schema": schema})}
            case _:
                names = [name for (name,) in connection.exec_driver_sql("SHOW TABLES")]
                made = [connection.exec_driver_sql(f"SHOW CREATE TABLE `{name}`").one()[1] for name in names]
                # Keys are listed in the order in which they were made.
                return {tuple(sorted(line.rstrip(",") for line in text.splitlines())) for text in made}


def forget(engine: sa.Engine, prefix: str = "", schema: str | None = None) -> None:
    """Drops the version table, which no entity asks for."""
    with engine.begin() as connection:
        sa.Table(version_table(prefix), sa.MetaData(), schema=schema).drop(connection)


def of_this_engine(metadata: sa.MetaData, engine: sa.Engine) -> sa.MetaData:
    """*metadata* without indexes that are for another engine: Alembic would compare the one or the other of two."""
    for table in metadata.tables.values():
        for index in list(table.indexes):
            condition = index._ddl_if
            made = sa.schema.CreateIndex(index)
            compiler = engine.dialect.ddl_compiler(engine.dialect, made)
            if condition and not condition._should_execute(made, index, None, compiler=compiler):
                table.indexes.remove(index)
    return metadata


OF_POSTGRES = """
SELECT c.relname, 'column', CAST(a.attname AS text), a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       (SELECT collname FROM pg_collation WHERE oid = a.attcollation), col_description(c.oid, a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r' AND a.attnum > 0
UNION ALL
SELECT c.relname, 'table', obj_description(c.oid), 0, '', false, '', '' FROM pg_class c
WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r'
UNION ALL
SELECT tablename, 'index', replace(indexdef, schemaname || '.', ''), 0, '', false, '', '' FROM pg_indexes
WHERE schemaname = CAST(:schema AS name)
UNION ALL
SELECT c.relname, 'key', k.conname || pg_get_constraintdef(k.oid), 0, '', false, '', ''
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.connamespace = CAST(:schema AS regnamespace)
"""


@pytest.mark.parametrize("prefix", PREFIXES)
def test_revisions_make_exactly_the_tables_of_the_entities(engine: sa.Engine, prefix: str) -> None:
    """As Alembic compares, and to the letter of what the engine says; an entity that changes needs a new revision."""
    backend(engine, prefix=prefix).migrate()

    metadata = sa.MetaData()
    tables(schemas().values(), metadata, prefix=prefix)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": version_table(prefix)})
        assert [] == compare_metadata(context, of_this_engine(metadata, engine))

    forget(engine, prefix)
    migrated = described(engine)
    drop_all(engine)
    make_all(engine, prefix)

    assert described(engine) == migrated
    assert len(migrated) >= len(COLLECTIONS)


def test_the_description_sees_a_small_difference(engine: sa.Engine) -> None:
    """The control: one index less, or one column that may be null, is another description."""
    make_all(engine, "")
    before = described(engine)
    with engine.begin() as connection:
        on = " ON contacts" if engine.dialect.name not in ("sqlite", "postgresql") else ""
        connection.exec_driver_sql(f"DROP INDEX ix_contacts_mobile{on}")
    assert described(engine) != before


def test_schema_of_its_own(postgres_url: str) -> None:
    """On PostgreSQL it is made, the version table lies in it too, and the same tables can lie elsewhere."""
    engine = sa.create_engine(postgres_url)
    ours = backend(engine, schema="crm")
    with pytest.raises(SchemaOutdated):
        ours.verify()
    ours.migrate()
    ours.migrate()
    ours.verify()
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA other")
    make_all(engine, "", "other")

    assert table_names("") == set(sa.inspect(engine).get_table_names("crm"))
    assert set() == described(engine, "public")
    with pytest.raises(SchemaOutdated):
        backend(engine).verify()
    forget(engine, schema="crm")
    assert described(engine, "other") == described(engine, "crm")
    engine.dispose()


def test_missing_schema_is_named(sqlite_url: str) -> None:
    """SQLite's are attached files, which are the host's to attach."""
    with pytest.raises(Misconfigured, match="crm"):
        backend(sqlite_url, schema="crm").migrate()


def test_attached_database_is_a_schema(sqlite_url: str) -> None:
    """Tables and version lie in the attached file."""
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ATTACH ':memory:' AS crm")
        migrate(connection, schema="crm")
        assert table_names("") == set(sa.inspect(connection).get_table_names("crm"))
        assert [] == sa.inspect(connection).get_table_names()
    engine.dispose()


def test_version_is_the_newest_revision() -> None:
    """What is known without Alembic agrees with what Alembic finds."""
    assert running.revisions()[0] == schema_version.VERSION
    assert {schema.collection for schema in schemas().values()} == set(COLLECTIONS)


def test_all_tables_are_known_by_name(engine: sa.Engine) -> None:
    """A host's Alembic is told to leave exactly these alone."""
    backend(engine, prefix="crm_").migrate()
    assert table_names("crm_") == set(sa.inspect(engine).get_table_names())


def test_up_to_date_costs_a_few_small_questions(engine: sa.Engine) -> None:
    """Is there a version table, and what is in it; on SQLite, what its planner knows: no lock, no transaction, no Alembic."""
    ours = backend(engine)
    ours.migrate()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    ours.migrate()
    ours.verify()

    assert 2 < len(asked) <= 6, asked
    assert {"SELECT", "PRAGMA", "DESCRIBE"} >= {one.split()[0] for one in asked}


def test_alembic_is_loaded_only_when_there_is_something_to_do(sqlite_url: str) -> None:
    """It takes longer to load than to bring a file to its tables."""
    code = "import salescrm, sys; crm = salescrm.connect(sys.argv[1]); crm.migrate(); crm.verify(); print('alembic' in sys.modules)"
    seen = [
        subprocess.run(
            [sys.executable, "-c", code, sqlite_url], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert ["True", "False"] == seen


def test_processes_at_once_make_the_tables_once(url: str) -> None:
    """Each waits for its turn and finds the work done."""
    code = (
        "import salescrm, sys; crm = salescrm.connect(sys.argv[1]); print('ready', flush=True);"
        "sys.stdin.readline(); crm.migrate(); crm.verify(); crm.close()"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert "ready\n" == child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [("", 0)] * 4 == [(child.communicate(timeout=60)[1], child.returncode) for child in children]

    engine = sa.create_engine(url)
    with engine.connect() as connection:
        versions = sa.table("salescrm_version", sa.column("version_num"))
        assert [(schema_version.VERSION,)] == [tuple(row) for row in connection.execute(sa.select(versions))]
    engine.dispose()


@pytest.mark.parametrize("colour", ["own engine", "host's engine"])
def test_a_run_that_fails_half_way_is_no_harm(url: str, colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing where tables can be rolled back; elsewhere the next run goes on where this one stopped."""
    engine = sa.create_engine(url)
    ours = backend(url if colour == "own engine" else engine)
    create = words.Tables.create

    def fail_at_events(made: words.Tables, name: str, *rest: Any, **more: Any) -> None:
        if name == "events":
            raise ZeroDivisionError
        create(made, name, *rest, **more)

    with monkeypatch.context() as broken:
        broken.setattr(words.Tables, "create", fail_at_events)
        with pytest.raises(ZeroDivisionError):
            ours.migrate()
    left = set(sa.inspect(engine).get_table_names())
    if engine.dialect.name in ("sqlite", "postgresql"):
        assert set() == left
    else:
        assert "change_log" in left
        assert "events" not in left
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP INDEX ix_contacts_mobile ON contacts")
    with pytest.raises(SchemaOutdated):
        ours.verify()

    ours.migrate()

    ours.verify()
    forget(engine)
    migrated = described(engine)
    drop_all(engine)
    make_all(engine, "")
    assert described(engine) == migrated
    ours.close()
    engine.dispose()


def test_empty_database_is_outdated(url: str) -> None:
    """The error says from what to what."""
    with salescrm.connect(url) as crm:
        with pytest.raises(SchemaOutdated) as refusal:
            crm.verify()
        assert (None, schema_version.VERSION) == (refusal.value.found, refusal.value.expected)
        crm.migrate()
        crm.verify()


def test_database_of_a_later_version_is_left_alone(engine: sa.Engine) -> None:
    """An older program can't know what its tables mean."""
    ours = backend(engine)
    ours.migrate()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE salescrm_version SET version_num = '9999'")
    before = described(engine)

    with pytest.raises(SchemaOutdated) as refusal:
        ours.verify()
    assert "9999" == refusal.value.found
    with pytest.raises(Misconfigured, match="9999"):
        ours.migrate()
    assert described(engine) == before


@pytest.mark.parametrize("engine_url", ["sqlite_url", "postgres_url"])
def test_migrating_in_a_hosts_transaction_is_the_hosts_to_commit(
    engine_url: str, request: pytest.FixtureRequest
) -> None:
    """Rolled back, nothing is there; committed, all is."""
    engine = sa.create_engine(request.getfixturevalue(engine_url))
    with engine.connect() as connection:
        migrate(connection, prefix="crm_")
        assert "crm_customers" in sa.inspect(connection).get_table_names()
        connection.rollback()
    assert [] == sa.inspect(engine).get_table_names()

    with engine.begin() as connection:
        migrate(connection, prefix="crm_")
        migrate(connection, prefix="crm_")
    backend(engine, prefix="crm_").verify()
    engine.dispose()


def test_migrating_in_autocommit_is_one_transaction_of_ours(engine: sa.Engine) -> None:
    """So that a connection without one can be handed in as well."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        migrate(connection)
    backend(engine).verify()
