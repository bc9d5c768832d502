"""Transactions of the MongoDB backend: when they begin, what the server's failures become, whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from salescrm.backends.mongo import MongoBackend
from salescrm.bridge import run_plain
from salescrm.entities import Customer
from salescrm.errors import CrmError, EngineError, Misconfigured, StaleWrite, Transient
from salescrm.query import F
from salescrm.storage import Replace
from salescrm.testing.makers import Maker
from tests.integration.mongo_lab import Client, Lab, open_lab


@pytest.fixture
def lab(mongodb_url: str) -> Iterator[Lab]:
    with open_lab(mongodb_url) as lab:
        yield lab


def test_transaction_begins_with_the_first_write(lab: Lab) -> None:
    """What was read before is outside, what is read after inside."""
    maker = Maker()
    asking = lab.open()
    asking.find(Customer)
    asking.add(maker.customer())
    asking.find(Customer)
    asking.commit()
    asking.find(Customer)

    inside = [(one["name"], "autocommit" in one) for one in lab.notes.commands if one["name"] != "hello"]
    assert [
        ("find", False),
        ("insert", True),
        ("find", True),
        ("commitTransaction", True),
        ("find", False),
    ] == inside
    insert = next(one for one in lab.notes.commands if one["name"] == "insert")
    assert "snapshot" == insert["readConcern"]["level"]


def test_store_that_only_read_has_nothing_to_end(lab: Lab) -> None:
    """Neither commit nor rollback asks the server anything."""
    asking = lab.open()
    asking.find(Customer)
    asking.commit()
    asking.rollback()

    assert ["find"] == lab.notes.names


@pytest.mark.parametrize(
    "command, how, expected",
    [
        ("insert", {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}, Transient),
        ("insert", {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}, Transient),
        ("insert", {"closeConnection": True}, Transient),
        ("insert", {"errorCode": 13}, Misconfigured),
        ("insert", {"errorCode": 2}, EngineError),
        ("find", {"errorCode": 189}, Transient),
        ("find", {"errorCode": 50}, Transient),
        ("find", {"closeConnection": True}, Transient),
        ("find", {"errorCode": 96}, EngineError),
        ("aggregate", {"errorCode": 11600}, Transient),
    ],
    ids=str,
)
def test_failure_of_the_server_is_one_of_ours(
    lab: Lab, command: str, how: dict[str, Any], expected: type[CrmError]
) -> None:
    """By label or code; afterwards the store can be rolled back and another one used."""
    maker = Maker()
    asking = lab.open()
    with lab.failing(command, **how), pytest.raises(expected):
        if command == "insert":
            asking.add(maker.customer())
        elif command == "find":
            asking.find(Customer)
        else:
            asking.find(Customer, F.owner.name == "x")
    asking.rollback()

    asking = lab.open()
    asking.add(maker.customer())
    asking.commit()
    assert 1 == len(lab.open().find(Customer))


@pytest.mark.parametrize("how", [{"errorCode": 91}, {"closeConnection": True}], ids=str)
def test_commit_is_asked_for_again(lab: Lab, how: dict[str, Any]) -> None:
    """As long as nobody knows how it ended, up to a few times; it then happened once."""
    happened: list[str] = []
    asking = lab.open()
    asking.add(Maker().customer())
    asking.after_commit(lambda: happened.append("done"))

    with lab.failing("commitTransaction", times=3, **how):
        asking.commit()

    assert 4 == lab.notes.names.count("commitTransaction")
    assert 1 == len(lab.open().find(Customer))
    assert ["done"] == happened


def test_commit_of_unknown_outcome_says_so(lab: Lab) -> None:
    """Then only a command with a key may be tried again; effects do not happen."""
    happened: list[str] = []
    asking = lab.open()
    asking.add(Maker().customer())
    asking.after_commit(lambda: happened.append("done"))

    with lab.failing("commitTransaction", closeConnection=True), pytest.raises(Transient) as lost:
        asking.commit()
    asking.rollback()

    assert lost.value.outcome_unknown
    assert [] == happened


def test_commit_that_was_refused_can_be_tried_again_whole(lab: Lab) -> None:
    """The server says that nothing was kept."""
    asking = lab.open()
    asking.add(Maker().customer())

    how: dict[str, Any] = {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}
    with lab.failing("commitTransaction", times=1, **how), pytest.raises(Transient) as refused:
        asking.commit()
    asking.rollback()

    assert not refused.value.outcome_unknown
    assert [] == lab.open().find(Customer)


def test_record_held_by_another_is_transient(lab: Lab) -> None:
    """Whoever comes second to the same record ends; after the first one's commit the version is stale."""
    customer = Maker().customer()
    asking = lab.open()
    asking.add(customer)
    asking.commit()
    first, second, third = lab.open(), lab.open(), lab.open()
    first.save(customer, level="A")

    with pytest.raises(Transient):
        second.save(customer, level="B")
    second.rollback()
    first.commit()
    with pytest.raises(StaleWrite):
        third.save(customer, level="C")
    third.rollback()

    assert ["A"] == [one.level for one in lab.open().find(Customer)]


