"""Assignment: a manager's dispatch, as a dry run and for real, and who would get a customer by the rules."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from salescrm.entities import Customer
from salescrm.errors import AssignmentRefused, Forbidden, InvalidValue, NotFound, StateRefused
from salescrm.labels import Label
from salescrm.policy import AssignmentRule, Strategy
from salescrm.query import EVERYTHING, F, Where
from salescrm.rules.assigning import Assignment, Plan
from salescrm.services.assigning import Assigning, Decided, Wanted
from salescrm.unit import UnitOfWork
from salescrm.values import Id, clean_text
from salescrm.whole import whole

__all__ = ["AssignmentService", "Dispatched"]


@attrs.frozen(kw_only=True)
class Dispatched:
    """What came of a dispatch: the *plan* that was carried out, its *customers* as they now are, and why others were *refused*."""

    plan: Plan
    customers: tuple[Customer, ...]
    refused: tuple[Assignment, ...] = ()


class AssignmentService:
    """Who gets which customers: by the policy's rules, or as a manager says."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.repository(Customer)
        self._assigning = Assigning(unit)

    def plan(
        self,
        customers: Iterable[Customer | Id] | Where,
        *,
        rule: str | None = None,
        strategy: Strategy | None = None,
        to: Iterable[str] | Where | None = None,
        seed: int = 0,
    ) -> Plan:
        """
        What `dispatch` would do with *customers*, everybody's load before and after it, and how fair it is; nothing is done.

        Args:
            customers: Those, or all without an owner for which a question holds, longest in their pool first.
            rule: The policy's rule of that key; without it each is given by the first rule that is for it.
            strategy: In place of the policy's rules: how to choose among those whom *to* names; by capacity where it is
                None.  Shares are then those of this dispatch alone.
            to: Members by id, or all active ones for which a question holds; with a *rule* in place of its own.
            seed: With a *strategy*: decides who is first of those who are level.

        Raises:
            Forbidden: The acting member is no admin of the pool that one of them is in, or, of one that is in none, may
                not save it.
            StateRefused: One of them is in a pool that is closed.
            NotFound: There is no such customer.
            InvalidValue: There is no such rule, or both a rule and a strategy are given, or a strategy for nobody.
        """
        wanted = self._wanted(customers, self._rule(rule, strategy, to, seed))
        return self._assigning.decide(wanted, in_turn=False).plan

    @whole
    def dispatch(
        self,
        customers: Iterable[Customer | Id] | Where,
        *,
        rule: str | None = None,
        strategy: Strategy | None = None,
        to: Iterable[str] | Where | None = None,
        seed: int = 0,
        partial: bool = False,
        reason: str | None = None,
    ) -> Dispatched:
        """
        *customers* in the hands of whom the rules, or this *strategy*, give them to: all of them, or none; else as `plan`.

        With *partial* those that somebody can take; the others are told with the reason.  Members on leave, inactive, not
        of the pool, at their cap or full for the week get nothing.  The ledger has *reason*, or else the decision's own.

        Raises:
            AssignmentRefused: One of them has an owner, nobody can take it, or no rule is for it; nothing was done.
            StaleWrite: One of them has changed since it was read.
        """
        chosen = self._rule(rule, strategy, to, seed)
        why = (
            None
            if reason is None
            else clean_text(reason, entity="OwnershipEntry", field="reason", limit=20_000)
        )
        wanted = self._wanted(customers, chosen)
        decided: Decided = self._assigning.decide(wanted, in_turn=True)
        refused = tuple(one for one in decided.plan.assignments if not one.assigned)
        if refused and not partial:
            raise AssignmentRefused(refused)
        given = self._assigning.carry_out([one for one, _ in wanted], decided, reason=why)
        return Dispatched(plan=decided.plan, customers=tuple(given), refused=refused)

    def why(self, customer: Customer | Id) -> Assignment:
        """
        Who would get *customer* by the rules now, and how all stand who could: ``why(...).explain("zh")``.

        Of a customer that somebody owns it says that; why they got it stands in its ledger, see `pools.ledger`.
        """
        id = customer.id if isinstance(customer, Customer) else customer
        read = self._customers.get(id)
        wanted = [(read, self._assigning.rule_of(read))]
        return self._assigning.decide(wanted, in_turn=False, figures=None).plan.assignments[0]

    def _rule(
        self, key: str | None, strategy: Strategy | None, to: Iterable[str] | Where | None, seed: int
    ) -> AssignmentRule | None:
        """The rule that is to decide; None for whichever is for a customer."""
        if key is not None and strategy is not None:
            raise InvalidValue("AssignmentRule", "strategy", key, "a rule or a strategy, not both")
        if key is None and to is None:
            if strategy is not None:
                raise InvalidValue("AssignmentRule", "members", None, "who may be given it: to=")
            return None
        rule = (
            AssignmentRule(key="", label=Label("", ""), strategy=strategy or Strategy(), seed=seed)
            if key is None
            else self.unit.policy.assignment(key)
        )
        if to is None:
            return rule
        if isinstance(to, Where):
            return attrs.evolve(rule, members=(), teams=(), everyone=True, among=to)
        if isinstance(to, str):
            raise InvalidValue("AssignmentRule", "members", to, "a list of members")
        members = tuple(clean_text(id, entity="Member", field="id", limit=64) for id in to)
        return attrs.evolve(rule, members=members, teams=(), everyone=False, among=EVERYTHING)

    def _wanted(
        self, customers: Iterable[Customer | Id] | Where, rule: AssignmentRule | None
    ) -> list[Wanted]:
        """The customers as they are now, each once, with the rule for each; the acting member may give out all of them."""
        if isinstance(customers, Where):
            free = customers & F.owner_id.is_null()
            read = list(self._customers.stream(free, order=[F.entered_pool_at, F.created_at]))
        else:
            ids = list(dict.fromkeys(one.id if isinstance(one, Customer) else one for one in customers))
            found = self._customers.many(ids)
            for id in ids:
                if id not in found:
                    raise NotFound("Customer", id if isinstance(id, str) else repr(id)[:80])
            read = [found[id] for id in ids]
        self._check(read)
        return [(one, rule or self._assigning.rule_of(one)) for one in read]

    def _check(self, customers: list[Customer]) -> None:
        """That the acting member may give them out."""
        unit = self.unit
        pools = {pool.key: pool for pool in unit.policy.pools}
        outside: list[Id] = []
        for one in customers:
            if one.owner_id is not None:
                continue
            if one.pool_id is None:
                outside.append(one.id)
                continue
            pool = pools.get(one.pool_id)
            if pool is None or not pool.enabled:
                raise StateRefused("Customer", one.number, f"in the closed pool {one.pool_id}", "be assigned")
            if unit.member not in pool.admins:
                raise Forbidden(unit.member, "assign", "Customer", one.id)
        allowed = self._customers.allowed(outside, "save")
        for id in outside:
            if id not in allowed:
                raise Forbidden(unit.member, "save", "Customer", id)
