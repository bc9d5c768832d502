"""The steps that narrow down who may get an item: whose territory it is in, who knows what it asks for, who had it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from salescrm.policy.assignments import Narrows, Strategy
from salescrm.rules.assigning.candidates import Candidate, Item, OutFor
from salescrm.rules.assigning.deciding import Out

__all__ = ["Narrowed", "narrow", "sticky"]


@attrs.frozen(kw_only=True)
class Narrowed:
    """
    Who is left, and who is out for what.

    Attributes:
        lane: What they were narrowed down by: items of one lane are drawn for by the same people.
        passed: The steps that nobody was there for.
    """

    left: tuple[Candidate, ...]
    lane: str = ""
    passed: tuple[Narrows, ...] = ()
    out: tuple[Out, ...] = ()


def narrow(item: Item, candidates: Sequence[Candidate], strategy: Strategy) -> Narrowed:
    """Whom the territory and the skill of *item* leave of *candidates*, as *strategy* asks for them."""
    left, parts = tuple(candidates), list[str]()
    passed, out = list[Narrows](), list[Out]()
    for step in strategy.narrows:
        if step == "sticky" or not (item.region if step == "territory" else item.skills):
            continue
        kept, part = _territory(item, left) if step == "territory" else _skill(item, left)
        if not kept:
            passed.append(step)
            if not strategy.strict:
                continue
        else:
            parts.append(part)
        out += dropped(left, kept, step)
        left = kept
    return Narrowed(left=left, lane="; ".join(parts), passed=tuple(passed), out=tuple(out))


def sticky(item: Item, left: Sequence[Candidate]) -> tuple[Candidate | None, bool]:
    """Whoever of *left* had *item* before, or else looks after its group of companies; and whether it is for the group."""
    there = {str(one.id): one for one in left}
    for place, id in enumerate((*item.previous, *item.group)):
        if id in there:
            return there[id], place >= len(item.previous)
    return None, False


def dropped(left: Sequence[Candidate], kept: Sequence[Candidate], step: OutFor) -> list[Out]:
    """Those of *left* that are not among *kept*, out for *step*."""
    ids = {one.id for one in kept}
    return [Out(one.id, one.name, step) for one in left if one.id not in ids]


def _territory(item: Item, left: Sequence[Candidate]) -> tuple[tuple[Candidate, ...], str]:
    """Those whose territory is the smallest division around *item* that is anybody's; ``浙江省/杭州市`` says which 杭州市."""
    for place in reversed(range(len(item.region))):
        names = {item.region[place], "/".join(item.region[: place + 1])}
        if kept := tuple(one for one in left if not names.isdisjoint(one.territories)):
            return kept, f"territory={'/'.join(item.region[: place + 1])}"
    return (), ""


def _skill(item: Item, left: Sequence[Candidate]) -> tuple[tuple[Candidate, ...], str]:
    """Those who know the most of what *item* asks for."""
    most = max((len(one.skills & item.skills) for one in left), default=0)
    kept = tuple(one for one in left if most and len(one.skills & item.skills) == most)
    return kept, f"skill={'+'.join(sorted(item.skills))}"
