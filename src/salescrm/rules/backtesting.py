"""
Replaying history under another policy, pure: who would have lost which customer, which claims would have been refused.

What is replayed are spells: one member's time with one customer, with the facts that it really had.  A policy can end a
spell earlier than it ended, by a fall; what really happened in the rest of it is kept as evidence (did this member still
sell to this customer?), not undone.  It can't make one last longer: a spell that really ended by a recycle is censored
there, for nobody knows what would have come.  A claim that the policy refuses is not made: the member does not have the
customer in that spell, so it can't fall in it either.  Nobody claims earlier, or anything else, than they really did.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta, tzinfo
from fractions import Fraction
from heapq import heappop, heappush
from typing import Final

import attrs

from salescrm.calendars import day_of, start_of_day
from salescrm.entities import Customer, Member
from salescrm.entities.pools import OwnershipKind
from salescrm.policy import Pool
from salescrm.rules.claiming import ClaimDecision, Claimer, may_claim
from salescrm.values import Id, Moment, Money

__all__ = ["ClaimedFrom", "People", "Reading", "Refusal", "Replayed", "Sale", "Spell", "SpellFall", "replay"]

_DAY: Final = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Sale:
    """Something that a member sold to a customer."""

    opportunity_id: Id
    at: Moment
    amount: Money | None


@attrs.frozen(kw_only=True)
class SpellFall:
    """
    A customer that would have fallen: on the *day* that begins *at*, from *owner_id*, who had it *since*, into *pool*.

    Attributes:
        rule: The rule that decides; *fired* are all by which it falls that day, this one first.
        ended: When the member really lost it, and by what (*ended_by*); None if they have it still.
        bought: What this member sold to this customer after that day: with any of it, the fall would have been wrong.
    """

    customer_id: Id
    customer: str
    owner_id: Id
    since: Moment
    pool: str
    rule: str
    fired: tuple[str, ...]
    day: date
    at: Moment
    policy_version: int
    ended: Moment | None = None
    ended_by: OwnershipKind | None = None
    bought: tuple[Sale, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether the customer later bought from the very member who would have lost it."""
        return bool(self.bought)


@attrs.frozen(kw_only=True, eq=False)
class ClaimedFrom:
    """The pool that a spell's customer was claimed from, as a policy has it: the one of that key, or the one it belongs to."""

    pool: Pool
    zone: tzinfo
    policy_version: int
    #: Which of the questions of `Reading.flips` says what counts for the pool's cap.
    counted: int


@attrs.frozen(kw_only=True, eq=False)
class Reading:
    """
    What one policy makes of a spell by itself.

    Attributes:
        fall: The first night on which the customer falls.
        flips: For each question about what counts for a cap, the moments from which it holds, no longer holds, and so on.
    """

    fall: SpellFall | None
    claimed_from: ClaimedFrom | None
    flips: tuple[tuple[Moment, ...], ...]


@attrs.frozen(kw_only=True, eq=False)
class Spell:
    """
    One member's time with one customer.

    Attributes:
        order: Tells apart what began at the same moment.
        entered: Since when the customer had been in its pool.
        readings: What each of the policies makes of it.
    """

    customer_id: Id
    customer: str
    owner_id: Id
    began: Moment
    begun_by: OwnershipKind | None
    order: Id
    ended: Moment | None
    ended_by: OwnershipKind | None
    entered: Moment | None
    readings: tuple[Reading, ...]


@attrs.frozen(kw_only=True)
class People:
    """Who works here: each one's name, their team with those above it, and who is in the same team."""

    names: Mapping[Id, str]
    teams: Mapping[Id, frozenset[str]]
    mates: Mapping[Id, tuple[Id, ...]]


@attrs.frozen(kw_only=True)
class Refusal:
    """A claim that was really made *at* a moment, and would have been refused."""

    at: Moment
    member_id: Id
    decision: ClaimDecision


@attrs.frozen(kw_only=True)
class Replayed:
    """
    What came of a replay.

    Attributes:
        claims: How many claims were judged; *refused* are those that would not have been made.
        spared: How many customers really fell and would not have by then.
        holds: By member, how many customers they have in the end.
        held: By member, how many they had on average.
    """

    falls: tuple[SpellFall, ...]
    claims: int
    refused: tuple[Refusal, ...]
    spared: int
    holds: Mapping[Id, int]
    held: Mapping[Id, Fraction]


def replay(
    spells: Iterable[Spell], which: int | None, *, since: Moment, until: Moment, people: People
) -> Replayed:
    """
    *spells* under the policy of number *which*, from *since* to *until*; as they really were where it is None.

    Claims before *since* are not judged, but count for the limits of later ones.
    """
    run = _Replay(which, since, until, people)
    for spell in sorted(spells, key=lambda spell: (spell.began, _fills(spell, which), spell.order)):
        run.finish(spell.began)
        run.begin(spell)
    run.finish(until)
    return run.result()


def _fills(spell: Spell, which: int | None) -> bool:
    """Whether it takes room under a cap: of what was claimed at one moment, that which takes none is judged first."""
    reading = None if which is None else spell.readings[which]
    if reading is None or reading.claimed_from is None:
        return False
    return _holds(reading.flips[reading.claimed_from.counted], spell.began)


