"""
Which nights are to be run: each pool's days, by the version of the policy that holds when a day begins.

The tick, the simulation and the back-test all walk through the same nights in the same order: by the moment at which
they begin, then by the rank of their pools.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta, tzinfo
from typing import Final, TypeAlias

import attrs

from salescrm.calendars import day_of, first_day_from, start_of_day
from salescrm.policy import Policies, Policy, Pool
from salescrm.query import Relative, Span, Where
from salescrm.query.nodes import Compare, OneOf, leaves
from salescrm.values import Moment

__all__ = [
    "Night",
    "Stretch",
    "due",
    "is_steady",
    "looks_at_others",
    "nights",
    "stranded",
    "within",
]

#: How many nights one run makes up for; who has missed more is not waiting for the rest.
MOST_NIGHTS: Final = 366
_DAY: Final = timedelta(days=1)
_MOMENT: Final = timedelta(milliseconds=1)
#: The first day of a pool that is to be run, given its time zone.
_Floor: TypeAlias = Callable[[Pool, tzinfo], date]


@attrs.frozen(kw_only=True, eq=False)
class Night:
    """One day's run of one pool, under the version of the policy that holds when that day begins."""

    policy: Policy
    pool: Pool
    rank: int
    zone: tzinfo
    day: date
    begin: Moment

    @property
    def position(self) -> tuple[Moment, int]:
        """Where it comes among all nights."""
        return self.begin, self.rank


@attrs.frozen(kw_only=True, eq=False)
class Stretch:
    """The nights of one pool under one version of the policy, from the day *first* to the day *last*."""

    policy: Policy
    pool: Pool
    rank: int
    zone: tzinfo
    first: date
    last: date

    @property
    def many(self) -> int:
        """How many nights."""
        return (self.last - self.first).days + 1

    def night(self, day: date) -> Night:
        """That of *day*."""
        return Night(
            policy=self.policy,
            pool=self.pool,
            rank=self.rank,
            zone=self.zone,
            day=day,
            begin=start_of_day(day, self.zone),
        )

    def __iter__(self) -> Iterator[Night]:
        return (self.night(self.first + n * _DAY) for n in range(self.many))


def due(
    policies: Policies, through: Mapping[str, date], *, now: Moment, until: Moment | None = None
) -> list[Stretch]:
    """
    The nights that are to be run at *now*, those that were missed included, and the ones that begin up to *until*.

    *through* is, by pool, the last day whose run was finished.  A pool that has never been run begins with today; where
    others have been run, with the night after theirs, if it was open by then.
    """
    known = {pool.key: version.zone_of(pool) for version in policies.versions for pool in version.pools}
    latest = max(
        (start_of_day(day, known[key]) for key, day in through.items() if key in known), default=None
    )

    def floor(pool: Pool, zone: tzinfo) -> date:
        today = day_of(now, zone)
        if pool.key in through:
            first = through[pool.key] + _DAY
        else:
            first = min(today, first_day_from(latest, zone)) if latest is not None else today
        return max(first, today - MOST_NIGHTS * _DAY)

    return _laid_out(policies, floor, now if until is None else until)


def within(policies: Policies, *, since: Moment, until: Moment) -> list[Stretch]:
    """All nights that begin after *since*, up to *until*."""
    return _laid_out(policies, lambda pool, zone: first_day_from(since + _MOMENT, zone), until)


def nights(stretches: Iterable[Stretch]) -> list[Night]:
    """Every night of *stretches*, in order."""
    return sorted((night for stretch in stretches for night in stretch), key=lambda night: night.position)


def stranded(policy: Policy, held: Mapping[str, int]) -> tuple[str, ...]:
    """What is wrong where *policy* is in force while the pools hold so many customers, by key: those must be open."""
    open_ones, problems = {pool.key for pool in policy.ranked_pools}, list[str]()
    for key, many in sorted(held.items()):
        if many and key not in open_ones:
            problems.append(f"the pool {key} can't be closed: it holds {many} customers")
    return tuple(problems)


def is_steady(where: Where) -> bool:
    """Whether *where* asks the same on every day: no moment in it is counted from now."""
    for leaf in leaves(where):
        values = (
            leaf.values if isinstance(leaf, OneOf) else (leaf.value,) if isinstance(leaf, Compare) else ()
        )
        if any(isinstance(value, Relative) for value in values):
            return False
    return True


def looks_at_others(where: Where, *, through: Iterable[str], changing: Iterable[str]) -> bool:
    """Whether *where*, one hop away through one of the references *through*, asks for one of the fields *changing*."""
    hops = {f"{reference}.{field}" for reference in through for field in changing}
    return any(not hops.isdisjoint(_paths(leaf)) for leaf in leaves(where))


def _paths(leaf: Where) -> tuple[str, ...]:
    operand = getattr(leaf, "operand", "")  # what searches names no field
    return (operand.start, operand.end) if isinstance(operand, Span) else (operand,)


def _laid_out(policies: Policies, floor: _Floor, until: Moment) -> list[Stretch]:
    found: list[Stretch] = []
    after: dict[str, date] = {}
    starts = [version.effective_from for version in policies.versions]
    starts[0] = None  # the earliest holds from the beginning, whatever it says
    for version, start, end in zip(policies.versions, starts, [*starts[1:], None], strict=True):
        if start is not None and start > until:
            break
        end = until if end is None else min(until, end - _MOMENT)
        for rank, pool in enumerate(version.ranked_pools):
            zone = version.zone_of(pool)
            first = max(floor(pool, zone), after.get(pool.key, date.min))
            if start is not None:
                first = max(first, first_day_from(start, zone))
            last = day_of(end, zone)
            if first <= last:
                after[pool.key] = last + _DAY
                found.append(Stretch(policy=version, pool=pool, rank=rank, zone=zone, first=first, last=last))
    return found
