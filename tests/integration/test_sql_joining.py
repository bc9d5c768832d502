"""Inside a host's own transaction: it alone decides, and what waits for its commit waits for that and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from salescrm.backends.sql import SqlBackend
from salescrm.bridge import run_plain
from salescrm.entities import Customer
from salescrm.errors import Misconfigured, WorkEnded
from salescrm.query import F
from salescrm.storage import Insert, Store
from tests.integration.sql_lab import SCHEMAS, TENANT, Lab, lab, own

CUSTOMERS = SCHEMAS["customers"]


class HostBase(DeclarativeBase):
    pass


class HostOrder(HostBase):
    __tablename__ = "host_orders"
    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture(params=["sqlite", "postgres"])
def at(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab over a host's engine, on which the host has a table of its own."""
    engine = sa.create_engine(request.getfixturevalue(f"{request.param}_url"))
    HostBase.metadata.create_all(engine)
    with lab(engine) as made:
        yield made
    engine.dispose()


def _add(store: Store, at: Lab) -> Customer:
    customer: Customer = own(CUSTOMERS, at.make.customer())
    store.write(Insert(CUSTOMERS, [customer]))
    return customer


def _is_there(at: Lab, customer: Customer) -> bool:
    store = at.open()
    found = store.get(CUSTOMERS, customer.id)
    store.rollback()
    return found is not None


@pytest.mark.parametrize("committed", [True, False], ids=["commit", "rollback"])
@pytest.mark.parametrize("handle", ["session", "connection"])
def test_the_host_decides(at: Lab, handle: str, committed: bool) -> None:
    with Session(at.backend.engine) as session:
        if handle == "session":
            session.add(HostOrder(id=1))
        joined = session if handle == "session" else session.connection()
        store = at.backend.join(joined, TENANT)
        customer = _add(store, at)
        ran: list[str] = []
        store.after_commit(lambda: ran.append("effect"))
        # Ours to call, the host's to do.
        store.commit()
        assert [] == ran
        assert not _is_there(at, customer) or at.backend.engine.dialect.name == "none"
        if committed:
            session.commit()
        else:
            session.rollback()
        assert committed == _is_there(at, customer)
        assert (["effect"] if committed else []) == ran
        session.commit()
        assert (["effect"] if committed else []) == ran  # once, and not at the next transaction's end


def test_what_a_session_has_pending_is_flushed_first(at: Lab) -> None:
    with Session(at.backend.engine) as session:
        session.add(HostOrder(id=7))
        at.backend.join(session, TENANT)
        assert [7] == [row.id for row in session.connection().execute(sa.select(HostOrder.id))]


def test_a_host_that_begins_explicitly_and_closes_without_a_commit_keeps_nothing(at: Lab) -> None:
    ran: list[str] = []
    with at.backend.engine.connect() as connection:
        store = at.backend.join(connection, TENANT)
        customer = _add(store, at)
        store.after_commit(lambda: ran.append("effect"))
    assert not _is_there(at, customer)
    assert [] == ran


