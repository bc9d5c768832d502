"""One field of each kind, values that it may have, and records with them: what the parts of the contract go through."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from salescrm.entities import Contact, Customer, FollowUp, OpportunityLine, Record
from salescrm.kinds import Extra
from salescrm.query import F, Field
from salescrm.query.nodes import Operator
from salescrm.testing.clock import START
from salescrm.testing.makers import Maker
from salescrm.values import Money, Region

__all__ = ["KINDS", "OPERATORS", "Case"]

#: The entity, the field, values that it may have, and how a record with such a value is made.
Case: TypeAlias = tuple[type[Record], Field, Sequence[Any], Callable[[Maker, Any], Record]]

_MS = timedelta(milliseconds=1)


def _with(entity: str, field: str) -> Callable[[Maker, Any], Record]:
    def made(make: Maker, value: Any) -> Record:
        record: Record = getattr(make, entity)(**{field: value})
        return record

    return made


def _extra(make: Maker, name: str, value: Any) -> Customer:
    return make.customer(extra=Extra({} if value is None else {name: value}))


_KINDS: Final[Mapping[str, Case]] = {
    "text": (Customer, F.industry, [None, "", "A", "a", "a ", "ß", "ä", "制造业", "😀"], _with("customer", "industry")),
    "whole": (Customer, F.founded_year, [None, -(2**53 - 1), -1, 0, 1, 1999, 2**53 - 1], _with("customer", "founded_year")),
    "moment": (
        Customer,
        F.last_follow_up_at,
        [None, datetime(1000, 1, 1, tzinfo=UTC), START - _MS, START, START + _MS, datetime(9998, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)],
        _with("customer", "last_follow_up_at"),
    ),
    "day": (
        Customer,
        F.purchase_deadline,
        [None, date(1000, 1, 1), date(2024, 2, 29), date(2024, 3, 1), date(9998, 12, 31)],
        _with("customer", "purchase_deadline"),
    ),
    "flag": (FollowUp, F.effective, [None, False, True], _with("follow_up", "effective")),
    "choice": (Contact, F.decision_role, [None, "blocks", "decides", "influences", "uses"], _with("contact", "decision_role")),
    "reference": (Customer, F.owner_id, [None, "", "Wang", "li", "wang"], _with("customer", "owner_id")),
    "decimal": (
        OpportunityLine,
        F.quantity,
        [Decimal(text) for text in ("-900719925474.0991", "-0.0001", "0", "0.5", "1", "10", "900719925474.0991")],
        _with("line", "quantity"),
    ),
    "money": (
        Customer,
        F.won_amount,
        [None, *[Money(minor, "CNY") for minor in (-(2**53 - 1), -1, 0, 1, 2**53 - 1)]],
        _with("customer", "won_amount"),
    ),
    "currency": (
        Customer,
        F.won_amount.currency,
        [None, "CNY", "EUR", "JPY"],
        lambda make, value: make.customer(won_amount=value and Money(1, value)),
    ),
    "part": (
        Customer,
        F.region.city,
        [None, "", "Ürümqi", "上海"],
        lambda make, value: make.customer(region=Region(city=value)),
    ),
    "custom text": (Customer, F.extra.segment, [None, "", "A", "a", "ß", "中"], lambda make, v: _extra(make, "segment", v)),
    "custom whole": (
        Customer,
        F.extra.seats,
        [None, -(2**53 - 1), 0, 2, 10, 2**53 - 1],
        lambda make, value: _extra(make, "seats", value),
    ),
    "custom flag": (Customer, F.extra.vip, [None, False, True], lambda make, value: _extra(make, "vip", value)),
    "custom day": (
        Customer,
        F.extra.renewal,
        [None, date(1000, 1, 1), date(2026, 3, 15), date(9998, 12, 31)],
        lambda make, value: _extra(make, "renewal", value and value.isoformat()),
    ),
}  # fmt: skip

_OPERATORS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}

#: By name; null, where the field may be null, comes first, and the other values ascend.
KINDS: Final[Mapping[str, Case]] = MappingProxyType(_KINDS)
OPERATORS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = MappingProxyType(_OPERATORS)
