"""The fields that random records fill and random questions are about, with small pools of values for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, Final, ParamSpec, TypeVar, cast

from hypothesis import strategies as st

from salescrm.entities import Customer, Opportunity, OpportunityLine, Record
from salescrm.jsonable import unscaled
from salescrm.kinds import Extra
from salescrm.query import Span
from salescrm.testing.clock import START
from salescrm.values import Money

__all__ = [
    "DAY",
    "DECIMAL",
    "EXTRA",
    "KEY",
    "MOMENT",
    "MONEY",
    "MS",
    "OWN",
    "PROSE",
    "SORTABLE",
    "SPANS",
    "TAGS",
    "TEXT",
    "kept",
    "maybe",
    "paths",
]

P = ParamSpec("P")
T = TypeVar("T")

MS: Final = timedelta(milliseconds=1)
_SIGNS: Final = (
    "a", "A", "b", " ", "é", "e",
    "\u0301", "ß", "s", "İ", "i", "ı", "ﬁ", "０", "0", "中", "😀", "%", "_", "\\", "$", ".", "'", '"', "\u200d", "*", "[",
)  # fmt: skip
#: On a single line.
TEXT: Final = st.text(st.sampled_from(_SIGNS), max_size=4)
#: On several.
PROSE: Final = st.text(st.sampled_from((*_SIGNS, "\n", "\t")), max_size=4)
KEY: Final = st.sampled_from(["", "A", "a", "a ", "ß", "ss", "İ", "中", "😀", "$ne"])
MOMENT: Final = st.one_of(
    st.sampled_from([datetime(1000, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)]),
    st.integers(-3, 3).map(lambda n: START + n * MS),
    st.integers(-40, 40).map(lambda n: START + timedelta(hours=n * 7)),
)  # fmt: skip
DAY: Final = st.one_of(
    st.sampled_from([date(1000, 1, 1), date(9998, 12, 31), date(2024, 2, 29)]),
    st.integers(-2, 2).map(lambda n: date(2026, 3, 15) + timedelta(days=n)),
)
_WHOLE: Final = st.one_of(st.integers(-2, 3), st.sampled_from([-(2**53 - 1), 2**53 - 1, 2**31, -(2**31) - 1]))
MONEY: Final = st.builds(Money, _WHOLE, st.sampled_from(["CNY", "JPY"]))
DECIMAL: Final = st.one_of(
    st.integers(-30_000, 30_000), st.sampled_from([1000, 0, 2**53 - 1, 1 - 2**53])
).map(unscaled)
EXTRA: Final = st.fixed_dictionaries(
    {},
    optional={
        "segment": KEY,
        "seats": _WHOLE,
        "vip": st.booleans(),
        "renewal": DAY.map(date.isoformat),
    },
).map(Extra)


def kept(make: Callable[P, T]) -> Callable[P, T]:
    """
    *make*, called once for the same arguments.

    A strategy that is made anew for each draw is checked anew by Hypothesis each time, at ten times the cost of drawing.
    """
    return cast("Callable[P, T]", cache(make))


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


#: The fields of each entity that questions are about, with literals that fit; `paths` adds those behind a hop.
OWN: Final[Mapping[type[Record], Mapping[str, st.SearchStrategy[Any]]]] = MappingProxyType(
    {
        Customer: {
            "name": TEXT,
            "industry": KEY,
            "level": KEY,
            "founded_year": _WHOLE,
            "follow_up_count": st.integers(0, 2),
            "last_follow_up_at": MOMENT,
            "purchase_deadline": DAY,
            "lifecycle": st.sampled_from(["prospect", "active"]),
            "won_amount": MONEY,
            "won_amount.minor": _WHOLE,
            "won_amount.currency": st.sampled_from(["CNY", "JPY", "EUR"]),
            "region.city": KEY,
            "owner_id": KEY,
            "extra.segment": KEY,
            "extra.seats": _WHOLE,
            "extra.vip": st.booleans(),
            "extra.renewal": DAY,
            "version": st.integers(1, 2),
        },
        Opportunity: {
            "name": TEXT,
            "stage": KEY,
            "status": st.sampled_from(["open", "won", "lost"]),
            "amount": MONEY,
            "amount.currency": st.sampled_from(["CNY", "JPY", "EUR"]),
            "probability": st.integers(0, 2),
            "probability_overridden": st.booleans(),
            "expected_close": DAY,
            "opened_at": MOMENT,
            "closed_at": MOMENT,
            "extra.segment": KEY,
            "extra.seats": _WHOLE,
        },
        OpportunityLine: {"quantity": DECIMAL, "price": MONEY, "notes": PROSE, "created_at": MOMENT},
    }
)
_HOPS: Final[Mapping[type[Record], Mapping[str, type[Record]]]] = MappingProxyType(
    {
        Customer: {"parent": Customer},
        Opportunity: {"customer": Customer},
        OpportunityLine: {"opportunity": Opportunity},
    }
)
TAGS: Final[Mapping[type[Record], tuple[str, ...]]] = MappingProxyType(
    {
        Customer: ("tags", "parent.tags"),
        Opportunity: ("tags", "customer.tags"),
        OpportunityLine: ("opportunity.tags",),
    }
)
SPANS: Final[Mapping[type[Record], tuple[Span, ...]]] = MappingProxyType(
    {
        Customer: (Span("created_at", "last_follow_up_at"), Span("last_follow_up_at", "parent.last_follow_up_at")),
        Opportunity: (Span("opened_at", "closed_at"), Span("customer.last_follow_up_at", "opened_at")),
        OpportunityLine: (Span("created_at", "opportunity.closed_at"),),
    }
)  # fmt: skip


@kept
def paths(entity: type[Record]) -> dict[str, st.SearchStrategy[Any]]:
    """Every path that a question about *entity* may name, with literals that fit it."""
    found = dict(OWN[entity])
    for hop, target in _HOPS[entity].items():
        found |= {f"{hop}.{path}": values for path, values in OWN[target].items()}
    return found


SORTABLE: Final[Mapping[type[Record], tuple[str, ...]]] = MappingProxyType(
    {
        Customer: (
            "name", "industry", "founded_year", "follow_up_count", "last_follow_up_at", "purchase_deadline",
            "won_amount", "region.city", "lifecycle", "id",
        ),
        Opportunity: ("stage", "status", "amount", "probability_overridden", "closed_at", "expected_close", "number"),
        OpportunityLine: ("quantity", "price", "notes"),
    }
)  # fmt: skip
