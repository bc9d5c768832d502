"""Who may be given something by a rule, and what each of them has already: tallied for all of them at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta, tzinfo
from functools import cached_property

import attrs

from salescrm.calendars import Calendar, day_of, start_of_day
from salescrm.entities import Customer, FollowUp, Member, Opportunity, OwnershipEntry, Team
from salescrm.policy import AssignmentRule, Pool
from salescrm.query import F, Tally, Where, count
from salescrm.query.nodes import Or
from salescrm.rules.assigning import Candidate, week_capacity
from salescrm.services.items import chunked
from salescrm.services.members import zone_of
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Candidates", "Given", "Limit", "limits_of"]


@attrs.define
class Given:
    """What is given out in this Work and not stored yet: by member the customers, by customer the deals that come along."""

    customers: dict[Id, list[Customer]] = attrs.field(factory=dict)
    deals: dict[Id, int] = attrs.field(factory=dict)

    def to(self, member_id: Id) -> list[Customer]:
        """What *member_id* is given."""
        return self.customers.get(member_id, [])


@attrs.frozen
class Limit:
    """The most that a member may own, of the customers that *counted* holds for."""

    cap: int
    counted: Where


def limits_of(rule: AssignmentRule, pool: Pool | None) -> tuple[Limit, ...]:
    """The caps that bind for what *rule* gives out of *pool*."""
    found = [] if rule.cap is None else [Limit(rule.cap, rule.counted)]
    if pool is not None and pool.claims.cap is not None:
        found.append(Limit(pool.claims.cap, pool.claims.counted))
    return tuple(found)


class Candidates:
    """Whom a rule gives to, in one Work; loads are counted where the rule looks at them, or where they are *shown*."""

    def __init__(self, unit: UnitOfWork, rule: AssignmentRule, *, shown: bool) -> None:
        self.unit, self.rule = unit, rule
        self._counts_load = shown or rule.strategy.picks == "least_loaded"
        self._calendar: Calendar | None = (
            None if rule.calendar is None else unit.calendar(rule.calendar, of="AssignmentRule")
        )
        self.members = self._members()
        self._ids = [one.id for one in self.members]

    def limited(self, limits: Sequence[Limit]) -> list[Id]:
        """Those of whom something is counted that must not change before this Work ends."""
        if limits:
            return self._ids
        return [one.id for one in self.members if self._is_limited(one)]

    def before(self, pool: Pool | None, limits: Sequence[Limit], given: Given) -> tuple[Candidate, ...]:
        """
        All of them before *pool*, or before what is in none, as they stand with what was *given* to them in this Work.

        Of several *limits* the one that leaves the least room is what their cap is.
        """
        taken, held = self._taken(given), [self._held(limit, given) for limit in limits]
        reach = None if pool is None or pool.everyone else self._reach(pool)
        weights, load, made = self.rule.weights, self.rule.load, list[Candidate]()
        for one in self.members:
            rooms = [
                (limit.cap - had[one.id], had[one.id], limit.cap)
                for limit, had in zip(limits, held, strict=True)
            ]
            _, owned, cap = min(rooms, default=(0, 0, None))
            today = self._today(one)
            capacity = None
            if self._is_limited(one):
                capacity = week_capacity(
                    one.weekly_capacity or 0, today, away=one.leave,
                    calendar=self._calendar, usual=self.rule.week_days,
                )  # fmt: skip
            made.append(
                Candidate(
                    id=one.id,
                    name=one.name,
                    weight=weights.get(one.id, max(one.weekly_capacity or self.rule.weight, 1)),
                    load=self._loads[one.id]
                    + sum(
                        load.customers + load.opportunities * given.deals.get(fresh.id, 0)
                        for fresh in given.to(one.id)
                    ),
                    held=owned,
                    cap=cap,
                    taken=taken[one.id],
                    capacity=capacity,
                    away=one.leave,
                    today=today,
                    active=one.active,
                    belongs=reach is None or one.id in reach,
                    skills=frozenset(one.skills),
                    territories=frozenset(one.territories),
                    team_id=one.team_id,
                )
            )
        return tuple(made)

    def _members(self) -> tuple[Member, ...]:
        """By name; whoever is named and kept elsewhere by the host is taken for active."""
        rule, members = self.rule, self.unit.unscoped(Member)
        named = sorted({Id(id) for id in rule.members})
        wanted: list[Where] = [F.id.one_of(part) for part in chunked(named)]
        if rule.everyone:
            wanted.append(F.active == True)  # noqa: E712  # a condition, not a truth value
        elif rule.teams:
            wanted.append(F.team_id.one_of(self._below(rule.teams)) & (F.active == True))  # noqa: E712  # as above
        if not wanted:
            return ()
        found = {one.id: one for one in members.stream(Or(tuple(wanted)) & rule.among)}
        elsewhere = [id for id in named if id not in found]
        there = members.many(elsewhere)
        for id in elsewhere:
            member = Member(id=id, name=id)
            if id not in there and self.unit.holds(member, rule.among):
                found[id] = member
        return tuple(sorted(found.values(), key=lambda one: (one.name, one.id)))

    @cached_property
    def _tree(self) -> dict[str, str | None]:
        """By team, the one above it."""
        return {one.id: one.parent_id for one in self.unit.unscoped(Team).stream()}

    def _below(self, teams: Iterable[str]) -> list[str]:
        """*teams* and all teams below them."""
        found, tree = set(teams), self._tree
        while more := {id for id, parent in tree.items() if parent in found} - found:
            found |= more
        return sorted(found)

    def _reach(self, pool: Pool) -> frozenset[str]:
        """Those of them that *pool* is open to."""
        teams = set(self._below(pool.teams)) if pool.teams else set[str]()
        there = {one.id for one in self.members if one.team_id in teams}
        return frozenset((*pool.members, *there))

    @cached_property
    def _loads(self) -> Counter[str]:
        """By member, their open work, each kind with its weight."""
        unit, weights, found = self.unit, self.rule.load, Counter[str]()
        if not self._counts_load:
            return found
        kinds = (
            (unit.unscoped(Customer), F.owner_id, None, weights.customers),
            (unit.unscoped(Opportunity), F.owner_id, F.status == "open", weights.opportunities),
            (unit.unscoped(FollowUp), F.assignee_id, F.status == "planned", weights.follow_ups),
        )
        for records, field, still, weight in kinds:
            for part in chunked(self._ids) if weight else ():
                mine = field.one_of(part) if still is None else field.one_of(part) & still
                for id, many in records.tally(Tally(by=[field], measures=[count()], where=mine)):
                    found[id] += weight * many
        return found

    def _held(self, limit: Limit, given: Given) -> Counter[str]:
        """By member, what they own of what *limit* is for."""
        found, customers = Counter[str](), self.unit.unscoped(Customer)
        for part in chunked(self._ids):
            mine = F.owner_id.one_of(part) & limit.counted
            found.update(dict(customers.tally(Tally(by=[F.owner_id], measures=[count()], where=mine))))
        for id, fresh in given.customers.items():
            found[id] += sum(
                self.unit.holds(one.owned_by(id, at=self.unit.now()), limit.counted) for one in fresh
            )
        return found

    def _taken(self, given: Given) -> Counter[str]:
        """By member, what they were assigned since Monday began where they are."""
        mondays: dict[tuple[tzinfo, date], list[Id]] = {}
        for one in self.members:
            if self._is_limited(one):
                today = self._today(one)
                key = zone_of(self.unit, one), today - timedelta(days=today.weekday())
                mondays.setdefault(key, []).append(one.id)
        found, ledger = Counter[str](), self.unit.unscoped(OwnershipEntry)
        for (zone, monday), ids in mondays.items():
            since = start_of_day(monday, zone)
            for part in chunked(ids):
                theirs = F.to_id.one_of(part) & (F.at >= since) & (F.kind == "assigned")
                found.update(dict(ledger.tally(Tally(by=[F.to_id], measures=[count()], where=theirs))))
        for id, fresh in given.customers.items():
            found[id] += len(fresh)
        return found

    def _is_limited(self, member: Member) -> bool:
        return self.rule.within_capacity and member.weekly_capacity is not None

    def _today(self, member: Member) -> date:
        return day_of(self.unit.now(), zone_of(self.unit, member))
