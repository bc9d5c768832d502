"""
A question that has been checked: what crosses the door to a store.

A *plan* is a question's shape over real columns, with numbered slots where its values go; `Asked` is a plan with its
values.  Plans are made once per shape (`checking`) and are hashable by identity, so a backend keeps what it compiled
for one.  Relative moments, money, references and searches have been reduced to what every engine has, hence the union
of conditions is small, and a backend compiles it in one ``match``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import attrs

from salescrm.kinds import Kind
from salescrm.query.nodes import Operator
from salescrm.schema import Column, Schema

__all__ = [
    "After",
    "AllOf",
    "AnyOf",
    "Asked",
    "AskedTally",
    "Cmp",
    "Condition",
    "Const",
    "CountIf",
    "FindPlan",
    "Follow",
    "InBucket",
    "InSlot",
    "Includes",
    "ListHas",
    "Negated",
    "Null",
    "Number",
    "Ref",
    "SortKey",
    "Source",
    "SpanRef",
    "Starts",
    "TallyPlan",
    "WholeDays",
    "after_as_conditions",
]


@attrs.frozen
class Follow:
    """One hop: from the record's *column* to the record of *schema* (same tenant) whose id it holds."""

    name: str
    column: Column
    schema: Schema


@attrs.frozen
class Ref:
    """
    A value of the record, or of the record that *follow* leads to.

    *key* is set for a custom field: *column* is then the extra column, *kind* what the policy declares, and *key* a
    declared name (letters, digits, underscores), safe to stand in a JSON path.
    """

    column: Column
    follow: Follow | None = None
    key: str | None = None
    kind: Kind = Kind.TEXT


@attrs.frozen
class SpanRef:
    """Whole milliseconds from *start* to *end*; null where either is. Two days count as their midnights."""

    start: Ref
    end: Ref


Source: TypeAlias = Ref | SpanRef


# Conditions: two-valued. Where a source is null, every one of them but Null is false; Negated is true negation.


@attrs.frozen
class Const:
    value: bool


@attrs.frozen
class Cmp:
    """*source* compared with the value in *slot*: text by code point, false before true."""

    source: Source
    operator: Operator
    slot: int


@attrs.frozen
class InSlot:
    """*source* equals an element of the tuple in *slot*, which may be empty."""

    source: Source
    slot: int


@attrs.frozen
class ListHas:
    """The list of text *source* has the text in *slot* as an element."""

    source: Ref
    slot: int


@attrs.frozen
class Starts:
    """The text *source* starts with the text in *slot* (never empty), by code point."""

    source: Ref
    slot: int


@attrs.frozen
class Includes:
    """The text *source* has the text in *slot* inside, by code point; an empty text is in every text."""

    source: Ref
    slot: int


@attrs.frozen
class Null:
    source: Source


@attrs.frozen
class AllOf:
    parts: tuple[Condition, ...]


@attrs.frozen
class AnyOf:
    parts: tuple[Condition, ...]


@attrs.frozen
class Negated:
    part: Condition


@attrs.frozen
class SortKey:
    """One key of an order, of the record itself; nulls first ascending, last descending."""

    column: Column
    descending: bool


@attrs.frozen
class After:
    """
    Strictly behind, in the order of *keys*, the record whose key values stand in *slots*.

    *nulls* tells which of those values are null; their slots hold None.  `after_as_conditions` spells it out; an
    engine that compares rows may do better where no key is nullable and all run the same way (`plain`).
    """

    keys: tuple[SortKey, ...]
    slots: tuple[int, ...]
    nulls: tuple[bool, ...]

    @property
    def plain(self) -> bool:
        """Whether ``(a, b, id) > (?, ?, ?)`` says the same."""
        return (
            not any(key.column.nullable for key in self.keys)
            and len({key.descending for key in self.keys}) == 1
        )


Condition: TypeAlias = (
    Const | Cmp | InSlot | ListHas | Starts | Includes | Null | AllOf | AnyOf | Negated | After
)


def after_as_conditions(after: After) -> Condition:
    """*after* in words of the other conditions: behind on the first key, or level there and behind on the next."""
    branches: list[Condition] = []
    level: list[Condition] = []
    for key, slot, is_null in zip(after.keys, after.slots, after.nulls, strict=True):
        source = Ref(key.column, kind=key.column.kind)
        behind: Condition
        if is_null:
            behind = Const(False) if key.descending else Negated(Null(source))
        elif key.descending:
            behind = Cmp(source, "lt", slot)
            if key.column.nullable:
                behind = AnyOf((behind, Null(source)))
        else:
            behind = Cmp(source, "gt", slot)
        branches.append(AllOf((*level, behind)))
        level.append(Null(source) if is_null else Cmp(source, "eq", slot))
    return AnyOf(tuple(branches))


@attrs.frozen(eq=False)
class FindPlan:
    """
    Which records, in which order.

    Attributes:
        order: Ends in id, so it is total; empty where no order was asked (count, change).
        limit_slot: Where the most records to return stands; None for no limit.
        columns: None for whole records; otherwise the values to project, which may follow references.
        flags: Conditions that a sweep asks of each record it takes.
    """

    schema: Schema
    where: Condition
    order: tuple[SortKey, ...] = ()
    limit_slot: int | None = None
    columns: tuple[Source, ...] | None = None
    flags: tuple[Condition, ...] = ()


# Keys and numbers of a tally.


@attrs.frozen
class InBucket:
    """The index of the bucket: edges[i] <= value < edges[i+1] for the ascending edges in *slots*; null outside."""

    source: Ref
    slots: tuple[int, ...]


@attrs.frozen
class WholeDays:
    """The whole days of a span, rounded towards the past: -1 ms is day -1."""

    span: SpanRef


@attrs.frozen
class CountIf:
    """How many records of the group *where* holds for."""

    where: Condition


@attrs.frozen
class Number:
    """One aggregate over the non-null values of *source*; of none: 0 for count and distinct, else null. Exact."""

    kind: Literal["count", "sum", "min", "max", "distinct"]
    source: Source


@attrs.frozen(eq=False)
class TallyPlan:
    """One row per group of equal *keys* (null is a key like any other), none for no records; without keys exactly one row."""

    schema: Schema
    where: Condition
    keys: tuple[Source | InBucket | WholeDays, ...]
    numbers: tuple[CountIf | Number, ...]


@attrs.frozen(eq=False)
class Asked:
    """A plan and the values of its slots, in plain form: str, int, bool, aware UTC datetime, date, tuple of those, None."""

    plan: FindPlan
    values: Sequence[Any]

    @property
    def limit(self) -> int | None:
        """The most records asked for; None for all."""
        slot = self.plan.limit_slot
        limit: int | None = None if slot is None else self.values[slot]
        return limit


@attrs.frozen(eq=False)
class AskedTally:
    """A tally plan and the values of its slots."""

    plan: TallyPlan
    values: Sequence[Any]
