"""What makes the approvals of a policy sound ones: each check names what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, get_args

from salescrm.kinds import Kind
from salescrm.labels import Label
from salescrm.policy.approvals import ApprovalFlow, ApprovalStep, ApprovedAct, IfNobody, IfRequester, Needs
from salescrm.policy.questions import schemas_of, unaskable
from salescrm.query import EVERYTHING
from salescrm.stages.checks import is_key

__all__ = ["SUBJECTS", "approval_problems"]

#: The collection of the records that each act is about.
SUBJECTS: Final[Mapping[ApprovedAct, str]] = MappingProxyType({"transfer": "customers"})
_MOST_LEVELS: Final = 20


def approval_problems(
    flows: tuple[ApprovalFlow, ...], extra: Mapping[str, Mapping[str, Kind]]
) -> Iterator[str]:
    """Everything that is wrong with *flows*; *extra* declares the custom fields that their questions may ask for."""
    for key, times in Counter(flow.key for flow in flows).items():
        if times > 1:
            yield f"approvals: {key} is there {times} times"
    always: dict[str, str] = {}
    for flow in flows:
        for problem in _flow(flow, extra):
            yield f"approval {flow.key}: {problem}"
        if flow.act in always:
            yield f"approval {flow.key}: it never decides, for {always[flow.act]} before it holds for everything"
        elif flow.where == EVERYTHING:
            always[flow.act] = flow.key


def _flow(flow: ApprovalFlow, extra: Mapping[str, Mapping[str, Kind]]) -> Iterator[str]:
    if not is_key(flow.key):
        yield f"{flow.key!r} is no key; 1 to 64 characters that show are wanted"
    if _is_unnamed(flow.label):
        yield "it needs a name in both languages"
    if flow.act not in get_args(ApprovedAct):
        known = ", ".join(get_args(ApprovedAct))
        yield f"act is {flow.act!r}, which nothing is done by; one of {known} is wanted"
    elif (why := unaskable(flow.where, schemas_of(extra), SUBJECTS[flow.act])) is not None:
        yield f"its question can't be asked: {why}"
    if not flow.steps:
        yield "it has no steps, so it would approve everything"
    for key, times in Counter(step.key for step in flow.steps).items():
        if times > 1:
            yield f"the step {key} is there {times} times"
    for step in flow.steps:
        for problem in _step(step):
            yield f"step {step.key}: {problem}"


def _step(step: ApprovalStep) -> Iterator[str]:
    if not is_key(step.key):
        yield f"{step.key!r} is no key; 1 to 64 characters that show are wanted"
    if _is_unnamed(step.label):
        yield "it needs a name in both languages"
    for name, value, known in (
        ("needs", step.needs, get_args(Needs)),
        ("if_nobody", step.if_nobody, get_args(IfNobody)),
        ("if_requester", step.if_requester, get_args(IfRequester)),
    ):
        if value not in known:
            yield f"{name} is {value!r}; one of {', '.join(known)} is wanted"
    if not (step.members or step.roles or step.superiors):
        yield "it names nobody: members, roles or superiors are wanted"
    if (step.if_nobody == "fallback") != bool(step.fallback):
        yield "fallback names whom to ask where if_nobody is fallback, and nobody otherwise"
    for superior in step.superiors:
        if superior.of not in ("requester", "owner"):
            yield f"a superior of {superior.of!r} is nobody; requester or owner is wanted"
        if type(superior.levels) is not int or not 1 <= superior.levels <= _MOST_LEVELS:
            yield f"a superior's levels is {superior.levels!r}; 1 to {_MOST_LEVELS} is wanted"
    yield from _people(step)


def _people(step: ApprovalStep) -> Iterator[str]:
    named: tuple[tuple[str, Iterable[str]], ...] = (
        ("members", step.members),
        ("roles", step.roles),
        ("fallback", step.fallback),
    )
    for name, keys in named:
        for key, times in Counter(keys).items():
            if not is_key(key):
                yield f"{name}: {key!r} is no key; 1 to 64 characters that show are wanted"
            elif times > 1:
                yield f"{name}: {key} is there {times} times"


def _is_unnamed(label: object) -> bool:
    return not isinstance(label, Label) or label.is_blank