class _Replay:
    def __init__(self, which: int | None, since: Moment, until: Moment, people: People) -> None:
        self._which, self._since, self._until, self._people = which, since, until, people
        self._ends: list[tuple[Moment, int, Spell]] = []
        self._has: defaultdict[Id, dict[int, Spell]] = defaultdict(dict)
        self._time: defaultdict[Id, timedelta] = defaultdict(timedelta)
        #: By member and pool, when they claimed.
        self._claimed: defaultdict[tuple[Id, str], list[Moment]] = defaultdict(list)
        #: By customer, who had it until when, and since when nobody has it.
        self._had: defaultdict[Id, dict[Id, Moment]] = defaultdict(dict)
        self._left: dict[Id, Moment] = {}
        self._falls: list[SpellFall] = []
        self._refused: list[Refusal] = []
        self._judged = self._spared = self._number = 0

    def begin(self, spell: Spell) -> None:
        """The member takes the customer, unless the policy refuses."""
        reading = None if self._which is None else spell.readings[self._which]
        source = None if reading is None else reading.claimed_from
        if spell.begun_by == "claimed" and source is not None:
            if spell.began >= self._since:
                self._judged += 1
                decision = self._judge(spell, source)
                if not decision.allowed:
                    self._refused.append(Refusal(at=spell.began, member_id=spell.owner_id, decision=decision))
                    return
            self._claimed[spell.owner_id, source.pool.key].append(spell.began)
        self._number += 1
        self._has[spell.owner_id][self._number] = spell
        end = spell.ended
        fall = None if reading is None else reading.fall
        if fall is not None and (end is None or fall.at <= end):
            end = fall.at
            self._falls.append(fall)
        elif self._which is not None and spell.ended_by == "recycled" and end is not None:
            self._spared += self._since < end <= self._until
        if end is not None:
            heappush(self._ends, (end, self._number, spell))

    def finish(self, until: Moment) -> None:
        """Ends what ends up to *until*."""
        while self._ends and self._ends[0][0] <= until:
            at, number, spell = heappop(self._ends)
            del self._has[spell.owner_id][number]
            self._time[spell.owner_id] += self._within(spell.began, at)
            self._had[spell.customer_id][spell.owner_id] = at
            self._left[spell.customer_id] = at

    def result(self) -> Replayed:
        """What came of it."""
        whole = self._until - self._since
        for member, spells in self._has.items():
            for spell in spells.values():
                self._time[member] += self._within(spell.began, self._until)
        return Replayed(
            falls=tuple(sorted(self._falls, key=lambda fall: (fall.at, fall.pool, fall.customer_id))),
            claims=self._judged,
            refused=tuple(self._refused),
            spared=self._spared,
            holds={member: len(self._has[member]) for member in sorted(self._time)},
            held={
                member: Fraction(self._time[member] // _TICK, whole // _TICK) for member in sorted(self._time)
            },
        )

    def _within(self, began: Moment, ended: Moment) -> timedelta:
        return max(min(ended, self._until) - max(began, self._since), timedelta(0))

    def _judge(self, spell: Spell, source: ClaimedFrom) -> ClaimDecision:
        """Whether the claim that *spell* began with would have been allowed."""
        pool, member_id, at, people = source.pool, spell.owner_id, spell.began, self._people
        limits, teams = pool.claims, people.teams.get(spell.owner_id, frozenset())
        today = day_of(at, source.zone)
        claimed = self._claimed[member_id, pool.key]
        those = people.mates.get(member_id, ()) if limits.cool_down_team else ()
        ends = [end for one, end in self._had[spell.customer_id].items() if one == member_id or one in those]
        claimer = Claimer(
            # Whoever claimed it did work here then, and was in the team that they are in now.
            member=Member(id=member_id, name=people.names.get(member_id, member_id)),
            belongs=pool.everyone or member_id in pool.members or not teams.isdisjoint(pool.teams),
            reserved=member_id in limits.reserved_members or not teams.isdisjoint(limits.reserved_teams),
            holds=sum(
                _holds(one.readings[self._which or 0].flips[source.counted], at)
                for one in self._has[member_id].values()
            )
            if limits.cap is not None
            else 0,
            today=_from(claimed, start_of_day(today, source.zone)),
            week=_from(claimed, start_of_day(today - today.weekday() * _DAY, source.zone)),
            owned_until={spell.customer_id: max(ends)} if ends else {},
        )
        customer = Customer(
            id=spell.customer_id,
            name=spell.customer,
            pool_id=Id(pool.key),
            entered_pool_at=self._left.get(spell.customer_id, spell.entered),
        )
        return may_claim(
            customer, pool, claimer,
            now=at, zone=source.zone, policy_version=source.policy_version, counts=_fills(spell, self._which),
        )  # fmt: skip


_TICK: Final = timedelta(milliseconds=1)


def _holds(flips: Sequence[Moment], at: Moment) -> bool:
    """Whether what flips at these moments, and does not hold at first, holds *at* one."""
    return bisect_right(flips, at) % 2 == 1


def _from(moments: Sequence[Moment], since: Moment) -> int:
    """How many of the ascending *moments* are not before *since*."""
    return len(moments) - bisect_left(moments, since)
