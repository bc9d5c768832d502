"""What giving out many items comes to: who gets what, everybody's load before and after, and how fair it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Final

import attrs

from salescrm.labels import Label, Language
from salescrm.rules.assigning.candidates import Item, OutFor
from salescrm.rules.assigning.deciding import Assignment, exact
from salescrm.rules.assigning.fairness import Fairness, evenness
from salescrm.rules.assigning.shares import Shares
from salescrm.values import Id

__all__ = ["MemberLoad", "Plan", "joined"]

_TOLD: Final = Label(
    "{given} of {all} go to {members} members; evenness {before} before, {after} after",
    "共{all}个，其中{given}个分配给{members}人；工作量均衡度由{before}变为{after}",
)
_OFF: Final = Label(
    "; nobody is off their fair share by more than {deviation}", "；每人与应得份额最多相差{deviation}个"
)


@attrs.frozen(kw_only=True)
class MemberLoad:
    """
    What a plan makes of one member's load.

    Attributes:
        weight: What their load is measured by: 1 where the strategy holds all for equal.
        got: How many items they get; *drawn*, how many of them by their share.
        ideal: Their part of what is drawn for.
        off: By how much what ever came to them then differs from their part of it, at most, among any that the same
            people were drawn for: always less than one item.
        out: Why they get nothing any more; *there* says whether they could get something at first.
    """

    member_id: Id
    name: str
    weight: int
    before: int
    after: int
    got: int
    drawn: int
    ideal: Fraction
    off: Fraction
    there: bool
    out: OutFor | None = None

    def then(self, later: MemberLoad) -> MemberLoad:
        """This and what a *later* plan makes of it."""
        return attrs.evolve(
            self,
            after=self.after + later.after - later.before,
            got=self.got + later.got,
            drawn=self.drawn + later.drawn,
            ideal=self.ideal + later.ideal,
            off=max(self.off, later.off),
            there=self.there or later.there,
            out=None if self.out is None else later.out,
        )


@attrs.frozen(kw_only=True)
class Plan:
    """
    Who gets what, in the order of the items; nothing has been changed.

    Attributes:
        shares: What the next draw starts from, if this plan is carried out; of a plan by several rules, nothing.
        loads: Of every candidate, in the order in which they came; *out* says why somebody could get nothing any more.
    """

    assignments: tuple[Assignment, ...]
    shares: Shares
    loads: tuple[MemberLoad, ...]

    @cached_property
    def fairness(self) -> Fairness:
        """How even it was among those who could get something, and is then."""
        there = [one for one in self.loads if one.there]
        drawn = any(one.drawn for one in there)
        return Fairness(
            before=evenness(Fraction(one.before, one.weight) for one in there),
            after=evenness(Fraction(one.after, one.weight) for one in there),
            deviation=max(one.off for one in there) if drawn else None,
        )

    @property
    def unassigned(self) -> tuple[Item, ...]:
        """What nobody can take."""
        return tuple(one.item for one in self.assignments if not one.assigned)

    def by_member(self) -> dict[Id, tuple[Item, ...]]:
        """By member, what they get."""
        found: dict[Id, list[Item]] = {}
        for one in self.assignments:
            if one.member_id is not None:
                found.setdefault(one.member_id, []).append(one.item)
        return {id: tuple(items) for id, items in found.items()}

    def explain(self, lang: Language) -> str:
        """The plan as a sentence."""
        fairness = self.fairness
        told = _TOLD.text(lang).format(
            given=len(self.assignments) - len(self.unassigned),
            all=len(self.assignments),
            members=len(self.by_member()),
            before=exact(fairness.before),
            after=exact(fairness.after),
        )
        if fairness.deviation is not None:
            told += _OFF.text(lang).format(deviation=exact(fairness.deviation, up=False))
        return told


def joined(plans: Sequence[Plan], assignments: Iterable[Assignment]) -> Plan:
    """
    What *plans*, made one after another, come to together; *assignments* are theirs, and others, in the order wanted.

    Each plan takes up everybody's load where the one before it left it.
    """
    if len(plans) == 1:
        return attrs.evolve(plans[0], assignments=tuple(assignments))
    loads: dict[Id, MemberLoad] = {}
    for load in (one for plan in plans for one in plan.loads):
        before = loads.get(load.member_id)
        loads[load.member_id] = load if before is None else before.then(load)
    return Plan(assignments=tuple(assignments), shares=Shares(), loads=tuple(loads.values()))
