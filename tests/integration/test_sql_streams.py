"""Streams over SQL: one moment throughout, several at once, and nothing left behind by one that was left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from salescrm.entities import Customer, Member
from salescrm.query import EVERYTHING, F, Order
from salescrm.storage import Insert
from salescrm.values import Id
from tests import servers
from tests.integration.sql_lab import SCHEMAS, Lab, lab, overhearing, own

CUSTOMERS = SCHEMAS["customers"]
ENGINES = ["sqlite", "postgres", *(["mariadb"] if servers.missing("mariadb") is None else [])]


@pytest.fixture(params=ENGINES)
def at(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with lab(request.getfixturevalue(f"{request.param}_url")) as made:
        made.seed(CUSTOMERS, *(made.make.customer(name=f"n{n % 7}") for n in range(100)))
        yield made


def _everyone(at: Lab) -> Iterator[list[Customer]]:
    asked = at.checker.all(CUSTOMERS, EVERYTHING, (Order("name", descending=True),), at.context)
    return at.open().stream(asked, size=8)


def test_a_stream_is_of_one_moment(at: Lab) -> None:
    """A record that moves within the order meanwhile comes once all the same."""
    stream = _everyone(at)
    seen = [one.id for one in next(stream)]
    other = at.open()
    other.change(at.asked(CUSTOMERS, limit=1000), {"name": "a"})
    other.commit()
    seen += [one.id for chunk in stream for one in chunk]
    assert 100 == len(seen) == len(set(seen))


def test_streams_of_one_store_run_side_by_side(at: Lab) -> None:
    store = at.open()
    asked = at.checker.all(CUSTOMERS, EVERYTHING, (), at.context)
    first, second = store.stream(asked, size=30), store.stream(asked, size=30)
    pairs = list(zip(first, second, strict=True))
    assert [30, 30, 30, 10] == [len(left) for left, _ in pairs]
    assert all(left == right for left, right in pairs)
    assert store.get(CUSTOMERS, pairs[0][0][0].id) == pairs[0][0][0]
    store.rollback()


def test_a_stream_that_was_left_leaves_its_connection_clean(at: Lab) -> None:
    store = at.open()
    stream = store.stream(at.checker.all(CUSTOMERS, EVERYTHING, (), at.context), size=5)
    next(stream)
    store.rollback()
    # The same connection, from the pool: it has no transaction open, and another's writes don't wait for it.
    writer = at.open()
    writer.write(Insert(CUSTOMERS, [own(CUSTOMERS, at.make.customer())]))
    writer.commit()
    del stream
    assert 101 == len(at.open().find(at.asked(CUSTOMERS, limit=1000)))


def test_a_stream_inside_a_transaction_sees_what_it_wrote(at: Lab) -> None:
    store = at.open()
    store.write(Insert(CUSTOMERS, [own(CUSTOMERS, at.make.customer())]))
    asked = at.checker.all(CUSTOMERS, EVERYTHING, (), at.context)
    assert 101 == sum(len(chunk) for chunk in store.stream(asked, size=40))
    store.rollback()
    assert 100 == len(at.open().find(at.asked(CUSTOMERS, limit=1000)))


def test_reading_a_stream_does_not_make_psycopg_forget_what_it_prepared(postgres_url: str) -> None:
    with lab(postgres_url) as at, overhearing(at.backend) as said:
        store = at.open()
        assert [] == list(store.stream(at.checker.all(CUSTOMERS, EVERYTHING, (), at.context), size=5))
        store.rollback()
    assert ["BEGIN", "DECLARE", "FETCH", "CLOSE", "COMMIT"] == said


def test_a_change_may_ask_about_a_followed_record(at: Lab) -> None:
    """The record is locked and changed, what it refers to is neither."""
    members = SCHEMAS["members"]
    li: Member = own(members, at.make.member(id=Id("li"), name="Li"))
    at.seed(members, li)
    at.seed(CUSTOMERS, at.make.customer(owner_id=li.id), at.make.customer(owner_id=Id("bo")))
    store = at.open()
    changed = store.change(at.asked(CUSTOMERS, F.owner.name == "Li"), {"owner_id": None})
    assert ["li"] == [one.owner_id for one in changed]
    assert li == store.get(members, "li")
    store.commit()
