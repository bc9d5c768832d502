"""
What nights to come, or gone by, would do to one customer as it stands: the run's own questions, asked of a record.

Each question of the nightly run is compiled once per rule, by the reference meaning that every engine must agree with.
A question that asks the same on every day can only begin to hold as days go by, so its first night is found by halving;
where moments are counted from now, each night is asked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final

import attrs

from salescrm.calendars import day_of, first_day_from, start_of_day
from salescrm.checking import Context
from salescrm.entities import Customer
from salescrm.meaning import Lookup, Test, condition
from salescrm.plans import FindPlan
from salescrm.policy import RecycleRule
from salescrm.policy.pools import PoolWarning
from salescrm.query import EVERYTHING, F, Or, Where
from salescrm.query.nodes import all_of
from salescrm.rules.nights import Night, Stretch, is_steady, looks_at_others
from salescrm.rules.recycling import counts_from, falls, fires
from salescrm.schema import Schema
from salescrm.unit import UnitOfWork
from salescrm.values import Moment

__all__ = ["FALLEN", "Course", "Falling", "Forecast", "Warned"]

_DAY: Final = timedelta(days=1)
_MOMENT: Final = timedelta(milliseconds=1)
#: The fields of a customer that its fall changes.
FALLEN: Final = frozenset(
    {"owner_id", "pool_id", "entered_pool_at", "owned_since", "quiet_since", "stuck_since"}
    | {"dealless_since", "protected_until", "version", "updated_at", "updated_by"}
)
#: How many records one hop away are kept at hand.
_AT_HAND: Final = 10_000


@attrs.frozen
class Falling:
    """On which night a customer falls, by the rules *fired*, in order: the first of them decides."""

    night: Night
    fired: tuple[str, ...]


@attrs.frozen
class Warned:
    """On which night a customer's people are warned, of which day, by which rung of which rule's ladder."""

    night: Night
    rule: RecycleRule
    warning: PoolWarning
    falls_on: date


class Forecast:
    """
    What the nights of *stretches* do to customers, as long as nothing else happens.

    Attributes:
        become: What has become of customers meanwhile, by id, as far as others' questions look at them.
    """

    def __init__(self, unit: UnitOfWork, stretches: Iterable[Stretch]) -> None:
        self._unit = unit
        self.become: dict[str, dict[str, Any]] = {}
        self._at_hand: dict[tuple[str, str], Any] = {}
        self.courses = [Course(unit, stretch, self._look_up) for stretch in stretches if stretch.pool.rules]

    @property
    def entwined(self) -> bool:
        """Whether what becomes of one customer may hang on what has become of another."""
        return any(course.entwined for course in self.courses)

    def candidates(self) -> Where:
        """A question that holds for every customer that may fall, or of whom somebody may be warned; others may meet it."""
        asked = dict.fromkeys(one for course in self.courses for one in course.candidates())
        return F.owner_id.is_set() & Or(tuple(asked))

    def fall(
        self, customer: Customer, *, after: Moment | None = None, until: Moment | None = None
    ) -> Falling | None:
        """When *customer*, as it stands, falls: on a night that begins after *after* and up to *until*."""
        found: Falling | None = None
        for course in self.courses:
            if found is None or course.begins < found.night.position:
                falling = course.fall(customer, *course.days(after, until))
                if falling is not None and (found is None or falling.night.position < found.night.position):
                    found = falling
        return found

    def warnings(self, customer: Customer, fall: Falling | None) -> Iterator[Warned]:
        """The warnings that are given of *customer* until it falls, if it does."""
        for course in self.courses:
            if fall is None or course.begins < fall.night.position:
                found = course.warnings(customer)
                # On its last night it falls before anybody is warned.
                yield from (one for one in found if fall is None or one.night.position < fall.night.position)

    def _look_up(self, schema: Schema, id: str) -> Any:
        key = schema.collection, id
        if key not in self._at_hand:
            if len(self._at_hand) >= _AT_HAND:
                self._at_hand.clear()
            self._at_hand[key] = self._unit.reading().get(schema, id)
        found = self._at_hand[key]
        if found is not None and schema.record is Customer and id in self.become:
            found = schema.evolve(found, self.become[id])
        return found


class Course:
    """
    One pool's nights under one version of the policy, and what they ask.

    Attributes:
        steady: Whether they all ask the same, but for the days; then who meets a question goes on to meet it.
        entwined: Whether they ask for what the fall of another customer changes.
    """

    def __init__(self, unit: UnitOfWork, stretch: Stretch, lookup: Lookup) -> None:
        self.stretch = stretch
        self._unit = unit
        self._lookup = lookup
        self._schema = schema = unit.kit.by_record[Customer]
        self._pools = stretch.policy.ranked_pools
        self._tests: dict[str, tuple[FindPlan, Test]] = {}
        self._kept: dict[tuple[date, date], list[_Question]] = {}
        pools = [pool.where for pool in self._pools[: stretch.rank + 1]]
        asked = [*pools, *(rule.where for rule in stretch.pool.rules)]
        self.steady = all(map(is_steady, asked))
        hops = [name.removesuffix("_id") for name, to in schema.references.items() if to == schema.collection]
        self.entwined = any(looks_at_others(where, through=hops, changing=FALLEN) for where in asked)
        ladders = (warning.days for rule in stretch.pool.rules for warning in rule.warnings)
        self._farthest = stretch.last + max(ladders, default=0) * _DAY

    @cached_property
    def begins(self) -> tuple[Moment, int]:
        """The position of its first night."""
        return self.stretch.night(self.stretch.first).position

    def nights(self) -> Iterator[tuple[Night, Course]]:
        """Its nights in order, each with the course itself."""
        return ((night, self) for night in self.stretch)

    def days(self, after: Moment | None, until: Moment | None) -> tuple[date, date]:
        """The first and the last of its days that begin after *after* and up to *until*; none if the last comes first."""
        first, last, zone = self.stretch.first, self.stretch.last, self.stretch.zone
        if after is not None:
            first = max(first, first_day_from(after + _MOMENT, zone))
        return first, last if until is None else min(last, day_of(until, zone))

    def candidates(self) -> Iterator[Where]:
        """Questions of which those that fall, or are warned of, meet one: what depends on the day is left out."""
        pool = self.stretch.pool
        mine = _sure(pool.where, self.entwined)
        for rule in pool.rules:
            loose = attrs.evolve(rule, where=_sure(rule.where, self.entwined))
            where = fires(
                pool,
                loose,
                self._farthest,
                zone=self.stretch.zone,
                calendars=self._unit.calendars_of(self.stretch.policy),
            )
            if where is not None:
                yield all_of([where, mine])

    def fall(self, customer: Customer, first: date, last: date) -> Falling | None:
        """When *customer* falls, of the days from *first* to *last*."""
        if first > last:
            return None
        if not self.steady:
            days = (first + n * _DAY for n in range((last - first).days + 1))
            return next((fallen for day in days if (fallen := self.falling(customer, day))), None)
        if not self.firing(customer, last):
            return None
        # By *last* it has fallen; halving finds since when.
        days_off = range((last - first).days)
        day = first + _DAY * bisect_left(
            days_off, True, key=lambda n: bool(self.firing(customer, first + n * _DAY))
        )
        return self.falling(customer, day)

    def falling(self, customer: Customer, day: date) -> Falling | None:
        """How *customer* falls when *day* begins, if it does."""
        fired = self.firing(customer, day)
        return Falling(self.stretch.night(day), fired) if fired else None

    def firing(self, customer: Customer, day: date) -> tuple[str, ...]:
        """The rules by which *customer* falls when *day* begins, in order."""
        return tuple(
            one.rule.key for one in self.asked(day, day) if one.test(customer, one.values, self._lookup)
        )

    def warnings(self, customer: Customer) -> Iterator[Warned]:
        """The warnings that are given of *customer*, whether it falls meanwhile or not."""
        first, last = self.stretch.first, self.stretch.last
        for number, question in enumerate(self.asked(last, last)):
            if not question.rule.warnings:
                continue
            if self.steady:
                yield from self._warned_once(customer, number, question.rule)
            else:
                for n in range((last - first).days + 1):
                    yield from self.warned(customer, number, question.rule, first + n * _DAY)

    def warned(self, customer: Customer, number: int, rule: RecycleRule, night: date) -> Iterator[Warned]:
        """The warnings by *rule*, which asks the *number*-th question, that are given of *customer* on *night*."""
        if not _known(customer, rule, self.stretch.night(night)):
            return
        for warning in rule.warnings:
            falls_on = night + warning.days * _DAY
            then = self._meets(customer, number, falls_on, night)
            if then and not self._meets(customer, number, falls_on - _DAY, night):
                yield Warned(self.stretch.night(night), rule, warning, falls_on)

    def _warned_once(self, customer: Customer, number: int, rule: RecycleRule) -> Iterator[Warned]:
        first, last = self.stretch.first, self.stretch.last
        if not self._meets(customer, number, self._farthest, last):
            return
        days_off = range((self._farthest - first).days)
        falls_on = first + _DAY * bisect_left(
            days_off, True, key=lambda n: self._meets(customer, number, first + n * _DAY, first)
        )
        for warning in rule.warnings:
            day = falls_on - warning.days * _DAY
            if first <= day <= last and _known(customer, rule, night := self.stretch.night(day)):
                yield Warned(night, rule, warning, falls_on)

    def _meets(self, customer: Customer, number: int, day: date, night: date) -> bool:
        question = self.asked(day, night)[number]
        return question.test(customer, question.values, self._lookup)

    def asked(self, day: date, night: date) -> list[_Question]:
        """What is asked about falling when *day* begins, by rule; moments that are counted from now, from *night*."""
        stretch = self.stretch
        key = day, day if self.steady else night
        if (found := self._kept.get(key)) is not None:
            return found
        if len(self._kept) >= _AT_HAND:
            self._kept.clear()
        context = Context(start_of_day(key[1], stretch.zone), stretch.zone)
        made: list[_Question] = []
        for rule, where in falls(
            self._pools,
            stretch.pool,
            day,
            zone=stretch.zone,
            calendars=self._unit.calendars_of(stretch.policy),
        ):
            asked = self._unit.kit.checker.all(self._schema, where, (), context)
            plan, test = self._tests.get(rule.key, (None, None))
            if test is None or plan is not asked.plan:
                test = condition(self._schema, asked.plan.where)
                self._tests[rule.key] = asked.plan, test
            made.append(_Question(rule, test, asked.values))
        self._kept[key] = made
        return made


@attrs.frozen
class _Question:
    rule: RecycleRule
    test: Test
    values: Sequence[Any]


def _known(customer: Customer, rule: RecycleRule, night: Night) -> bool:
    """Whether *rule* counted for *customer* before *night* began: of what came later nobody could warn then."""
    since: Moment | None = getattr(customer, counts_from(rule))
    return since is not None and since < night.begin


def _sure(where: Where, entwined: bool) -> Where:
    """*where*, if its answer is the same on every night; else what holds for everything."""
    return where if is_steady(where) and not entwined else EVERYTHING
