"""How work is given out, as data: a strategy is steps that narrow down who may have it, then one that picks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, get_args

import attrs

from salescrm.errors import InvalidDefinition

__all__ = ["Narrows", "Picks", "Step", "Strategy"]

#: A step that leaves some of those who may have it: who looked after it or its group before, whose territory it is in,
#: who knows what it asks for.
Narrows: TypeAlias = Literal["sticky", "territory", "skill"]
#: The step that picks one of them: each in turn, in proportion to what each has room for, whoever has the least to do.
Picks: TypeAlias = Literal["round_robin", "capacity", "least_loaded"]
Step: TypeAlias = Narrows | Picks

_NARROWS: Final[tuple[str, ...]] = get_args(Narrows)
_PICKS: Final[tuple[str, ...]] = get_args(Picks)


@attrs.frozen
class Strategy:
    """
    How one of several candidates is chosen: *steps* that narrow down, in their order, and at the end one that picks.

    ``Strategy(("territory", "skill", "capacity"))`` asks for the territory, then for the skill, then gives by capacity.
    Steps that only narrow down are followed by ``round_robin``.

    Attributes:
        strict: Where a step leaves nobody, nobody gets it; otherwise that step is passed over.

    Raises:
        InvalidDefinition: No such step, one of them twice, or one that picks before the last.
    """

    steps: tuple[Step, ...] = attrs.field(default=("capacity",), converter=tuple[Step, ...])
    strict: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if problems := tuple(self.problems(self.steps)):
            raise InvalidDefinition("Strategy", problems)

    @staticmethod
    def problems(steps: tuple[str, ...]) -> Iterable[str]:
        """What is wrong with *steps*."""
        known = (*_NARROWS, *_PICKS)
        for step in steps:
            if step not in known:
                yield f"{step!r} is no step of a strategy; one of {', '.join(known)} is wanted"
        for step in dict.fromkeys(steps):
            if steps.count(step) > 1:
                yield f"the step {step} is there twice"
        for step in steps[:-1]:
            if step in _PICKS:
                yield f"{step} picks one, so nothing can come after it"
        if not steps:
            yield "a strategy has at least one step"

    @property
    def narrows(self) -> tuple[Narrows, ...]:
        """The steps that narrow down, in their order."""
        return tuple(step for step in self.steps if step in _NARROWS)  # type: ignore[misc]  # mypy can't tell by `in`

    @property
    def picks(self) -> Picks:
        """The step that picks."""
        last = self.steps[-1]
        return last if last in _PICKS else "round_robin"  # type: ignore[return-value]  # mypy can't tell by `in`
