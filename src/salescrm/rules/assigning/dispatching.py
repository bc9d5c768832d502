"""Giving out many items, one after another: who gets which, what that makes of everybody's load, and how fair it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from hashlib import sha256
from itertools import islice
from typing import Final, TypeAlias

import attrs

from salescrm.errors import InvalidValue
from salescrm.labels import Label, Language
from salescrm.policy.assignments import Strategy
from salescrm.rules.assigning.candidates import Candidate, Item, OutFor
from salescrm.rules.assigning.deciding import Assignment, Figures, Out, Picked, exact
from salescrm.rules.assigning.fairness import Fairness, evenness
from salescrm.rules.assigning.narrowing import Narrowed, dropped, narrow, sticky
from salescrm.rules.assigning.shares import Draw, Shares
from salescrm.values import Id

__all__ = ["HostChoice", "MemberLoad", "Plan", "choose", "dispatch"]

#: A host's own say: which of these candidates gets the item; None for "as the strategy says".
HostChoice: TypeAlias = Callable[[Item, Sequence[Candidate]], str | None]

_TOLD: Final = Label(
    "{given} of {all} go to {members} members; evenness {before} before, {after} after",
    "共{all}个，{given}个分配给{members}人；均衡度由{before}变为{after}",
)
_OFF: Final = Label(
    "; nobody is off their fair share by more than {deviation}", "；与应得份额最多相差{deviation}个"
)


@attrs.frozen(kw_only=True)
class MemberLoad:
    """What a plan makes of one member's load; *got* items came to them of their part, *ideal*, of what was drawn for."""

    member_id: Id
    name: str
    before: int
    after: int
    got: int
    ideal: Fraction
    out: OutFor | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """
    Who gets what, in the order of the items; nothing has been changed.

    Attributes:
        shares: What the next draw starts from, if this plan is carried out.
        loads: Of every candidate, in the order in which they came; *out* says why somebody could get nothing any more.
    """

    assignments: tuple[Assignment, ...]
    shares: Shares
    loads: tuple[MemberLoad, ...]
    fairness: Fairness

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


def choose(
    item: Item,
    candidates: Iterable[Candidate],
    strategy: Strategy,
    shares: Shares | None = None,
    *,
    day: date,
    seed: int = 0,
    host: HostChoice | None = None,
    policy_version: int = 1,
    rule: str | None = None,
) -> tuple[Assignment, Shares]:
    """Who gets *item* on *day*, with the figures of all who could, and what the next draw starts from; as `dispatch`."""
    desk = _Desk(candidates, strategy, shares, day=day, seed=seed, host=host, figures=None)
    return desk.decide(item, policy_version, rule), desk.shares()


def dispatch(
    items: Iterable[Item],
    candidates: Iterable[Candidate],
    strategy: Strategy,
    shares: Shares | None = None,
    *,
    day: date,
    seed: int = 0,
    host: HostChoice | None = None,
    policy_version: int = 1,
    rule: str | None = None,
    figures: int = 2,
) -> Plan:
    """
    Who of *candidates* gets which of *items* on *day*, one after another.

    The same arguments give the same plan; *seed* decides who is first of those who are level.

    Args:
        shares: What earlier draws left; see `Plan.shares`.
        figures: Of how many, beside the chosen one and including them, a decision tells how they stood.

    Raises:
        InvalidValue: A candidate, or an item, is there twice.
    """
    desk = _Desk(candidates, strategy, shares, day=day, seed=seed, host=host, figures=figures)
    wanted = tuple(items)
    _once("Item", wanted)
    made = tuple(desk.decide(item, policy_version, rule) for item in wanted)
    return Plan(assignments=made, shares=desk.shares(), loads=desk.loads(), fairness=desk.fairness())


class _Group:
    """The same people for item after item."""

    def __init__(self, narrowed: Narrowed, out: tuple[Out, ...], weights: Sequence[int]) -> None:
        self.narrowed = narrowed
        self.out = out
        self.ids = [one.id for one in narrowed.left]
        self.weights = list(weights)


