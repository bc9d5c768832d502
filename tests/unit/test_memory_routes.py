"""How the memory backend reaches records: which way it chooses, and that every way finds the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salescrm import meaning
from salescrm.backends.memory import MemoryBackend
from salescrm.backends.memory.routes import route
from salescrm.backends.memory.ways import ById, ByKey, Walk
from salescrm.plans import (
    After,
    AllOf,
    AnyOf,
    Asked,
    Cmp,
    Condition,
    Const,
    FindPlan,
    InSlot,
    Negated,
    Null,
    Starts,
)
from salescrm.query.nodes import Operator
from salescrm.storage import Delete, Insert, Replace
from salescrm.values import Id
from tests.unit.deals import DEALS, FIRM, FIRMS, NOON, OPERATORS, Deal, Firm, found, ref, sort_keys

# The choice.

STAGE: Final = Cmp(ref("stage"), "eq", 0)
SINCE: Final = Cmp(ref("opened_at"), "ge", 1)
WALKS: Final = [
    # where, order, limited: index, columns fixed, narrowed, in order, descending, anything left to test
    (STAGE, ("opened_at", "id"), True, ("stage", "opened_at"), 1, 0, True, False, False),
    (STAGE, ("-opened_at", "-id"), True, ("stage", "opened_at"), 1, 0, True, True, False),
    (STAGE, ("opened_at", "-id"), True, ("stage", "opened_at"), 1, 0, False, False, False),
    (STAGE, ("stage", "opened_at", "id"), True, ("stage", "opened_at"), 1, 0, True, False, False),
    (STAGE, ("name", "id"), True, ("stage", "opened_at"), 1, 0, False, False, False),
    (AllOf((STAGE, SINCE)), ("opened_at", "id"), True, ("stage", "opened_at"), 1, 1, True, False, False),
    (AllOf((SINCE, AllOf((STAGE,)))), (), False, ("stage", "opened_at"), 1, 1, True, False, False),
    (Null(ref("stage")), ("-opened_at", "-id"), True, ("stage", "opened_at"), 1, 0, True, True, False),
    (InSlot(ref("stage"), 0), ("opened_at", "id"), True, ("stage", "opened_at"), 1, 0, True, False, False),
    (Starts(ref("stage"), 0), (), False, ("stage", "opened_at"), 0, 1, True, False, False),
    (Negated(Null(ref("opened_at"))), (), False, ("opened_at",), 0, 1, True, False, False),
    (SINCE, ("opened_at", "id"), False, ("opened_at",), 0, 1, True, False, False),
    (Const(True), ("-opened_at", "-id"), True, ("opened_at",), 0, 0, True, True, False),
    (
        AllOf((STAGE, ListedIn := InSlot(ref("score"), 1))),
        (),
        False,
        ("stage", "opened_at"),
        1,
        0,
        True,
        False,
        True,
    ),
    (
        AllOf((Cmp(ref("won"), "eq", 2), STAGE, ListedIn)),
        ("id",),
        True,
        ("won", "stage", "score"),
        3,
        0,
        True,
        False,
        False,
    ),
]


@pytest.mark.parametrize("where, order, limited, columns, fixed, narrowed, in_order, descending, rest", WALKS)
def test_walk_takes_the_index_that_leaves_least_to_do(
    where: Condition,
    order: tuple[str, ...],
    limited: bool,
    columns: tuple[str, ...],
    fixed: int,
    narrowed: int,
    in_order: bool,
    descending: bool,
    rest: bool,
) -> None:
    """Fixed columns first, then the order or a narrower range."""
    way = route(DEALS, where, sort_keys(*order), limited=limited).way

    assert isinstance(way, Walk)
    assert (columns, fixed, narrowed, in_order, descending, rest) == (
        way.columns,
        len(way.bound),
        len(way.narrowing),
        way.in_order,
        way.descending,
        way.rest is not None,
    )


def test_next_page_starts_where_the_last_one_ended() -> None:
    """No record of an earlier page is tested again."""
    keys = sort_keys("-opened_at", "-id")
    way = route(DEALS, AllOf((STAGE, After(keys, (1, 2), (False, False)))), keys, limited=True).way

    assert isinstance(way, Walk)
    assert way.after is not None
    assert way.rest is None


def test_id_and_unique_key_lead_to_the_record() -> None:
    """Ahead of any index; what else is asked is tested on it."""
    by_id = route(DEALS, AllOf((STAGE, Cmp(ref("id"), "eq", 1)))).way
    by_number = route(DEALS, Cmp(ref("number"), "eq", 0)).way
    by_both = route(DEALS, AllOf((Cmp(ref("name"), "eq", 0), Cmp(ref("firm_id"), "eq", 1)))).way

    assert isinstance(by_id, ById)
    assert by_id.rest is not None
    assert isinstance(by_number, ByKey)
    assert by_number.rest is None
    assert isinstance(by_both, ByKey)
    assert (1, 0) == by_both.slots


@pytest.mark.parametrize(
    "where, order, limited",
    [
        (Const(True), (), False),
        (Const(True), ("opened_at", "id"), False),
        (Const(True), ("name", "id"), True),
        (AnyOf((STAGE, SINCE)), (), False),
        (Negated(STAGE), (), False),
        (Cmp(ref("stage"), "ne", 0), (), False),
        (Cmp(ref("industry", FIRM), "eq", 0), (), False),
        (Cmp(ref("extra", key="grade"), "eq", 0), (), False),
    ],
)
def test_without_an_index_that_helps_every_record_is_looked_at(
    where: Condition, order: tuple[str, ...], limited: bool
) -> None:
    """Also where an index only helps to sort all of them."""
    assert route(DEALS, where, sort_keys(*order), limited=limited).way is None


def test_route_goes_with_its_plan() -> None:
    """A host that asks ever new shapes does not fill the memory."""
    backend = MemoryBackend()
    plan = FindPlan(DEALS, STAGE, sort_keys("opened_at", "id"))
    backend.open("t").find(Asked(plan, ["a"]))
    gone = weakref.ref(plan)

    del plan
    gc.collect()

    assert gone() is None


# Every way finds the same.

MANY: Final = [
    Deal(id=Id(f"{n:03d}"), name=f"{n}", stage=stage, won=won, score=score, opened_at=opened_at)
    for n, (stage, won, score, opened_at) in enumerate(
        product(
            (None, "", "a", "ab", "b"), (None, False, True), (None, 0, 1), (None, NOON, NOON + timedelta(1))
        )
    )
]
NARROW: Final[list[Condition]] = [
    Const(True),
    *[Cmp(ref("opened_at"), operator, 1) for operator in OPERATORS],
    Null(ref("opened_at")),
    Negated(Null(ref("opened_at"))),
    AllOf((Cmp(ref("opened_at"), "gt", 1), Cmp(ref("opened_at"), "le", 2))),
]
FIX: Final[list[Condition]] = [
    Const(True),
    Cmp(ref("stage"), "eq", 0),
    Null(ref("stage")),
    Starts(ref("stage"), 0),
    InSlot(ref("stage"), 3),
    AllOf((Cmp(ref("won"), "eq", 4), InSlot(ref("stage"), 3))),
    AllOf((InSlot(ref("won"), 5), InSlot(ref("stage"), 3))),
    AllOf((Null(ref("won")), Cmp(ref("stage"), "eq", 0), Cmp(ref("score"), "ge", 6))),
]
VALUES: Final = ["a", NOON, NOON + timedelta(1), ("b", "a", "a", "none"), False, (True, False), 0]


@pytest.mark.parametrize(
    "order", [(), ("opened_at", "id"), ("-opened_at", "-id"), ("-score", "-id"), ("stage", "score", "id")]
)
@pytest.mark.parametrize("fix", range(len(FIX)))
@pytest.mark.parametrize("narrow", range(len(NARROW)))
def test_range_holds_what_its_conditions_hold_for(order: tuple[str, ...], fix: int, narrow: int) -> None:
    """Each kind of condition on each place of an index, each order, from the start and behind each tenth record."""
    store = MemoryBackend().open("t")
    store.write(Insert(DEALS, MANY))
    keys = sort_keys(*order)
    where = AllOf((FIX[fix], NARROW[narrow]))
    test = meaning.condition(DEALS, where)
    matching = [one for one in MANY if test(one, VALUES, found)]
    expected = meaning.sorted_by(DEALS, keys)(matching, None)

    assert {one.id for one in expected} == {
        one.id for one in store.find(Asked(FindPlan(DEALS, where, keys), VALUES))
    }
    for at in range(0, len(expected) if order else 0, 10):
        last = [DEALS.getters[key.column.name](expected[at]) for key in keys]
        slots = tuple(range(len(VALUES), len(VALUES) + len(last)))
        after = After(keys, slots, tuple(one is None for one in last))
        page = FindPlan(DEALS, AllOf((where, after)), keys, limit_slot=len(VALUES) + len(last))
        assert expected[at + 1 : at + 6] == store.find(Asked(page, [*VALUES, *last, 5]))


TEXTS: Final = ("", "a", "ab", "a\U0010ffff", "b", "é", "😀")
MOMENTS: Final = [NOON + timedelta(milliseconds=n) for n in range(6)]
DRAWN: Final[st.SearchStrategy[dict[str, Any]]] = st.builds(
    dict,
    stage=st.sampled_from((None, *TEXTS)),
    firm_id=st.sampled_from((None, "f0", "f1", "gone")),
    won=st.sampled_from((None, False, True)),
    score=st.sampled_from((None, -1, 0, 1)),
    opened_at=st.sampled_from((None, *MOMENTS)),
)


@st.composite
def conditions(draw: st.DrawFn, values: list[Any]) -> Condition:
    """A condition, its slots' values appended to *values*."""

    def slot(value: Any) -> int:
        values.append(value)
        return len(values) - 1

    operators: st.SearchStrategy[Operator] = st.sampled_from(("eq", "eq", "ne", "lt", "le", "gt", "ge"))
    parts: list[Condition] = []
    for _ in range(draw(st.integers(0, 4))):
        name, choices = draw(
            st.sampled_from(
                (
                    ("stage", TEXTS),
                    ("opened_at", MOMENTS),
                    ("won", (False, True)),
                    ("score", (-1, 0, 1)),
                    ("id", "id"),
                )
            )
        )
        if name == "id":
            choices = [f"{n:03d}" for n in range(0, 200, 7)]
        value = st.sampled_from(choices)
        match draw(st.integers(0, 7)):
            case 0:
                part: Condition = InSlot(ref(name), slot(tuple(draw(st.lists(value, max_size=4)))))
            case 1:
                part = Null(ref(name))
            case 2:
                part = Negated(Null(ref(name)))
            case 3:
                part = Starts(ref("stage"), slot(draw(st.sampled_from(TEXTS[1:]))))
            case 4:
                part = Cmp(ref("industry", FIRM), "eq", slot(draw(st.sampled_from(("i0", "i1")))))
            case _:
                part = Cmp(ref(name), draw(operators), slot(draw(value)))
        parts.append(Negated(part) if draw(st.integers(0, 5)) == 0 else part)
    return AllOf(tuple(parts)) if draw(st.integers(0, 5)) else AnyOf(tuple(parts))