def test_effects_go_with_the_savepoint_they_were_noted_in(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    ran: list[str] = []
    with lab(engine) as at, Session(engine) as session:
        outer = at.backend.join(session, TENANT)
        outer.after_commit(lambda: ran.append("outer"))
        kept = session.begin_nested()
        at.backend.join(session, TENANT).after_commit(lambda: ran.append("kept"))
        kept.commit()
        lost = session.begin_nested()
        outer.after_commit(lambda: ran.append("lost"))
        inner = at.backend.join(session, TENANT)
        inner.after_commit(lambda: ran.append("lost too"))
        lost.rollback()
        session.commit()
    engine.dispose()
    assert ["kept", "outer"] == sorted(ran)


def test_a_commit_that_fails_runs_no_effect(postgres_url: str) -> None:
    """A deferred constraint speaks at COMMIT only."""
    engine = sa.create_engine(postgres_url)
    ran: list[str] = []
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE late (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    with lab(engine) as at, Session(engine) as session:
        at.backend.join(session, TENANT).after_commit(lambda: ran.append("effect"))
        session.execute(sa.text("INSERT INTO late VALUES (1), (1)"))
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()
        session.rollback()
    engine.dispose()
    assert [] == ran


def test_a_savepoint_takes_back_what_an_older_store_wrote_in_it(postgres_url: str) -> None:
    """A Session sends SAVEPOINT only when it is asked for its connection; ours is asked before each write."""
    engine = sa.create_engine(postgres_url)
    with lab(engine) as at, Session(engine) as session:
        store = at.backend.join(session, TENANT)
        kept = _add(store, at)
        savepoint = session.begin_nested()
        lost = _add(store, at)
        savepoint.rollback()
        session.commit()
        assert _is_there(at, kept)
        assert not _is_there(at, lost)
    engine.dispose()


def test_a_store_ends_with_the_transaction_it_joined(at: Lab) -> None:
    """Afterwards the connection may be another's."""
    with Session(at.backend.engine) as session:
        store = at.backend.join(session, TENANT)
        customer = _add(store, at)
        session.commit()
        with pytest.raises(WorkEnded):
            store.get(CUSTOMERS, customer.id)
        with pytest.raises(WorkEnded):
            _add(store, at)


def test_one_connection_joined_many_times_gathers_no_listeners(sqlite_url: str) -> None:
    engine = sa.create_engine(sqlite_url)
    ran: list[int] = []
    with lab(engine) as at, engine.connect() as connection:
        for number in range(5):
            store = at.backend.join(connection, TENANT)
            store.after_commit(partial(ran.append, number))
            connection.commit()
        assert not list(connection.dispatch.savepoint)
    engine.dispose()
    assert list(range(5)) == ran


def test_a_change_sees_what_others_committed_before_it_took_the_lock(sqlite_url: str) -> None:
    """sqlite3 would begin only at the UPDATE, after the records to change have been read."""
    engine = sa.create_engine(sqlite_url, connect_args={"timeout": 0.05})
    with lab(engine) as at:
        at.seed(CUSTOMERS, at.make.customer())
        with engine.connect() as host:
            store = at.backend.join(host, TENANT)
            asked = at.asked(CUSTOMERS, F.owner_id.is_null())
            assert 1 == len(store.change(asked, {"owner_id": "li"}))
            assert host.connection.driver_connection is not None
            other = at.open()
            with pytest.raises(Exception, match="busy"):
                other.write(Insert(CUSTOMERS, [own(CUSTOMERS, at.make.customer())]))
            host.rollback()
    engine.dispose()


async def _joined_async(url: str, make_lab: Lab, folder: Path) -> list[str]:
    engine = create_async_engine(url)
    backend = SqlBackend(engine, tuple(SCHEMAS.values()))
    await run_plain(backend.migrate)
    ran: list[str] = []

    def work(session: Session) -> None:
        store = backend.join(session, TENANT)
        store.write(Insert(CUSTOMERS, [own(CUSTOMERS, make_lab.make.customer())]))
        store.after_commit(lambda: ran.append("effect"))

    def work_async(session: AsyncSession) -> None:
        store = backend.join(session, TENANT)
        store.write(Insert(CUSTOMERS, [own(CUSTOMERS, make_lab.make.customer()) for _ in range(100)]))
        store.after_commit(lambda: ran.append("effect of the second"))

    async with AsyncSession(engine) as session:
        await session.run_sync(work)
        await session.commit()
        await run_plain(work_async, session)
        await session.commit()
        await session.run_sync(work)
        await session.rollback()

    def counted() -> int:
        store = backend.open(TENANT)
        found = store.find(make_lab.asked(CUSTOMERS, limit=1000))
        store.rollback()
        return len(found)

    ran.append(str(await run_plain(counted)))
    await run_plain(backend.close)
    await engine.dispose()
    return ran


@pytest.mark.parametrize("engine_name", ["sqlite", "postgres"])
def test_async_sessions_join_as_their_plain_twins(
    engine_name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url: str = request.getfixturevalue(f"{engine_name}_url").replace("sqlite:", "sqlite+aiosqlite:")
    with lab(f"sqlite:///{tmp_path / 'elsewhere.db'}") as asking:
        ran = asyncio.run(_joined_async(url, asking, tmp_path))
    assert ["effect", "effect of the second", "101"] == ran


def test_what_can_not_be_joined_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    with lab(sqlite_url) as at:
        with pytest.raises(Misconfigured, match="can't be joined"):
            at.backend.join(object(), TENANT)
        other = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
        with other.connect() as connection, pytest.raises(Misconfigured, match="another database"):
            at.backend.join(connection, TENANT)
        other.dispose()
        with Session() as unbound, pytest.raises(Misconfigured, match="no one engine"):
            at.backend.join(unbound, TENANT)
        alone = sa.create_engine(sqlite_url, isolation_level="AUTOCOMMIT")
        with alone.connect() as connection, pytest.raises(Misconfigured, match="commits each statement"):
            at.backend.join(connection, TENANT)
        alone.dispose()


def test_an_autocommitting_postgres_connection_is_refused(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    refused = pytest.raises(Misconfigured, match="commits each statement")
    with lab(engine) as at, engine.connect() as connection, refused:
        at.backend.join(connection, TENANT)
    engine.dispose()
