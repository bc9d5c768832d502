"""When the way to a SQL engine is bad: what comes out is ours, nothing stays half done, and the next one is served."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from salescrm.backends.sql import SqlBackend
from salescrm.backends.sql.lending import OwnLender
from salescrm.errors import Duplicate, EngineError, InvalidQuestion, Misconfigured, SchemaOutdated, Transient
from salescrm.query import F, Tally, total
from salescrm.storage import Insert, Replace
from tests import servers
from tests.integration.sql_lab import SCHEMAS, TENANT, lab, own

CUSTOMERS = SCHEMAS["customers"]
ALL = tuple(SCHEMAS.values())


def test_a_connection_that_was_cut_is_transient_and_the_next_store_is_served(postgres_url: str) -> None:
    with lab(postgres_url) as at:
        store = at.open()
        store.write(Insert(CUSTOMERS, [own(CUSTOMERS, at.make.customer())]))
        idle = [at.open() for _ in range(3)]
        for one in idle:
            one.get(CUSTOMERS, "x")
            one.rollback()
        with psycopg.connect(servers.driver_url(postgres_url), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(Transient) as cut:
            store.get(CUSTOMERS, "x")
        store.rollback()
        assert not cut.value.outcome_unknown
        # The idle ones were as old; none of them is handed out any more.
        for _ in range(4):
            fresh = at.open()
            assert [] == fresh.find(at.asked(CUSTOMERS))
            fresh.rollback()


def test_a_commit_whose_answer_is_lost_says_that_the_outcome_is_unknown(postgres_url: str) -> None:
    with lab(postgres_url) as at:
        store = at.open()
        store.write(Insert(CUSTOMERS, [own(CUSTOMERS, at.make.customer())]))
        with psycopg.connect(servers.driver_url(postgres_url), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(Transient) as cut:
            store.commit()
        store.rollback()
    assert cut.value.outcome_unknown


@pytest.mark.engine("postgresql")
def test_a_server_that_is_not_there_is_transient() -> None:
    backend = SqlBackend("postgresql+psycopg://nobody@127.0.0.1:1/nothing", ALL)
    with pytest.raises(Transient):
        backend.open(TENANT).get(CUSTOMERS, "x")
    with pytest.raises(Transient):
        backend.migrate()


def test_a_writer_that_does_not_get_its_turn_is_told_so(sqlite_url: str) -> None:
    slept: list[float] = []
    backend = SqlBackend(sqlite_url, ALL, sleep=slept.append, random=lambda: 0.5)
    backend.migrate()
    sa.event.listen(backend.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=1"))
    backend._lender.lost()  # so that connections are made anew
    rival = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    rival.execute("BEGIN IMMEDIATE")
    store = backend.open(TENANT)
    with pytest.raises(Transient, match="SQLITE_BUSY"):
        store.write()
    store.rollback()
    assert slept
    assert store.get(CUSTOMERS, "x") is None  # readers don't wait for the writer
    rival.close()
    store.rollback()
    backend.close()


def test_a_new_file_in_another_hand_is_waited_for(sqlite_url: str) -> None:
    """Turning a file to write-ahead mode meets whoever writes in it just now, and SQLite itself doesn't wait."""
    rival = sqlite3.connect(
        sqlite_url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False
    )
    rival.execute("CREATE TABLE theirs(it)")
    rival.execute("BEGIN IMMEDIATE")
    rival.execute("INSERT INTO theirs VALUES (1)")
    done = threading.Timer(0.3, rival.execute, ["COMMIT"])
    done.start()
    backend = SqlBackend(sqlite_url, ALL)
    backend.migrate()
    done.join()
    assert rival.execute("SELECT it FROM theirs").fetchone() == (1,)  # it looks at the file anew
    assert rival.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    rival.close()
    backend.close()


def test_missing_tables_are_told_from_other_errors(sqlite_url: str, postgres_url: str) -> None:
    for url in (sqlite_url, postgres_url):
        backend = SqlBackend(url, ALL)
        store = backend.open(TENANT)
        with pytest.raises(SchemaOutdated):
            store.get(CUSTOMERS, "x")
        store.rollback()
        backend.migrate()
        assert store.get(CUSTOMERS, "x") is None
        store.rollback()
        backend.close()


def test_what_no_engine_can_hold_is_refused_as_a_question(sqlite_url: str, postgres_url: str) -> None:
    for url, unspeakable in ((sqlite_url, "\udc80"), (postgres_url, "a\0b"), (postgres_url, "\udc80")):
        with lab(url) as at, pytest.raises(InvalidQuestion):
            at.open().get(CUSTOMERS, unspeakable)


