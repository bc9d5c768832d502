"""Giving out many items, one after another: who gets which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from fractions import Fraction
from hashlib import sha256
from itertools import islice
from typing import TypeAlias

from salescrm.errors import InvalidValue
from salescrm.policy.assignments import Strategy
from salescrm.rules.assigning.candidates import Candidate, Item, OutFor
from salescrm.rules.assigning.deciding import Assignment, Figures, Out, Picked
from salescrm.rules.assigning.narrowing import Narrowed, dropped, narrow, sticky
from salescrm.rules.assigning.planning import MemberLoad, Plan
from salescrm.rules.assigning.shares import Draw, Shares
from salescrm.values import Id

__all__ = ["HostChoice", "choose", "dispatch"]

#: A host's own say: which of these candidates gets the item; None for "as the strategy says".
HostChoice: TypeAlias = Callable[[Item, Sequence[Candidate]], str | None]


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
    figures: int | None = 2,
) -> Plan:
    """
    Who of *candidates* gets which of *items* on *day*, one after another.

    The same arguments give the same plan; *seed* decides who is first of those who are level.

    Args:
        shares: What earlier draws left; see `Plan.shares`.
        figures: Of how many, beside the chosen one and including them, a decision tells how they stood; None
            for all.

    Raises:
        InvalidValue: A candidate, or an item, is there twice.
    """
    desk = _Desk(candidates, strategy, shares, day=day, seed=seed, host=host, figures=figures)
    wanted = tuple(items)
    _once("Item", wanted)
    made = tuple(desk.decide(item, policy_version, rule) for item in wanted)
    return Plan(assignments=made, shares=desk.shares(), loads=desk.loads())


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
        self._held: dict[Id, int] = {one.id: 0 for one in self._all}
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
            self._held[chosen.id] += item.counts
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
        held, taken = self._held[candidate.id], self._given[candidate.id]
        reason = candidate.out_on(self._day, held=held, taken=taken)
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

    def _ideals(self) -> tuple[dict[Id, Fraction], dict[Id, Fraction]]:
        """Everybody's part of what was drawn for, and by how much they are off what ever was, in the worst of lanes."""
        parts, off = dict.fromkeys(self._given, Fraction(0)), dict.fromkeys(self._given, Fraction(0))
        for key, (draw, _) in self._draws.items():
            before, after = self._before.lane(key), draw.lane()
            for id in parts.keys() & after.accounts.keys():
                written_off = after.settled(id) - before.settled(id)
                parts[id] += after.share(id) - before.share(id) - written_off
                off[id] = max(off[id], abs(after.balance(id)))
        return parts, off

    def loads(self) -> tuple[MemberLoad, ...]:
        """What has become of everybody's load."""
        (ideals, off), equal = self._ideals(), self._strategy.picks != "capacity"
        return tuple(
            MemberLoad(
                member_id=one.id,
                name=one.name,
                weight=1 if equal else one.weight,
                before=one.load,
                after=self._load[one.id],
                got=self._given[one.id],
                drawn=self._won[one.id],
                ideal=ideals[one.id],
                off=off[one.id],
                there=one.id not in self._first_out,
                out=self._out.get(one.id),
            )
            for one in self._all
        )


def _picked(picks: Picked, left: Sequence[Candidate]) -> Picked:
    return "only" if len(left) == 1 else picks


def _once(entity: str, given: Sequence[Candidate] | Sequence[Item]) -> None:
    seen: set[str] = set()
    for one in given:
        if one.id in seen:
            raise InvalidValue(entity, "id", one.id, "each of them once")
        seen.add(one.id)
