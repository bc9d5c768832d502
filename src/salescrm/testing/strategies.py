"""
Hypothesis strategies for random records and random questions about them; needs the package hypothesis.

Values come from small pools, so that random questions find something and random orders have ties; the pools hold what
engines have disagreed about: é ß İ, full width, emoji, signs of pattern languages, the first and the last moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, get_args

import attrs
from hypothesis import strategies as st

from salescrm.entities import Customer, Opportunity, OpportunityLine, Record
from salescrm.jsonable import unscaled
from salescrm.kinds import Extra
from salescrm.query import (
    EVERYTHING,
    NOTHING,
    Always,
    And,
    Bucket,
    Compare,
    Contains,
    Days,
    Has,
    IsNull,
    Measure,
    Not,
    OneOf,
    Or,
    Order,
    Query,
    Relative,
    Search,
    Span,
    StartsWith,
    Tally,
    Where,
)
from salescrm.query.nodes import Operator
from salescrm.testing.clock import START
from salescrm.testing.makers import Maker
from salescrm.values import Money, Region

__all__ = ["ENTITIES", "columns", "conditions", "queries", "records", "tallies"]

ENTITIES: Final[tuple[type[Record], ...]] = (Customer, Opportunity, OpportunityLine)

_MS: Final = timedelta(milliseconds=1)
_SIGNS: Final = (
    "a", "A", "b", " ", "é", "e",
    "\u0301", "ß", "s", "İ", "i", "ı", "ﬁ", "０", "0", "中", "😀", "%", "_", "\\", "$", ".", "'", '"', "\n", "*", "[",
)  # fmt: skip
_TEXT: Final = st.text(st.sampled_from(_SIGNS), max_size=4)
_KEY: Final = st.sampled_from(["", "A", "a", "a ", "ß", "ss", "İ", "中", "😀", "$ne"])
_MOMENT: Final = st.one_of(
    st.sampled_from([datetime(1000, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)]),
    st.integers(-3, 3).map(lambda n: START + n * _MS),
    st.integers(-40, 40).map(lambda n: START + timedelta(hours=n * 7)),
)  # fmt: skip
_DAY: Final = st.one_of(
    st.sampled_from([date(1000, 1, 1), date(9998, 12, 31), date(2024, 2, 29)]),
    st.integers(-2, 2).map(lambda n: date(2026, 3, 15) + timedelta(days=n)),
)
_WHOLE: Final = st.one_of(st.integers(-2, 3), st.sampled_from([-(2**53 - 1), 2**53 - 1, 2**31, -(2**31) - 1]))
_MONEY: Final = st.builds(Money, _WHOLE, st.sampled_from(["CNY", "JPY"]))
_DECIMAL: Final = st.one_of(
    st.integers(-30_000, 30_000), st.sampled_from([1000, 0, 2**53 - 1, 1 - 2**53])
).map(unscaled)
_EXTRA: Final = st.fixed_dictionaries(
    {},
    optional={
        "segment": _KEY,
        "seats": _WHOLE,
        "vip": st.booleans(),
        "renewal": _DAY.map(date.isoformat),
    },
).map(Extra)


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


# The fields that questions are about, by kind of value; hops are added below.

_OWN: Final[Mapping[type[Record], Mapping[str, st.SearchStrategy[Any]]]] = MappingProxyType(
    {
        Customer: {
            "name": _TEXT,
            "industry": _KEY,
            "level": _KEY,
            "founded_year": _WHOLE,
            "follow_up_count": st.integers(0, 2),
            "last_follow_up_at": _MOMENT,
            "purchase_deadline": _DAY,
            "lifecycle": st.sampled_from(["prospect", "active"]),
            "won_amount": _MONEY,
            "won_amount.minor": _WHOLE,
            "won_amount.currency": st.sampled_from(["CNY", "JPY", "EUR"]),
            "region.city": _KEY,
            "owner_id": _KEY,
            "extra.segment": _KEY,
            "extra.seats": _WHOLE,
            "extra.vip": st.booleans(),
            "extra.renewal": _DAY,
            "version": st.integers(1, 2),
        },
        Opportunity: {
            "name": _TEXT,
            "stage": _KEY,
            "status": st.sampled_from(["open", "won", "lost"]),
            "amount": _MONEY,
            "amount.currency": st.sampled_from(["CNY", "JPY", "EUR"]),
            "probability": st.integers(0, 2),
            "probability_overridden": st.booleans(),
            "expected_close": _DAY,
            "opened_at": _MOMENT,
            "closed_at": _MOMENT,
            "extra.segment": _KEY,
            "extra.seats": _WHOLE,
        },
        OpportunityLine: {"quantity": _DECIMAL, "price": _MONEY, "notes": _TEXT, "created_at": _MOMENT},
    }
)
_HOPS: Final[Mapping[type[Record], Mapping[str, type[Record]]]] = MappingProxyType(
    {
        Customer: {"parent": Customer},
        Opportunity: {"customer": Customer},
        OpportunityLine: {"opportunity": Opportunity},
    }
)
_TAGS: Final[Mapping[type[Record], tuple[str, ...]]] = MappingProxyType(
    {
        Customer: ("tags", "parent.tags"),
        Opportunity: ("tags", "customer.tags"),
        OpportunityLine: ("opportunity.tags",),
    }
)
_SPANS: Final[Mapping[type[Record], tuple[Span, ...]]] = MappingProxyType(
    {
        Customer: (Span("created_at", "last_follow_up_at"), Span("last_follow_up_at", "parent.last_follow_up_at")),
        Opportunity: (Span("opened_at", "closed_at"), Span("customer.last_follow_up_at", "opened_at")),
        OpportunityLine: (Span("created_at", "opportunity.closed_at"),),
    }
)  # fmt: skip


def _paths(entity: type[Record]) -> dict[str, st.SearchStrategy[Any]]:
    """Every path that a question about *entity* may name, with literals that fit it."""
    found = dict(_OWN[entity])
    for hop, target in _HOPS[entity].items():
        found |= {f"{hop}.{path}": values for path, values in _OWN[target].items()}
    return found


@st.composite
def records(draw: st.DrawFn, *, most: int = 5) -> list[Record]:
    """Up to *most* customers, opportunities and lines each, in any order, with references that may lead nowhere."""
    make = Maker()
    customers: list[Customer] = []
    for _ in range(draw(st.integers(0, most))):
        parent = draw(st.sampled_from([None, "gone", *[one.id for one in customers]]))
        given = {name: draw(_maybe(_OWN[Customer][name])) for name in (
            "industry", "level", "founded_year", "last_follow_up_at", "purchase_deadline", "won_amount", "owner_id",
        )}  # fmt: skip
        given |= {
            name: draw(_OWN[Customer][name]) for name in ("follow_up_count", "lifecycle", "version", "name")
        }
        given["name"] = given["name"] if given["name"].strip() else "x"
        tags = draw(st.lists(_KEY, max_size=3).map(tuple))
        region = Region(city=draw(_maybe(_KEY)))
        customers.append(
            make.customer(**given, parent_id=parent, tags=tags, region=region, extra=draw(_EXTRA))
        )
    deals: list[Opportunity] = []
    for _ in range(draw(st.integers(0, most))):
        customer = draw(st.sampled_from([None, "gone", *[one.id for one in customers]]))
        given = {
            name: draw(_maybe(_OWN[Opportunity][name])) for name in ("amount", "expected_close", "closed_at")
        }
        given |= {
            name: draw(_OWN[Opportunity][name])
            for name in ("status", "probability", "probability_overridden", "opened_at")
        }
        stage = draw(st.sampled_from(["A", "a", "中"]))
        tags = draw(st.lists(_KEY, max_size=2).map(tuple))
        deals.append(
            make.opportunity(**given, customer_id=customer, stage=stage, tags=tags, extra=draw(_EXTRA))
        )
    lines = [
        make.line(
            opportunity_id=draw(st.sampled_from(["gone", *[one.id for one in deals]])),
            quantity=draw(_DECIMAL),
            price=draw(_maybe(_MONEY)),
            notes=draw(_maybe(_TEXT)),
            created_at=draw(_MOMENT),
        )
        for _ in range(draw(st.integers(0, most // 2)))
    ]
    return draw(st.permutations([*customers, *deals, *lines]))


_OPERATOR: Final[st.SearchStrategy[Operator]] = st.sampled_from(get_args(Operator))
_RELATIVE: Final = st.one_of(
    st.builds(Relative, st.sampled_from(["day", "week", "month", "quarter", "year"]), st.integers(-3, 3)),
    st.integers(-5, 5).map(lambda n: Relative(None, delta=n * _MS)),
)
_TIMES: Final = ("_at", "purchase_deadline", "expected_close", "renewal")


@st.composite
def _leaf(draw: st.DrawFn, entity: type[Record]) -> Where:
    paths = _paths(entity)
    path = draw(st.sampled_from(sorted(paths)))
    values = paths[path]
    if path.endswith(_TIMES):
        values = st.one_of(values, _RELATIVE)
    textual = path.endswith(("name", "industry", "level", "city", "stage", "notes", "segment", "owner_id"))
    kinds = ["compare", "compare", "compare", "one_of", "null", "has", "span", "span_null", "always"]
    kinds += ["starts", "contains"] if textual else []
    kinds += ["search"] if entity is not OpportunityLine else []
    match draw(st.sampled_from(kinds)):
        case "compare":
            return Compare(path, draw(_OPERATOR), draw(values))
        case "one_of" if not path.endswith("amount") and not path.endswith("price"):
            return OneOf(path, tuple(draw(st.lists(paths[path], max_size=3))))
        case "has":
            return Has(draw(st.sampled_from(_TAGS[entity])), draw(_KEY))
        case "span":
            span = draw(st.sampled_from(_SPANS[entity]))
            literal = draw(st.integers(-2, 2)) * draw(
                st.sampled_from([_MS, timedelta(hours=7), timedelta(days=1)])
            )
            return Compare(span, draw(_OPERATOR), literal)
        case "span_null":
            return IsNull(draw(st.sampled_from(_SPANS[entity])))
        case "starts":
            return StartsWith(path, draw(_TEXT.filter(bool)))
        case "contains":
            return Contains(path, draw(_TEXT))
        case "search":
            return Search(draw(_TEXT))
        case "always":
            return Always(draw(st.booleans()))
        case _:
            return IsNull(path)


def conditions(entity: type[Record]) -> st.SearchStrategy[Where]:
    """Conditions about *entity*: any kind of field, reference, span and list, joined and negated."""
    leaves = st.one_of(_leaf(entity), st.sampled_from([EVERYTHING, NOTHING]))

    def joined(inner: st.SearchStrategy[Where]) -> st.SearchStrategy[Where]:
        parts = st.lists(inner, max_size=3).map(tuple)
        return st.one_of(st.builds(And, parts), st.builds(Or, parts), st.builds(Not, inner))

    return st.recursive(leaves, joined, max_leaves=6)


_SORTABLE: Final[Mapping[type[Record], tuple[str, ...]]] = MappingProxyType(
    {
        Customer: (
            "name", "industry", "founded_year", "follow_up_count", "last_follow_up_at", "purchase_deadline",
            "won_amount", "region.city", "lifecycle", "id",
        ),
        Opportunity: ("stage", "status", "amount", "probability_overridden", "closed_at", "expected_close", "number"),
        OpportunityLine: ("quantity", "price", "notes"),
    }
)  # fmt: skip


def queries(entity: type[Record]) -> st.SearchStrategy[Query]:
    """Pages of *entity* by a random condition, in a random order, of a random size."""
    order = st.lists(
        st.builds(Order, st.sampled_from(_SORTABLE[entity]), st.booleans()),
        max_size=3,
        unique_by=lambda one: one.path,
    )
    limits = st.one_of(st.integers(0, 5), st.just(10_000))
    return st.builds(Query, where=conditions(entity), order=order.map(tuple), limit=limits)


def columns(entity: type[Record]) -> st.SearchStrategy[Sequence[Any]]:
    """What to project of *entity*: fields, values across a hop, lists, spans."""
    some = [*sorted(_paths(entity)), *_TAGS[entity], *_SPANS[entity]]
    return st.lists(st.sampled_from(some), min_size=1, max_size=4)


@st.composite
def tallies(draw: st.DrawFn, entity: type[Record]) -> Tally:
    """Tables of numbers about *entity*; money is measured where its currency is a key."""
    paths = _paths(entity)
    money = [path for path in paths if path.endswith(("amount", "price"))]
    plain = sorted(paths.keys() - set(money))
    times = [path for path in plain if path.endswith("_at")]
    days = [path for path in plain if path.endswith(_TIMES) and path not in times]
    keys: list[Any] = draw(st.lists(st.sampled_from(plain), max_size=2))
    if draw(st.booleans()):
        edges = tuple(
            START + timedelta(hours=7 * n) for n in draw(st.sets(st.integers(-9, 9), min_size=2, max_size=4))
        )
        keys.append(Bucket(draw(st.sampled_from(times)), tuple(sorted(edges))))
    if draw(st.booleans()) and days:
        keys.append(
            Bucket(draw(st.sampled_from(days)), (date(2026, 3, 14), date(2026, 3, 15), date(2026, 3, 17)))
        )
    if draw(st.booleans()):
        keys.append(Days(draw(st.sampled_from(_SPANS[entity]))))
    numbers = [
        path
        for path in plain
        if path.endswith(("year", "count", "seats", "quantity", "probability", "minor"))
    ]
    measures = st.one_of(
        st.just(Measure("count")),
        conditions(entity).map(lambda where: Measure("count", where=where)),
        st.builds(Measure, st.sampled_from(["total", "mean"]), st.sampled_from(numbers or ["version"])),
        st.builds(Measure, st.sampled_from(["total", "mean", "min", "max"]), st.sampled_from(_SPANS[entity])),
        st.builds(
            Measure,
            st.sampled_from(["min", "max"]),
            st.sampled_from([path for path in plain if not path.endswith(("vip", "overridden"))]),
        ),
        st.builds(Measure, st.just("distinct"), st.sampled_from(plain)),
    )
    found = draw(st.lists(measures, min_size=1, max_size=4))
    if draw(st.booleans()) and money:
        path = draw(st.sampled_from(money))
        keys.append(f"{path}.currency")
        found.append(Measure(draw(st.sampled_from(["total", "min", "max", "mean"])), path))
    return Tally(by=tuple(keys), measures=tuple(found), where=draw(conditions(entity)))


@attrs.frozen
class Question:
    """One question of any kind about *entity*."""

    entity: type[Record]
    asked: Query | Tally
    columns: tuple[Any, ...] = ()


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A page, a projection or a tally."""
    entity = draw(st.sampled_from(ENTITIES))
    match draw(st.sampled_from(["page", "columns", "tally"])):
        case "page":
            return Question(entity, draw(queries(entity)))
        case "columns":
            return Question(entity, draw(queries(entity)), tuple(draw(columns(entity))))
        case _:
            return Question(entity, draw(tallies(entity)))