def test_which_unique_key_is_taken_is_found_without_reading_messages(
    sqlite_url: str, postgres_url: str
) -> None:
    for url in (sqlite_url, postgres_url):
        with lab(url) as at:
            first, second = own(CUSTOMERS, at.make.customer()), own(CUSTOMERS, at.make.customer())
            at.seed(CUSTOMERS, first, second)
            twin = own(CUSTOMERS, at.make.customer(number=first.number))
            many = [own(CUSTOMERS, at.make.customer()) for _ in range(60)]
            for write, key in (
                (Insert(CUSTOMERS, [twin]), ("number",)),
                (Insert(CUSTOMERS, [attrs.evolve(first, number="new")]), ("id",)),
                (Insert(CUSTOMERS, [*many, twin]), ("number",)),
                (Insert(CUSTOMERS, [*many, attrs.evolve(many[0], number="new")]), ("id",)),
                (Replace(CUSTOMERS, attrs.evolve(second, number=first.number, version=2), 1), ("number",)),
            ):
                store = at.open()
                with pytest.raises(Duplicate) as taken:
                    store.write(write)
                store.rollback()
                assert ("Customer", key) == (taken.value.entity, taken.value.key)
                assert [first.id, second.id] == [one.id for one in store.find(at.asked(CUSTOMERS, limit=200))]
                store.rollback()


def test_an_address_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    for address in (
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "oracle://x/y",
        "postgresql+psycopg2://x/y",
    ):
        with pytest.raises((Misconfigured, ImportError)):
            SqlBackend(address, ALL)
    backend = SqlBackend(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'crm.db'}", ALL)
    with pytest.raises(Misconfigured, match="SQLITE_CANTOPEN"):
        backend.open(TENANT).get(CUSTOMERS, "x")


def test_sums_beyond_sixty_four_bits_are_exact_and_other_refusals_stay_refusals(sqlite_url: str) -> None:
    schema = SCHEMAS["opportunities"]
    with lab(sqlite_url) as at:
        big = 2**53 - 1
        deals = [at.make.opportunity() for _ in range(1500)]
        founded = [own(CUSTOMERS, at.make.customer(founded_year=big)) for _ in range(1500)]
        at.seed(CUSTOMERS, *founded)
        at.seed(schema, *deals)
        store = at.open()
        assert [(big * 1500,)] == store.tally(at.tallied(CUSTOMERS, Tally(measures=[total(F.founded_year)])))
        at.backend.open(TENANT)._channel.run("DROP TABLE opportunities")
        with pytest.raises((EngineError, SchemaOutdated)):
            store.find(at.asked(schema))


@pytest.mark.engine("sqlite")
def test_more_threads_than_connections_are_all_served(tmp_path: Path) -> None:
    """None waits in the pool for one that lies at hand, however many come and go."""
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'crm.db'}",
        pool_size=2,
        max_overflow=1,
        pool_timeout=5,
        pool_reset_on_return=None,
    )
    lender = OwnLender(engine)
    out, most, lock = 0, 0, threading.Lock()

    def use(_: int) -> None:
        nonlocal out, most
        fairy, give_back = lender.lend()
        with lock:
            out += 1
            most = max(most, out)
        fairy.cursor().execute("SELECT 1")
        with lock:
            out -= 1
        give_back(fairy)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(use, range(4000)))
    lender.close()
    assert 1 <= most <= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_touch_its_parents_connections(postgres_url: str) -> None:
    with lab(postgres_url) as at:
        store = at.open()
        store.get(CUSTOMERS, "x")
        store.rollback()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                mine = at.backend.open(TENANT)
                mine.write(Insert(CUSTOMERS, [own(CUSTOMERS, at.make.customer())]))
                mine.commit()
                at.backend.close()
                status = 0
            finally:
                os._exit(status)
        assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert 1 == len(store.find(at.asked(CUSTOMERS)))


def test_an_async_engine_outside_the_bridge_is_misconfigured(sqlite_url: str) -> None:
    """Where SQLAlchemy is the first to notice, what it says means nothing to a caller of ours; the hint does."""
    with lab(sqlite_url) as at:
        ours = at.backend._translate(sa.exc.MissingGreenlet("greenlet_spawn has not been called"), list)
    assert isinstance(ours, Misconfigured)
    assert "run the function that uses it with `await acrm.run(function)`" == ours.hint