class _Desk:
    """Candidates and what has been given to them so far; nothing of it is seen from outside."""

    def __init__(
        self,
        candidates: Iterable[Candidate],
        strategy: Strategy,
        shares: Shares | None,
        *,
        day: date,
        seed: int,
        host: HostChoice | None,
        figures: int | None,
    ) -> None:
        self._all = tuple(candidates)
        _once("Candidate", self._all)
        self._order = sorted(self._all, key=lambda one: sha256(f"{seed}\n{one.id}".encode()).digest())
        self._strategy, self._host, self._figures, self._day = strategy, host, figures, day
        self._before = shares or Shares()
        self._draws: dict[str, tuple[Draw, list[_Group]]] = {}
        self._groups: dict[tuple[tuple[str, ...], frozenset[str]], _Group] = {}
        self._given: dict[Id, int] = {one.id: 0 for one in self._all}
        self._won: dict[Id, int] = {one.id: 0 for one in self._all}
        self._load: dict[Id, int] = {one.id: one.load for one in self._all}
        self._out: dict[Id, OutFor] = {}
        for one in self._all:
            self._look_at(one)
        self._first_out: Mapping[Id, OutFor] = dict(self._out)

    def decide(self, item: Item, policy_version: int, rule: str | None) -> Assignment:
        """Who gets *item*; from here on they have it."""
        group = self._group(item)
        narrowed = group.narrowed
        chosen, picked, lane, figures, out = self._pick(item, group)
        if chosen is not None:
            self._given[chosen.id] += 1
            self._load[chosen.id] += item.work
            self._look_at(chosen)
        return Assignment(
            verdict="assigned" if chosen else "nobody",
            rule=rule,
            policy_version=policy_version,
            item=item,
            member_id=chosen.id if chosen else None,
            member=chosen.name if chosen else "",
            strategy=self._strategy,
            picked=picked,
            passed=narrowed.passed,
            lane=lane,
            out=out,
            figures=figures,
        )

    def _pick(
        self, item: Item, group: _Group
    ) -> tuple[Candidate | None, Picked | None, str | None, tuple[Figures, ...], tuple[Out, ...]]:
        left = group.narrowed.left
        if not left:
            return None, None, None, (), group.out
        if self._host is not None and (id := self._host(item, left)) is not None:
            own = next((one for one in left if one.id == id), None)
            if own is None:
                raise InvalidValue(
                    "Assignment", "member_id", id, "one of the candidates that it was asked about"
                )
            return own, "host", None, (self._figure(own),), group.out
        if "sticky" in self._strategy.narrows:
            known, for_group = sticky(item, left)
            if known is not None:
                out = (*group.out, *dropped(left, (known,), "sticky"))
                return known, "group" if for_group else "previous", None, (self._figure(known),), out
        if self._strategy.picks == "least_loaded":
            free = min(left, key=lambda one: self._load[one.id])
            others = sorted(left, key=lambda one: self._load[one.id])[: self._figures]
            told = (free, *(one for one in others if one is not free))[: self._figures]
            return free, _picked("least_loaded", left), None, tuple(map(self._figure, told)), group.out
        return self._draw(group)

    def _draw(self, group: _Group) -> tuple[Candidate, Picked, str, tuple[Figures, ...], tuple[Out, ...]]:
        lane, left = group.narrowed.lane, group.narrowed.left
        if lane not in self._draws:
            self._draws[lane] = Draw(self._before.lane(lane)), []
        draw, last = self._draws[lane]
        if last != [group]:
            draw.enter(group.ids, group.weights)
            last[:] = [group]
        place, share = draw.pick()
        chosen = left[place]
        self._won[chosen.id] += 1
        mine = self._figure(chosen, share, draw.got(chosen.id) - 1)
        picked = _picked(self._strategy.picks, left)
        return chosen, picked, lane, (mine, *self._next(draw, left, place)), group.out

    def _next(self, draw: Draw, left: Sequence[Candidate], chosen: int) -> Iterator[Figures]:
        """How those stand who were next."""
        most = len(left) if self._figures is None else self._figures
        if most < 2:
            return
        standing = ((place, balance) for place, balance in draw.standing(most) if place != chosen)
        for place, balance in islice(standing, most - 1):
            got = draw.got(left[place].id)
            yield self._figure(left[place], got + balance, got)

    def _group(self, item: Item) -> _Group:
        """Who is there for *item*, of those who may get anything now."""
        key = (
            item.region if "territory" in self._strategy.narrows else (),
            item.skills if "skill" in self._strategy.narrows else frozenset[str](),
        )
        group = self._groups.get(key)
        if group is None:
            free = [one for one in self._order if one.id not in self._out]
            narrowed = narrow(item, free, self._strategy)
            out = tuple(Out(one.id, one.name, self._out[one.id]) for one in self._all if one.id in self._out)
            equal = self._strategy.picks == "round_robin"
            weights = [1 if equal else one.weight for one in narrowed.left]
            group = self._groups[key] = _Group(narrowed, (*out, *narrowed.out), weights)
        return group

    def _look_at(self, candidate: Candidate) -> None:
        """Notes whether *candidate* may still get something."""
        reason = candidate.out_on(self._day, given=self._given[candidate.id])
        if reason is not None:
            self._out[candidate.id] = reason
            self._groups.clear()

    def _figure(self, one: Candidate, share: Fraction | None = None, got: int | None = None) -> Figures:
        return Figures(
            member_id=one.id,
            name=one.name,
            share=share,
            got=self._given[one.id] if got is None else got,
            load=self._load[one.id],
        )

    def shares(self) -> Shares:
        """What the next draw starts from."""
        return Shares({**self._before.lanes, **{key: draw.lane() for key, (draw, _) in self._draws.items()}})

    def _ideals(self) -> dict[Id, Fraction]:
        """Everybody's part of what was drawn for."""
        parts = {id: Fraction(0) for id in self._given}
        for key, (draw, _) in self._draws.items():
            before, after = self._before.lane(key), draw.lane()
            for id in parts:
                if id in after.accounts:
                    parts[id] += after.share(id) - before.share(id)
        return parts

    def loads(self) -> tuple[MemberLoad, ...]:
        """What has become of everybody's load."""
        ideals = self._ideals()
        return tuple(
            MemberLoad(
                member_id=one.id,
                name=one.name,
                before=one.load,
                after=self._load[one.id],
                got=self._given[one.id],
                ideal=ideals[one.id],
                out=self._out.get(one.id),
            )
            for one in self._all
        )

    def fairness(self) -> Fairness:
        """How even it was among those who could get something, and is now."""
        there = [one for one in self._all if one.id not in self._first_out]
        ideals = self._ideals()
        return Fairness(
            before=evenness(Fraction(one.load, one.weight) for one in there),
            after=evenness(Fraction(self._load[one.id], one.weight) for one in there),
            deviation=max((abs(ideals[one.id] - self._won[one.id]) for one in there), default=Fraction(0))
            if self._draws
            else None,
        )


def _picked(picks: Picked, left: Sequence[Candidate]) -> Picked:
    return "only" if len(left) == 1 else picks


def _once(entity: str, given: Sequence[Candidate] | Sequence[Item]) -> None:
    seen: set[str] = set()
    for one in given:
        if one.id in seen:
            raise InvalidValue(entity, "id", one.id, "each of them once")
        seen.add(one.id)
