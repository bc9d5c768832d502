"""Random records: customers with parents, opportunities of customers, lines of opportunities."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from salescrm.entities import Customer, Opportunity, Record
from salescrm.testing.makers import Maker
from salescrm.testing.strategies.fields import DECIMAL, EXTRA, KEY, MOMENT, MONEY, OWN, PROSE, TEXT, maybe
from salescrm.values import Region

__all__ = ["records"]

#: Which of the records made so far a reference leads to: none, one that does not exist, or the so many-th.
_REFERENCE: Final = st.integers(-2, 4)


def _some(entity: type[Record], *names: str) -> dict[str, st.SearchStrategy[Any]]:
    return {name: OWN[entity][name] for name in names}


def _nullable(entity: type[Record], *names: str) -> dict[str, st.SearchStrategy[Any]]:
    return {name: maybe(OWN[entity][name]) for name in names}


_CUSTOMER: Final = st.fixed_dictionaries(
    {
        "parent_id": _REFERENCE,
        "name": TEXT.map(lambda text: text if text.strip() else "x"),
        "tags": st.lists(KEY, max_size=3).map(tuple),
        "region": st.builds(Region, city=maybe(KEY)),
        "extra": EXTRA,
        **_some(Customer, "follow_up_count", "lifecycle", "version"),
        **_nullable(
            Customer,
            "industry",
            "level",
            "founded_year",
            "last_follow_up_at",
            "purchase_deadline",
            "won_amount",
            "owner_id",
        ),
    }
)
_DEAL: Final = st.fixed_dictionaries(
    {
        "customer_id": _REFERENCE,
        "stage": st.sampled_from(["A", "a", "中"]),
        "tags": st.lists(KEY, max_size=2).map(tuple),
        "extra": EXTRA,
        **_some(Opportunity, "status", "probability", "probability_overridden", "opened_at"),
        **_nullable(Opportunity, "amount", "expected_close", "closed_at"),
    }
)
_LINE: Final = st.fixed_dictionaries(
    {
        "opportunity_id": _REFERENCE,
        "quantity": DECIMAL,
        "price": maybe(MONEY),
        "notes": maybe(PROSE),
        "created_at": MOMENT,
    }
)


@st.composite
def records(draw: st.DrawFn, *, most: int = 5) -> list[Record]:
    """Up to *most* customers, opportunities and lines each, in any order, with references that may lead nowhere."""
    make = Maker()
    customers: list[Record] = []
    for given in draw(st.lists(_CUSTOMER, max_size=most)):
        customers.append(make.customer(**given | {"parent_id": _referred(customers, given["parent_id"])}))
    deals: list[Record] = [
        make.opportunity(**given | {"customer_id": _referred(customers, given["customer_id"])})
        for given in draw(st.lists(_DEAL, max_size=most))
    ]
    lines = [
        make.line(**given | {"opportunity_id": _referred(deals, given["opportunity_id"]) or "gone"})
        for given in draw(st.lists(_LINE, max_size=most))
    ]
    return draw(st.permutations([*customers, *deals, *lines]))


def _referred(made: list[Record], number: int) -> str | None:
    if number == -1:
        return None
    return made[number].id if 0 <= number < len(made) else "gone"
