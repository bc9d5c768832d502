"""The servers that the other tests stand on: each gives an empty database, transactions, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pymongo
import pymysql
import pytest
from pymongo.errors import ConnectionFailure

from tests import servers

Documents = pymongo.MongoClient[dict[str, Any]]


def _tables(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()


@pytest.mark.parametrize("_round", [1, 2])
def test_postgres_database_is_empty_and_transactional(postgres_url: str, _round: int) -> None:
    """What one test leaves, another never sees; what is rolled back is gone."""
    with psycopg.connect(servers.driver_url(postgres_url)) as connection:
        assert [] == _tables(connection)
        connection.execute("CREATE TABLE deal (name text)")
        connection.commit()
        connection.execute("INSERT INTO deal VALUES ('lost')")
        connection.rollback()
        connection.execute("INSERT INTO deal VALUES ('客户')")
        connection.commit()

        assert [("客户",)] == connection.execute("SELECT name FROM deal").fetchall()


def test_postgres_database_goes_although_someone_still_uses_it() -> None:
    """A test that forgets a connection does not block the next."""
    with servers.postgres_url() as url:
        forgotten = psycopg.connect(servers.driver_url(url))

    with pytest.raises(psycopg.OperationalError), forgotten:
        forgotten.execute("SELECT 1")


def test_postgres_zone_is_not_utc(postgres_url: str) -> None:
    """Whoever forgets a time zone is found out, unless the server is somebody's own."""
    if os.environ.get(servers.GIVEN["postgresql"]):
        pytest.skip("the given server's zone is its own")
    with psycopg.connect(servers.driver_url(postgres_url)) as connection:
        assert ("Asia/Shanghai",) == connection.execute("SHOW timezone").fetchone()


@pytest.mark.parametrize("_round", [1, 2])
def test_mongodb_database_is_empty_and_transactional(mongodb_url: str, _round: int) -> None:
    """What one test leaves, another never sees; what is aborted is gone."""
    with Documents(mongodb_url) as client:
        deals = client.get_default_database()["deal"]
        assert 0 == deals.count_documents({})
        deals.insert_one({"_id": "客户"})
        with client.start_session() as session, session.start_transaction():
            deals.insert_one({"_id": "lost"}, session=session)
            session.abort_transaction()

        assert [{"_id": "客户"}] == list(deals.find())


def test_mariadb_database_is_empty_and_transactional(mariadb_url: str) -> None:
    """Where there is a MariaDB, it serves as the others do."""
    with pymysql.connect(**servers.mysql_arguments(mariadb_url)) as connection, connection.cursor() as cursor:
        assert 0 == cursor.execute("SHOW TABLES")
        cursor.execute("CREATE TABLE deal (name varchar(9)) CHARACTER SET utf8mb4")
        cursor.execute("INSERT INTO deal VALUES ('客户')")
        connection.commit()
        cursor.execute("INSERT INTO deal VALUES ('lost')")
        connection.rollback()
        cursor.execute("SELECT name FROM deal")

        assert (("客户",),) == cursor.fetchall()


def test_engine_url_names_its_engine(engine_url: str, engine: str) -> None:
    """Each engine's URL is one that SQLAlchemy, PyMongo or we can open."""
    schemes = {"postgresql": "postgresql+psycopg", "mariadb": "mysql+pymysql"}
    assert schemes.get(engine, engine) == urlsplit(engine_url).scheme


def test_failed_start_says_why() -> None:
    """The server's own log is in the error."""
    with pytest.raises(RuntimeError, match="no-such-option"):
        servers.Server("mongodb", "--no-such-option")


KILLED = """
import time
from tests import servers
# A server lives as long as somebody holds it.
postgres, mongodb = servers.Server("postgresql"), servers.Server("mongodb")
print(postgres.url, mongodb.url, sep="\\n", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_process_leaves_no_server() -> None:
    """Not even kill -9 of a test process leaves a server or its folder."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        postgres, mongodb = (process.stdout.readline().strip() for _ in range(2))
        folder = Path(parse_qs(urlsplit(postgres).query)["host"][0])
        assert folder.exists()
        with Documents(mongodb) as client:
            client.admin.command("ping")

        process.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 30
    while folder.parent.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.parent.exists()
    with Documents(mongodb, serverSelectionTimeoutMS=200) as client:
        while time.monotonic() < deadline:
            try:
                client.admin.command("ping")
            except ConnectionFailure:
                return
            time.sleep(0.05)
    pytest.fail("the MongoDB server outlived its process")
