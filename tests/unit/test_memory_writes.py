"""The memory backend from inside: unique keys, versions, indexes, streams and changes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs
import pytest

from salescrm.backends.memory import MemoryBackend
from salescrm.errors import Duplicate, StaleWrite
from salescrm.kinds import Extra
from salescrm.plans import Asked, Cmp, FindPlan
from salescrm.storage import Delete, Insert, Replace
from salescrm.values import Money, Region
from tests.unit.deals import DEALS, EVERY, NOON, deal, ids, put, ref, sort_keys

BY_STAGE: Final = FindPlan(DEALS, Cmp(ref("stage"), "eq", 0), sort_keys("opened_at", "id"))


@pytest.fixture
def backend() -> MemoryBackend:
    """An engine that nobody waits for long."""
    return MemoryBackend(lock_timeout=0.05)


def test_key_is_free_once_its_holder_lets_go(backend: MemoryBackend) -> None:
    """By deletion or by taking another; also within one transaction, also in exchange."""
    put(backend, Insert(DEALS, [deal("1", number="C1"), deal("2", number="C2"), deal("3", number="C3")]))

    put(
        backend,
        Delete(DEALS, "3", 1),
        Replace(DEALS, deal("1", number="C3", version=2), 1),
        Replace(DEALS, deal("2", number="C1", version=2), 1),
        Insert(DEALS, [deal("4", number="C2")]),
    )

    number = FindPlan(DEALS, Cmp(ref("number"), "eq", 0))
    holders = [
        [one.id for one in backend.open("t").find(Asked(number, [text]))] for text in ("C1", "C2", "C3")
    ]
    assert [["2"], ["4"], ["1"]] == holders
    for taken in ("C1", "C2", "C3"):
        store = backend.open("t")
        with pytest.raises(Duplicate):
            store.write(Insert(DEALS, [deal("9", number=taken)]))
        store.rollback()


@pytest.mark.parametrize("where", ["committed", "written", "same batch"])
def test_taken_key_is_refused(backend: MemoryBackend, where: str) -> None:
    """Wherever its holder is; the error names the key."""
    holder, second = deal("1", firm_id="f1", name="one"), deal("2", firm_id="f1", name="one")
    if where == "committed":
        put(backend, Insert(DEALS, [holder]))
    store = backend.open("t")
    if where == "written":
        store.write(Insert(DEALS, [holder]))

    with pytest.raises(Duplicate) as refusal:
        store.write(Insert(DEALS, [holder, second] if where == "same batch" else [second]))

    assert ("Deal", ("firm_id", "name")) == (refusal.value.entity, refusal.value.key)


def test_key_with_a_null_in_it_is_no_key(backend: MemoryBackend) -> None:
    """As in SQL."""
    put(backend, Insert(DEALS, [deal("1", name="one"), deal("2", name="one")]))

    assert ["1", "2"] == ids(backend.open("t"))


def test_id_is_taken_once(backend: MemoryBackend) -> None:
    """An id that was deleted in the same transaction is free again."""
    put(backend, Insert(DEALS, [deal("1")]))
    put(backend, Delete(DEALS, "1", 1), Insert(DEALS, [deal("1", score=5)]))
    store = backend.open("t")

    with pytest.raises(Duplicate) as refusal:
        store.write(Insert(DEALS, [deal("2"), deal("1")]))

    assert ("id",) == refusal.value.key
    store.rollback()
    assert ["1"] == ids(backend.open("t"))


@pytest.mark.parametrize(
    "write",
    [
        Replace(DEALS, deal("1", version=4), 3),
        Replace(DEALS, deal("2", version=2), 1),
        Delete(DEALS, "1", 3),
        Delete(DEALS, "2", 1),
    ],
)
def test_stale_write_names_the_record(backend: MemoryBackend, write: Replace | Delete) -> None:
    """Moved on or gone."""
    put(backend, Insert(DEALS, [deal("1", version=7)]))

    with pytest.raises(StaleWrite) as refusal:
        backend.open("t").write(write)

    assert ("Deal", write.expected_version) == (refusal.value.entity, refusal.value.expected_version)


# Indexes.


def test_index_is_made_once_and_kept_current(backend: MemoryBackend) -> None:
    """Through commits of every kind; a record that keeps its place is not moved."""
    put(backend, Insert(DEALS, [deal(f"{n:03d}", stage="ab"[n % 2], opened_at=NOON) for n in range(100)]))
    plan = Asked(BY_STAGE, ["a"])
    assert [f"{n:03d}" for n in range(0, 100, 2)] == [one.id for one in backend.open("t").find(plan)]
    table = backend.open("t").transaction.committed.table("t", DEALS)
    made = dict(table._indexes)

    put(
        backend,
        Delete(DEALS, "000", 1),
        Replace(DEALS, deal("001", stage="a", opened_at=NOON, version=2), 1),
        Replace(DEALS, deal("002", stage="a", opened_at=NOON, score=1, version=2), 1),
        Insert(DEALS, [deal("003a", stage="a", opened_at=NOON)]),
    )

    expected = ["001", "002", "003a", *[f"{n:03d}" for n in range(4, 100, 2)]]
    assert expected == [one.id for one in backend.open("t").find(plan)]
    assert {("stage", "opened_at")} == set(made) == set(table._indexes)
    assert all(table._indexes[columns] is made[columns] for columns in made)


def test_stream_gives_every_record_once_whatever_happens_meanwhile(backend: MemoryBackend) -> None:
    """In lists of the size asked for, the last one shorter."""
    put(backend, Insert(DEALS, [deal(f"{n}") for n in range(8)]))
    lists = backend.open("t").stream(Asked(EVERY, []), size=3)
    first = next(lists)
    put(backend, Delete(DEALS, "7", 1), Insert(DEALS, [deal("00")]))

    assert [["0", "1", "2"], ["3", "4", "5"], ["6", "7"]] == [
        [one.id for one in part] for part in (first, *lists)
    ]


# change()


@pytest.mark.parametrize(
    "values, changed",
    [
        ({"stage": "won", "won": True}, {"stage": "won", "won": True}),
        ({"stage": None}, {"stage": None}),
        ({"tags": ["x"], "extra": {"grade": "B"}}, {"tags": ("x",), "extra": Extra(grade="B")}),
        ({"amount": 500}, {"amount": Money(500, "CNY")}),
        ({"amount": 500, "amount_currency": "USD"}, {"amount": Money(500, "USD")}),
        ({"amount": None, "amount_currency": None}, {"amount": None}),
        ({"region_city": "杭州"}, {"region": Region(province="浙江", city="杭州")}),
        ({"rate": 12_500}, {"rate": Decimal("1.25")}),
        ({"name": "new", "search_text": "new\nopen"}, {"name": "new"}),
    ],
)
def test_change_sets_columns(backend: MemoryBackend, values: dict[str, Any], changed: dict[str, Any]) -> None:
    """Also those that are a part of a value; the version goes up; the caller gets the record as it was."""
    before = deal(
        "1",
        stage="open",
        amount=Money(100, "CNY"),
        region=Region(province="浙江"),
        tags=("t",),
        opened_at=NOON,
    )
    put(backend, Insert(DEALS, [before]))
    store = backend.open("t")

    assert [before] == store.change(Asked(EVERY, []), values)
    store.commit()

    assert attrs.evolve(before, version=2, **changed) == backend.open("t").get(DEALS, "1")


def test_change_keeps_unique_keys(backend: MemoryBackend) -> None:
    """Two records can't be given one number."""
    put(backend, Insert(DEALS, [deal("1"), deal("2")]))

    with pytest.raises(Duplicate):
        backend.open("t").change(Asked(EVERY, []), {"number": "C1"})
