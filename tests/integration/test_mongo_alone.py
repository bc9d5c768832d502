"""A MongoDB without transactions, a standalone server: what the backend says of itself, and what still holds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from salescrm.entities import Customer
from salescrm.errors import Duplicate, Misconfigured, StaleWrite
from salescrm.query import EVERYTHING, F
from salescrm.storage import Capabilities, Replace
from salescrm.testing.makers import Maker
from tests import servers
from tests.integration.mongo_lab import Lab, open_lab

pytestmark = pytest.mark.engine("mongodb")


@pytest.fixture(scope="module")
def server() -> Iterator[servers.Server]:
    try:
        server = servers.Server("mongodb", "--standalone")
    except servers.Unavailable as lacking:
        pytest.skip(str(lacking))
    yield server
    server.stop()


@pytest.fixture
def lab(server: servers.Server) -> Iterator[Lab]:
    url = server.url.partition("/?")[0]
    with open_lab(f"{url}/alone_{uuid4().hex}") as lab:
        yield lab


def test_says_that_it_has_no_transactions(lab: Lab) -> None:
    """And takes no host's session; a store joins another all the same."""
    assert Capabilities(transactions=False, joinable=("MongoStore",)) == lab.backend.capabilities
    with lab.client.start_session() as session:
        session.start_transaction()
        with pytest.raises(Misconfigured):
            lab.backend.join(session, "t")
    lab.asking(lab.backend.join(lab.open().store, "t")).add(Maker().customer())
    assert 1 == len(lab.open().find(Customer))


def test_writes_stand_at_once(lab: Lab) -> None:
    """No transaction is asked of the server; effects still wait for the commit."""
    happened: list[str] = []
    asking = lab.open()
    asking.add(Maker().customer())
    asking.after_commit(lambda: happened.append("done"))
    assert 1 == len(lab.open().find(Customer))
    assert [] == happened
    assert not any("txnNumber" in one or "startTransaction" in one for one in lab.notes.commands)

    asking.commit()

    assert ["done"] == happened
    assert "commitTransaction" not in lab.notes.names


@pytest.mark.parametrize("clash", ["number", "id"])
def test_failed_insert_takes_back_what_it_had_inserted(lab: Lab, clash: str) -> None:
    """And nothing else: the record that was there before stays."""
    maker = Maker()
    there = maker.customer(number="N1")
    asking = lab.open()
    asking.add(there)
    taken = maker.customer(number="N1") if clash == "number" else maker.customer(id=there.id)

    with pytest.raises(Duplicate) as duplicate:
        asking.add(*[maker.customer() for _ in range(3)], taken, maker.customer())
    asking.rollback()

    assert (clash,) == duplicate.value.key
    assert [there.id] == lab.open().ids(Customer)


def test_nothing_behind_a_stale_write_is_written(lab: Lab) -> None:
    """They go one by one here."""
    maker, schema = Maker(), lab.schemas["customers"]
    customers = [maker.customer() for _ in range(3)]
    asking = lab.open()
    asking.add(*customers)
    expected = [1, 7, 1]

    with pytest.raises(StaleWrite) as stale:
        asking.store.write(
            *[
                Replace(schema, schema.evolve(asking.own(one), {"version": 2, "level": "A"}), version)
                for one, version in zip(customers, expected, strict=True)
            ]
        )

    assert customers[1].id == stale.value.id
    assert [customers[0].id] == lab.open().ids(Customer, F.level == "A")


def test_change_goes_to_the_limit_once_each(lab: Lab) -> None:
    """Also where what is set leaves the record matching."""
    maker = Maker()
    asking = lab.open()
    asking.add(*[maker.customer() for _ in range(7)])

    changed = asking.change(Customer, EVERYTHING, {"level": "A"}, order=[F.number], limit=5)

    assert 5 == len({one.id for one in changed})
    assert [2] * 5 + [1] * 2 == [one.version for one in lab.open().find(Customer, order=[F.number])]


def test_threads_share_the_records(lab: Lab) -> None:
    """Each record to one of them, none left over: who comes second looks again."""
    maker = Maker()
    asking = lab.open()
    asking.add(*[maker.customer() for _ in range(40)])

    def claim(member: int) -> list[str]:
        claimed: list[str] = []
        while before := lab.open().change(
            Customer, F.owner_id.is_null(), {"owner_id": f"m{member}"}, order=[F.number], limit=3
        ):
            claimed += [one.id for one in before]
        return claimed

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(claim, range(8)))

    claimed = [id for ids in results for id in ids]
    assert (40, 40) == (len(claimed), len(set(claimed)))
    assert [2] * 40 == [one.version for one in lab.open().find(Customer)]
