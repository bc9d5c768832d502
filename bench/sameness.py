"""Whether contenders did the same work: their rows and records as plain values, whatever types they come in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import attrs

from bench.material import SCHEMAS
from salescrm.kinds import Kind
from salescrm.money import Money

__all__ = ["Different", "group", "record", "row", "same"]


class Different(AssertionError):
    """Two contenders' results differ: timing them would mean nothing."""


def same(what: str, results: Mapping[str, Any]) -> None:
    """Raises Different unless all of *results* are equal to the first one's."""
    (first, expected), *others = results.items()
    for name, found in others:
        if found != expected:
            raise Different(f"{what}: {name} and {first} differ: {_difference(expected, found)}")


def _difference(expected: Any, found: Any) -> str:
    if isinstance(expected, dict) and isinstance(found, dict):
        names = [name for name in expected if expected[name] != found.get(name, ...)]
        return "; ".join(f"{name}: {expected[name]!r} / {found.get(name, '-')!r}" for name in names[:3])
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{len(expected)} / {len(found)}"
        return next(_difference(a, b) for a, b in zip(expected, found, strict=True) if a != b)
    return f"{expected!r} / {found!r}"


def row(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of *table* by column name."""
    return {name: _plain(column.kind, values[name]) for name, column in SCHEMAS[table].by_column.items()}


def record(customer: Any) -> dict[str, Any]:
    """A customer, as an entity or as a mapper's object, by column name."""
    schema = SCHEMAS["customers"]
    of = schema.getters if attrs.has(type(customer)) else {}
    return {
        column.name: _plain(column.kind, of[column.name](customer) if of else getattr(customer, column.name))
        for column in schema.read_columns
    }


def group(values: Iterable[Any]) -> tuple[Any, ...]:
    """A row of the funnel: stage, currency, how many, worth how much in minor units."""
    stage, currency, many, worth = values
    minor = worth.minor if isinstance(worth, Money) else int(worth) if isinstance(worth, Decimal) else worth
    return stage, currency, many, minor


def _plain(kind: Kind, value: Any) -> Any:
    match kind, value:
        case _, None:
            return None
        case Kind.MOMENT, str():
            return _utc(datetime.fromisoformat(value))
        case Kind.MOMENT, datetime():
            return _utc(value)
        case Kind.DAY, str():
            return date.fromisoformat(value)
        case ((Kind.TEXTS | Kind.NESTED | Kind.EXTRA), str()):
            return json.loads(value)
        case Kind.TEXTS | Kind.NESTED, tuple():
            return list(value)
        case Kind.FLAG, _:
            return bool(value)
        case _:
            return value


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
