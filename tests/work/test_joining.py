"""Joining the host's own transaction: we never commit, roll back or close it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pymongo
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import salescrm
from salescrm import Crm, Misconfigured, Work, WorkEnded, aio
from salescrm.connecting import _awaitable

Connect = Callable[..., Crm]


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def sql_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def engine(sql_url: str) -> Iterator[sa.Engine]:
    """The host's engine, as a host makes one, with a table of the host's own."""
    engine = sa.create_engine(sql_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))
    yield engine
    engine.dispose()


@pytest.fixture
def crm(engine: sa.Engine, clock: Callable[[], datetime]) -> Iterator[Crm]:
    with salescrm.connect(engine, clock=clock) as crm:
        crm.migrate()
        yield crm


def counted(crm: Crm, engine: sa.Engine) -> tuple[int, int]:
    """Customers of ours and orders of the host's."""
    with engine.connect() as connection:
        orders = connection.execute(sa.text("SELECT count(*) FROM orders")).scalar_one()
    return crm.run(lambda work: work.customers.count(), by="li"), orders


def order(session: Session) -> None:
    session.execute(sa.text("INSERT INTO orders VALUES (1)"))


def test_a_session_commits_both(crm: Crm, engine: sa.Engine) -> None:
    heard: list[str] = []
    with Session(engine) as session, session.begin():
        order(session)
        work = crm.join(session, by="li")
        made = work.customers.create(name="云帆科技")
        work.after_commit(lambda: heard.append("committed"))
        assert made == work.customers.get(made.id)
        assert [] == heard
    assert ((1, 1), ["committed"]) == (counted(crm, engine), heard)


def test_a_session_rolls_back_both(crm: Crm, engine: sa.Engine) -> None:
    heard: list[str] = []
    with pytest.raises(RuntimeError), Session(engine) as session, session.begin():
        order(session)
        with crm.join(session, by="li") as work:
            work.customers.create(name="云帆科技")
            work.after_commit(lambda: heard.append("never"))
        raise RuntimeError
    assert ((0, 0), []) == (counted(crm, engine), heard)


def test_a_connection_is_joined_as_a_session_is(crm: Crm, engine: sa.Engine) -> None:
    with engine.connect() as connection:
        transaction = connection.begin()
        crm.join(connection, by="li").customers.create(name="甲")
        transaction.rollback()
    assert 0 == counted(crm, engine)[0]
    with engine.begin() as connection:
        crm.join(connection, by="li").customers.create(name="甲")
    assert 1 == counted(crm, engine)[0]


def test_what_the_session_had_pending_is_there_for_us(crm: Crm, engine: sa.Engine) -> None:
    """Two Works joined one after the other, and a rollback to the host's own savepoint between."""
    with Session(engine) as session, session.begin():
        crm.join(session, by="li").customers.create(name="甲")
        savepoint = session.begin_nested()
        crm.join(session, by="li").customers.create(name="乙")
        savepoint.rollback()
        crm.join(session, by="li").customers.create(name="丙")
    names = crm.run(lambda work: sorted(one.name for one in work.customers.find()), by="li")
    assert ["丙", "甲"] == names


def test_another_database_is_refused(crm: Crm, tmp_path: Any) -> None:
    stranger = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    with stranger.connect() as connection, pytest.raises(Misconfigured):
        crm.join(connection, by="li")
    stranger.dispose()
    with pytest.raises(Misconfigured):
        crm.join(object(), by="li")


def test_a_closed_connection_is_refused(crm: Crm, engine: sa.Engine) -> None:
    """In our words, not in SQLAlchemy's."""
    connection = engine.connect()
    connection.close()
    with pytest.raises(Misconfigured, match="closed"):
        crm.join(connection, by="li")


def test_an_async_session_is_joined_too(sql_url: str) -> None:
    async def main() -> None:
        engine = create_async_engine(_awaitable(sql_url))
        async with aio.connect(engine) as acrm:
            await acrm.migrate()

            def create(work: Work, name: str) -> str:
                return work.customers.create(name=name).number

            async with AsyncSession(engine) as session:
                async with session.begin():
                    await acrm.join(session, create, "甲", by="li")
                async with session.begin() as transaction:
                    await acrm.join(session, create, "乙", by="li")
                    await transaction.rollback()
            names = await acrm.run(lambda work: [one.name for one in work.customers.find()], by="li")
            assert ["甲"] == names
        await engine.dispose()

    asyncio.run(main())


def test_a_mongodb_session_is_joined(mongodb_url: str) -> None:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongodb_url)
    orders = client.get_default_database().orders
    orders.insert_one({"_id": 0})
    with salescrm.connect(client) as crm:
        crm.migrate()
        with client.start_session() as session:
            with session.start_transaction():
                orders.insert_one({"_id": 1}, session=session)
                crm.join(session, by="li").customers.create(name="甲")
            with pytest.raises(RuntimeError), session.start_transaction():
                orders.insert_one({"_id": 2}, session=session)
                crm.join(session, by="li").customers.create(name="乙")
                raise RuntimeError
            with pytest.raises(Misconfigured):
                crm.join(session, by="li")
        assert (["甲"], 2) == (
            crm.run(lambda work: [one.name for one in work.customers.find()], by="li"),
            orders.count_documents({}),
        )
    client.close()


@pytest.mark.parametrize("ending", ["commit_transaction", "abort_transaction"])
def test_after_the_hosts_transaction_a_work_in_it_is_over_on_mongodb(mongodb_url: str, ending: str) -> None:
    """The driver takes a session without a transaction too, and what is written by it then stands at once."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongodb_url)
    with salescrm.connect(client) as crm:
        crm.migrate()
        with client.start_session() as session:
            session.start_transaction()
            work = crm.join(session, by="li")
            work.customers.create(name="甲")
            getattr(session, ending)()
            for late in (
                lambda: work.customers.create(name="乙"),
                work.customers.count,
                lambda: work.after_commit(session.end_session),
            ):
                with pytest.raises(WorkEnded):
                    late()
        there = crm.run(lambda work: [one.name for one in work.customers.find()], by="li")
        assert there == (["甲"] if ending == "commit_transaction" else [])
    client.close()
