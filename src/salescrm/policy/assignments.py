"""How work is given out, as data: rules say for which customers, to whom and by which strategy; how is in `salescrm.rules`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, TypeAlias, get_args

import attrs

from salescrm.errors import InvalidDefinition
from salescrm.labels import Label
from salescrm.policy.questions import unaskable
from salescrm.query import EVERYTHING, Where
from salescrm.query.nodes import Always
from salescrm.schema import Schema
from salescrm.stages.checks import is_key

__all__ = [
    "AssignedEntity",
    "AssignmentRule",
    "LoadWeights",
    "Narrows",
    "Picks",
    "Step",
    "Strategy",
    "problems_of",
]

#: What is given out by rules.
AssignedEntity: TypeAlias = Literal["Customer"]

#: A step that leaves some of those who may have it: who looked after it or its group before, whose territory it is in,
#: who knows what it asks for.
Narrows: TypeAlias = Literal["sticky", "territory", "skill"]
#: The step that picks one of them: each in turn, in proportion to what each has room for, whoever has the least to do.
Picks: TypeAlias = Literal["round_robin", "capacity", "least_loaded"]
#: Either; spelled out, for what is read is read against one list.
Step: TypeAlias = Literal["sticky", "territory", "skill", "round_robin", "capacity", "least_loaded"]

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


@attrs.frozen(kw_only=True)
class LoadWeights:
    """What one of each kind of open work weighs: customers owned, open opportunities, planned follow-ups."""

    customers: int = 1
    opportunities: int = 3
    follow_ups: int = 1


@attrs.frozen(kw_only=True)
class AssignmentRule:
    """
    Who gets which customers; of several rules the first whose question holds decides.

    Attributes:
        where: Which customers it is for.
        strategy: How one of those who may have it is chosen.
        members: Who may be given them, by id; *teams* the active members of a team and the teams below it; or *everyone*
            who is active.  *among* narrows all of these down.
        on_create: A new customer without an owner gets one by this rule at once; otherwise it waits until somebody
            dispatches it.
        cap: The most customers that a member may own, of those that *counted* holds for; None for no limit.  For a
            customer of a pool the pool's own cap binds too.
        within_capacity: Nobody is given more a week, from Monday in their time zone, than their weekly capacity, less
            the days of it on which they are on leave or which are no working days of *calendar*; Monday to Friday are
            working days where it is None.
        week_days: The working days of a full week, for which the weekly capacity is.
        weights: By member id, what is theirs in proportion to others; whoever is not named has their weekly capacity, or
            *weight* where they have none.
        load: What open work weighs, for the strategy ``least_loaded`` and for what a plan shows.
        seed: Decides who is first of those who are level.
    """

    key: str
    label: Label
    entity: AssignedEntity = "Customer"
    where: Where = EVERYTHING
    strategy: Strategy = Strategy()
    members: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    everyone: bool = False
    among: Where = EVERYTHING
    on_create: bool = False
    cap: int | None = None
    counted: Where = EVERYTHING
    within_capacity: bool = True
    calendar: str | None = None
    week_days: int = 5
    weights: Mapping[str, int] = attrs.field(factory=dict)
    weight: int = 10
    load: LoadWeights = LoadWeights()
    seed: int = 0


def problems_of(rules: Iterable[AssignmentRule], known: Mapping[str, Schema]) -> Iterator[str]:
    """What is wrong with *rules*, whose questions are asked of the schemas *known*."""
    all_taken: str | None = None
    for rule in rules:
        for problem in _problems(rule, known):
            yield f"assignment {rule.key}: {problem}"
        if all_taken is not None:
            yield f"assignment {rule.key}: it can never decide, {all_taken} before it is for every customer"
        elif isinstance(rule.where, Always):
            all_taken = rule.key


def _problems(rule: AssignmentRule, known: Mapping[str, Schema]) -> Iterator[str]:
    if not is_key(rule.key):
        yield "its key is none; 1 to 64 characters that show are wanted"
    if not isinstance(rule.label, Label) or rule.label.is_blank:
        yield "it needs a name in both languages"
    if rule.entity not in get_args(AssignedEntity):
        yield f"{rule.entity} is nothing that is given out; one of {', '.join(get_args(AssignedEntity))} is wanted"
    if not (rule.members or rule.teams or rule.everyone):
        yield "there is nobody to give to; members, teams or everyone is wanted"
    named = set(rule.members)
    for member in rule.weights:
        if not rule.teams and not rule.everyone and member not in named:
            yield f"weights names {member}, who is given nothing"
    for name, where, collection in (
        ("where", rule.where, "customers"),
        ("among", rule.among, "members"),
        ("counted", rule.counted, "customers"),
    ):
        if (why := unaskable(where, known, collection)) is not None:
            yield f"{name}: {why}"
    yield from _numbers(rule)


def _numbers(rule: AssignmentRule) -> Iterator[str]:
    asked = [
        ("cap", rule.cap, 1, 1_000_000),
        ("week_days", rule.week_days, 1, 7),
        ("weight", rule.weight, 1, 1_000_000),
        *((f"weights.{member}", weight, 1, 1_000_000) for member, weight in rule.weights.items()),
        ("seed", rule.seed, 0, 2**53 - 1),
        # What is given out weighs something: else all of it would go to whoever has the least to do.
        ("load.customers", rule.load.customers, 1, 1_000),
        ("load.opportunities", rule.load.opportunities, 0, 1_000),
        ("load.follow_ups", rule.load.follow_ups, 0, 1_000),
    ]
    for name, value, least, most in asked:
        if value is None and name == "cap":
            continue
        if type(value) is not int or not least <= value <= most:
            yield f"{name} is {value!r}; a whole number from {least} to {most} is wanted"
