"""Giving customers out by rules, in one Work: who gets which, and then the owners, the ledger, the events and the shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import attrs

from salescrm.entities import Customer
from salescrm.errors import StaleWrite
from salescrm.policy import AssignmentRule, Pool
from salescrm.rules.assigning import Assignment, HostChoice, Item, Plan, Shares, dispatch, joined
from salescrm.rules.assigning.deciding import Verdict
from salescrm.services.candidates import Candidates, Given, Limit, limits_of
from salescrm.services.items import Items
from salescrm.services.ownership import Ownership
from salescrm.services.shares import KeptShares
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Assigning", "Decided", "Wanted"]

#: A customer, and the rule by which it is given out, if there is one for it.
Wanted: TypeAlias = tuple[Customer, AssignmentRule | None]

#: Of how many, the chosen one included, a decision tells how they stood.
_TOLD: Final = 2


@attrs.frozen(kw_only=True)
class Decided:
    """Who is to get what, and what the next draw then starts from, of the policy's rules that were drawn by."""

    plan: Plan
    shares: dict[str, Shares]


@attrs.frozen
class _Group:
    """Customers that the same rule gives out of the same pool: the same people may have them."""

    rule: AssignmentRule
    pool: Pool | None
    limits: tuple[Limit, ...]
    customers: list[Customer] = attrs.field(factory=list)


class Assigning:
    """What assignment does, whoever asks for it; that they may has been checked."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._kept = KeptShares(unit)
        self._items = Items(unit)
        self._ownership = Ownership(unit)

    def rule_of(self, customer: Customer) -> AssignmentRule | None:
        """The first rule whose question holds for *customer*."""
        rules = self.unit.policy.assignments
        return next((rule for rule in rules if self.unit.holds(customer, rule.where)), None)

    def created(self, customers: Iterable[Customer]) -> dict[Id, Customer]:
        """By id, those of the new *customers* that a rule gives an owner at once, as they then are."""
        if not self.unit.policy.assigns_on_create:
            return {}
        wanted: list[Wanted] = []
        for one in customers:
            rule = self.rule_of(one) if one.owner_id is None else None
            if rule is not None and rule.on_create:
                wanted.append((one, rule))
        if not wanted:
            return {}
        read = [one for one, _ in wanted]
        given = self.carry_out(read, self.decide(wanted, in_turn=True, shown=False))
        return {one.id: one for one in given}

    def decide(
        self, wanted: Sequence[Wanted], *, in_turn: bool, shown: bool = True, figures: int | None = _TOLD
    ) -> Decided:
        """
        Who gets which of *wanted*: rule by rule and pool by pool, in the order in which they come.

        With *in_turn* nobody else gives out by the same rules, or counts what the same members have, before this Work
        ends.  Loads are counted where they are *shown* or decide; *figures* is as in `dispatch`.
        """
        unit, groups = self.unit, self._groups(wanted)
        rules = {group.rule.key: group.rule for group in groups}
        people = {key: Candidates(unit, rule, shown=shown) for key, rule in rules.items()}
        if in_turn and groups:
            limited = {id for group in groups for id in people[group.rule.key].limited(group.limits)}
            self._kept.take_turns([key for key in rules if key], limited)
        start = {key: self._kept.read(key) if key else Shares() for key in rules}
        shares = dict(start)
        given, plans = Given(), list[Plan]()
        for group in groups:
            plan = self._plan(group, people[group.rule.key], shares[group.rule.key], given, figures)
            shares[group.rule.key] = plan.shares
            plans.append(plan)
        made = {one.item.id: one for plan in plans for one in plan.assignments}
        decisions = (made.get(customer.id) or self._undecided(customer) for customer, _ in wanted)
        drawn = {key: after for key, after in shares.items() if key and after != start[key]}
        return Decided(plan=joined(plans, decisions), shares=drawn)

    def carry_out(
        self, customers: Iterable[Customer], decided: Decided, *, reason: str | None = None
    ) -> list[Customer]:
        """
        What was *decided* done with *customers*, as they were read; those that got an owner, in their order.

        The ledger has *reason*, or else why each went to whom in the policy's language.

        Raises:
            StaleWrite: One of them has changed since it was read; shares that were drawn for it would be wrong.
        """
        read = {one.id: one for one in customers}
        parts: dict[tuple[Id, str | None], list[Assignment]] = {}
        for one in decided.plan.assignments:
            if one.member_id is not None:
                parts.setdefault((one.member_id, one.rule), []).append(one)
        given: dict[Id, Customer] = {}
        for (member_id, rule), made in parts.items():
            mine = [read[one.item.id] for one in made]
            why = {one.item.id: reason or one.explain(self.unit.policy.language) for one in made}
            taken = self._ownership.give(mine, member_id, kind="assigned", reasons=why, rule=rule)
            given |= {one.id: one for one in taken}
            if len(taken) < len(mine):
                late = next(one for one in mine if one.id not in given)
                self.unit.fail()
                raise StaleWrite("Customer", late.id, late.version)
        for key, shares in decided.shares.items():
            self._kept.save(key, shares)
        return [given[id] for id in read if id in given]

    def _groups(self, wanted: Sequence[Wanted]) -> list[_Group]:
        pools = {pool.key: pool for pool in self.unit.policy.pools}
        groups: dict[tuple[str, str | None], _Group] = {}
        for customer, rule in wanted:
            if rule is None or customer.owner_id is not None:
                continue
            pool = pools.get(customer.pool_id or "")
            key = rule.key, None if pool is None else pool.key
            if key not in groups:
                groups[key] = _Group(rule, pool, limits_of(rule, pool))
            groups[key].customers.append(customer)
        return list(groups.values())

    def _plan(
        self, group: _Group, people: Candidates, shares: Shares, given: Given, figures: int | None
    ) -> Plan:
        unit, rule = self.unit, group.rule
        given.deals |= self._items.deals(group.customers)
        counted = [limit.counted for limit in group.limits]
        plan = dispatch(
            self._items.of(group.customers, rule, counted, given.deals),
            people.before(group.pool, group.limits, given),
            rule.strategy,
            shares,
            day=unit.today,
            seed=rule.seed,
            host=self._host(),
            policy_version=unit.policy.version,
            rule=rule.key or None,
            figures=figures,
        )
        read = {one.id: one for one in group.customers}
        for member_id, items in plan.by_member().items():
            given.customers.setdefault(member_id, []).extend(read[one.id] for one in items)
        return plan

    def _host(self) -> HostChoice | None:
        """The plugins' say; None where nobody listens."""
        hooks, unit = self.unit.kit.hooks, self.unit
        if not hooks.listens_to_assigning:
            return None
        return lambda item, candidates: hooks.choosing(unit, item, candidates)

    def _undecided(self, customer: Customer) -> Assignment:
        """Nothing was to be decided about it."""
        verdict: Verdict = "no-rule" if customer.owner_id is None else "already-owned"
        item = Item(id=customer.id, name=customer.name)
        return Assignment(verdict=verdict, policy_version=self.unit.policy.version, item=item)