ORDERS: Final[st.SearchStrategy[tuple[str, ...]]] = st.sampled_from(
    (
        (),
        ("id",),
        ("-id",),
        ("opened_at", "id"),
        ("-opened_at", "-id"),
        ("-opened_at", "id"),
        ("stage", "opened_at", "id"),
        ("-stage", "-opened_at", "-id"),
        ("score", "id"),
        ("-score", "-id"),
        ("stage", "-score", "-id"),
        ("won", "stage", "score", "id"),
    )
)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), drawn=st.lists(DRAWN, min_size=90, max_size=130), dirty=st.booleans())
def test_every_way_finds_what_looking_at_all_finds(
    data: st.DataObject, drawn: list[Any], dirty: bool
) -> None:
    """Committed or written by this very transaction; first page or next."""
    backend = MemoryBackend()
    records = {f"{n:03d}": Deal(id=Id(f"{n:03d}"), name=f"{n}", **one) for n, one in enumerate(drawn)}
    firms = {f"f{n}": Firm(id=Id(f"f{n}"), industry=f"i{n}") for n in range(2)}
    with_half = list(records.values())[: len(records) // 2] if dirty else list(records.values())
    store = backend.open("t")
    store.write(Insert(FIRMS, list(firms.values())), Insert(DEALS, with_half))
    store.commit()
    store = backend.open("t")
    if dirty:
        _disturb(store, records, with_half)

    values: list[Any] = []
    where = data.draw(conditions(values))
    names: tuple[str, ...] = data.draw(ORDERS)
    order = sort_keys(*names)
    limit = data.draw(st.sampled_from((None, 0, 1, 10, 500)))
    paged: bool = data.draw(st.booleans())
    if order and paged:
        last = data.draw(st.sampled_from(list(records.values())))
        key_values = [DEALS.getters[key.column.name](last) for key in order]
        slots = tuple(range(len(values), len(values) + len(order)))
        where = AllOf((where, After(order, slots, tuple(one is None for one in key_values))))
        values += key_values
    values.append(limit)
    plan = FindPlan(DEALS, where, order, limit_slot=len(values) - 1 if limit is not None else None)

    test = meaning.condition(DEALS, where)
    matching = [one for one in records.values() if test(one, values, lambda _, one: firms.get(one))]
    expected = meaning.sorted_by(DEALS, order)(matching, None)
    # The second time with the index that the first one made.
    for _ in range(2):
        answer = store.find(Asked(plan, values))
        if order:
            assert expected[:limit] == answer
        else:
            assert len(expected[:limit]) == len(answer)
            assert {one.id for one in expected} >= {one.id for one in answer}


def _disturb(store: Any, records: dict[str, Deal], committed: Sequence[Deal]) -> None:
    """Writes the other half, moves some of the committed records and takes some away, in *records* too."""
    others = [record for record in records.values() if record not in committed]
    store.write(Insert(DEALS, others))
    for number, record in enumerate(committed):
        if number % 5 == 0:
            store.write(Delete(DEALS, record.id, 1))
            del records[record.id]
        elif number % 3 == 0:
            moved = Deal(id=record.id, name=record.name, stage="b", opened_at=MOMENTS[number % 6], version=2)
            store.write(Replace(DEALS, moved, 1))
            records[record.id] = moved
