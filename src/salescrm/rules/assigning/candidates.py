"""Who may be given something, and what is given out: the facts that the rules of assignment look at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.calendars import Calendar
from salescrm.entities.people import Leave
from salescrm.errors import InvalidValue
from salescrm.values import Id

__all__ = ["Candidate", "Item", "OutFor", "week_capacity"]

#: Why a candidate gets nothing, whatever is given out; or, of a step of the strategy, why not this.
OutFor: TypeAlias = Literal["inactive", "pool", "away", "cap", "capacity", "sticky", "territory", "skill"]

_DAY: Final = timedelta(days=1)


def _texts(values: Iterable[str]) -> frozenset[str]:
    return frozenset(values)


@attrs.frozen(kw_only=True)
class Candidate:
    """
    Who may be given something.

    Attributes:
        weight: Their part, in proportion to that of the others: what they can do in a week, say.
        load: Their open work, each kind with its weight.
        held: What they own of what *cap* is for; with that many they get no more.
        taken: What they got this week, say, of what *capacity* is for; with that many they get no more in it.
        away: When they are on leave; *today* is their day, where it is another than the one that is asked for.
        belongs: Whether the pool that the items are in is open to them.
        territories: The provinces, cities or districts that are theirs, as a customer's region spells them.

    Raises:
        InvalidValue: A number that isn't a whole one, a weight below 1, anything else below 0.
    """

    id: Id
    name: str
    weight: int = 1
    load: int = 0
    held: int = 0
    cap: int | None = None
    taken: int = 0
    capacity: int | None = None
    away: tuple[Leave, ...] = ()
    today: date | None = None
    active: bool = True
    belongs: bool = True
    skills: frozenset[str] = attrs.field(default=frozenset(), converter=_texts)
    territories: frozenset[str] = attrs.field(default=frozenset(), converter=_texts)
    team_id: Id | None = None

    def __attrs_post_init__(self) -> None:
        _whole("Candidate", "weight", self.weight, least=1)
        for field, value in (("load", self.load), ("held", self.held), ("taken", self.taken)):
            _whole("Candidate", field, value)
        for field, limit in (("cap", self.cap), ("capacity", self.capacity)):
            if limit is not None:
                _whole("Candidate", field, limit)

    def away_on(self, day: date) -> bool:
        """Whether they are on leave on *day*."""
        return any(leave.covers(day) for leave in self.away)

    def out_on(self, day: date, *, held: int = 0, taken: int = 0) -> OutFor | None:
        """Why they get nothing on *day*, with so many more *held* and *taken* than they had; None if they may."""
        if not self.active:
            return "inactive"
        if not self.belongs:
            return "pool"
        if self.away_on(self.today or day):
            return "away"
        if self.cap is not None and self.held + held >= self.cap:
            return "cap"
        if self.capacity is not None and self.taken + taken >= self.capacity:
            return "capacity"
        return None


@attrs.frozen(kw_only=True)
class Item:
    """
    Something to be given out: a customer, a lead.

    Attributes:
        region: Where it is, from the largest division down.
        skills: What whoever gets it should know: product lines, languages.
        previous: Who had it before, the latest first.
        group: Who looks after others of its group of companies, the nearest first.
        work: What it adds to the load of whoever gets it.
        counts: Whether it is one more of what their cap is for.

    Raises:
        InvalidValue: *work* is no whole number, or below 0.
    """

    id: Id
    name: str
    region: tuple[str, ...] = ()
    skills: frozenset[str] = attrs.field(default=frozenset(), converter=_texts)
    previous: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    work: int = 1
    counts: bool = True

    def __attrs_post_init__(self) -> None:
        _whole("Item", "work", self.work)


def week_capacity(
    weekly: int, day: date, *, away: Iterable[Leave] = (), calendar: Calendar | None = None, usual: int = 5
) -> int:
    """
    How many a member with room for *weekly* a week may get in the week, from Monday, that *day* is in.

    In proportion to the days on which they work: those that are working days of *calendar*, Monday to Friday without
    one, and not in their leave, of the *usual* number of working days.  Rounded to a whole number, halves up; a week
    with more working days than usual makes it more.
    """
    periods = tuple(away)
    monday = day - day.weekday() * _DAY
    worked = 0
    for one in (monday + place * _DAY for place in range(7)):
        works = one.weekday() < 5 if calendar is None else calendar.is_working(one)
        worked += works and not any(leave.covers(one) for leave in periods)
    return (2 * weekly * worked + usual) // (2 * usual)


def _whole(entity: str, field: str, value: object, *, least: int = 0) -> None:
    if type(value) is not int or value < least:
        raise InvalidValue(entity, field, value, f"a whole number from {least}")