@pytest.mark.parametrize("others", ["level of another", "the same version", "deleted"])
def test_stale_one_among_many_is_named(lab: Lab, others: str) -> None:
    """MongoDB only counts; also where what is stored has the very version that was to be written."""
    maker, schema = Maker(), lab.schemas["customers"]
    customers = [maker.customer() for _ in range(5)]
    asking = lab.open()
    asking.add(*customers)
    asking.commit()
    asking = lab.open()
    if others == "deleted":
        asking.remove(customers[3])
    else:
        saved = asking.save(customers[3], level="X")
        if others == "level of another":
            asking.save(saved, level="Y")
    asking.commit()

    asking = lab.open()
    with pytest.raises(StaleWrite) as stale:
        asking.store.write(
            *[
                Replace(schema, schema.evolve(asking.own(one), {"version": 2, "level": "A"}), 1)
                for one in customers
            ]
        )
    asking.rollback()

    assert ("Customer", customers[3].id, 1) == (
        stale.value.entity,
        stale.value.id,
        stale.value.expected_version,
    )
    assert 0 == len(lab.open().find(Customer, F.level == "A"))


def test_sixteen_threads_share_a_hundred_records(lab: Lab) -> None:
    """One record at a time, each to one of them; who comes second looks further behind the front."""
    maker = Maker()
    asking = lab.open()
    asking.add(*[maker.customer() for _ in range(100)])
    asking.commit()

    def claim(member: int) -> tuple[list[str], int]:
        claimed: list[str] = []
        lost = 0
        while True:
            asking = lab.open()
            try:
                before = asking.change(
                    Customer, F.owner_id.is_null(), {"owner_id": f"m{member}"}, order=[F.number], limit=1
                )
                asking.commit()
            except Transient:
                asking.rollback()
                lost += 1
                continue
            if not before:
                return claimed, lost
            claimed += [one.id for one in before]

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(claim, range(16)))

    claimed = [id for ids, _ in results for id in ids]
    assert (100, 100) == (len(claimed), len(set(claimed)))
    for member, (ids, _) in enumerate(results):
        assert sorted(ids) == lab.open().ids(Customer, F.owner_id == f"m{member}")
    # All from the front would lose about a thousand times.
    assert sum(lost for _, lost in results) < 200


def test_who_has_written_does_not_begin_anew(lab: Lab) -> None:
    """A change that meets a held record would lose what this transaction wrote before: the caller decides."""
    maker = Maker()
    customer = maker.customer()
    asking = lab.open()
    asking.add(customer)
    asking.commit()
    holder, asking = lab.open(), lab.open()
    holder.save(customer, level="A")
    asking.add(maker.customer(level="Z"))

    with pytest.raises(Transient):
        asking.change(Customer, F.level.is_null(), {"owner_id": "li"}, limit=1)
    asking.rollback()
    holder.commit()

    assert ["A"] == [one.level for one in lab.open().find(Customer)]


def test_change_reaches_past_a_held_record(lab: Lab) -> None:
    """What nobody holds is taken, though another holds the first one."""
    maker = Maker()
    customers = [maker.customer() for _ in range(20)]
    asking = lab.open()
    asking.add(*customers)
    asking.commit()
    holder, asking = lab.open(), lab.open()
    holder.save(customers[0], level="A")

    taken = asking.change(Customer, F.owner_id.is_null(), {"owner_id": "li"}, order=[F.number], limit=1)
    asking.commit()
    holder.commit()

    assert 1 == len(taken)
    assert taken[0].id != customers[0].id


def test_stream_keeps_to_one_moment(lab: Lab) -> None:
    """In any order but that of ids it reads a snapshot, and ends its session."""
    maker = Maker()
    asking = lab.open()
    asking.add(*[maker.customer(level="AB"[n % 2]) for n in range(30)])
    asking.commit()
    lab.notes.commands.clear()

    assert 30 == sum(map(len, lab.open().stream(Customer, order=[F.level], size=7)))
    assert "snapshot" == lab.notes.commands[0]["readConcern"]["level"]

    lab.notes.commands.clear()
    assert 30 == sum(map(len, lab.open().stream(Customer, size=7)))
    assert "majority" == lab.notes.commands[0]["readConcern"]["level"]


def test_hosts_session_is_joined(lab: Lab) -> None:
    """What is written is the host's to commit, and what waits for the commit happens when the host says so."""
    happened: list[str] = []
    customer = Maker().customer()
    with lab.client.start_session() as session:
        session.start_transaction()
        lab.client.get_default_database().orders.insert_one({"_id": 1}, session=session)
        joined = lab.asking(lab.backend.join(session, "t"))
        joined.add(customer)
        joined.after_commit(lambda: happened.append("done"))
        joined.commit()
        assert session.in_transaction
        assert [] == lab.open().find(Customer)
        assert [customer.id] == joined.ids(Customer)
        with pytest.raises(Misconfigured):
            joined.store.host_committed()  # type: ignore[attr-defined]  # a MongoStore's own

        session.commit_transaction()
        assert [] == happened
        joined.store.host_committed()  # type: ignore[attr-defined]  # a MongoStore's own

    assert ["done"] == happened
    assert [customer.id] == lab.open().ids(Customer)


def test_host_rolls_back_what_joined(lab: Lab) -> None:
    """Its rollback takes ours along; ours does nothing to it."""
    with lab.client.start_session() as session:
        session.start_transaction()
        lab.client.get_default_database().orders.insert_one({"_id": 1}, session=session)
        joined = lab.asking(lab.backend.join(session, "t"))
        joined.add(Maker().customer())
        joined.rollback()
        assert session.in_transaction
        session.abort_transaction()

    assert [] == lab.open().find(Customer)
    assert [] == lab.raw("orders")


def test_store_joins_another_one(lab: Lab) -> None:
    """As one Work joins another: one transaction, ended by whose it is."""
    happened: list[str] = []
    outer, maker = lab.open(), Maker()
    inner = lab.asking(lab.backend.join(outer.store, "t"))
    inner.add(maker.customer())
    inner.after_commit(lambda: happened.append("inner"))
    inner.commit()
    assert 1 == len(outer.find(Customer))
    assert [] == lab.open().find(Customer)
    assert [] == happened

    outer.commit()

    assert ["inner"] == happened
    assert 1 == len(lab.open().find(Customer))


def test_what_can_not_be_joined_is_refused(lab: Lab, mongodb_url: str) -> None:
    """A session without a transaction, one of another client, one of the other colour, another backend's store."""
    with (
        Client(mongodb_url) as stranger,
        stranger.start_session() as foreign,
        lab.client.start_session() as idle,
    ):
        foreign.start_transaction()
        elsewhere = MongoBackend(stranger, tuple(lab.schemas.values())).open("t")
        for handle in (foreign, idle, elsewhere, lab.client, "t"):
            with pytest.raises(Misconfigured):
                lab.backend.join(handle, "t")


async def _async_join(url: str, lab: Lab) -> list[str]:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        backend = MongoBackend(client, tuple(lab.schemas.values()))
        async with client.start_session() as session:
            async with await session.start_transaction():
                customer = Maker().customer()
                await run_plain(lambda: lab.asking(backend.join(session, "t")).add(customer))
                assert [] == lab.open().find(Customer)
            return await run_plain(lambda: lab.asking(backend.open("t")).ids(Customer))


def test_async_session_is_joined(lab: Lab, mongodb_url: str) -> None:
    """The same code through the other client."""
    import asyncio

    found = asyncio.run(_async_join(mongodb_url, lab))

    assert found == lab.open().ids(Customer)
    assert 1 == len(found)
