"""Approvals in a policy: checked when built, equal to themselves after a trip through a file."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.labels import Label
from salescrm.locale import message
from salescrm.policy import ApprovalFlow, Policy, PolicyFormat, Superior, dumps, loads
from salescrm.query import F
from tests.unit.staff import flow, step

RICH = attrs.evolve(
    flow(
        step(
            "lead", members=(), superiors=(Superior(of="owner"), Superior(levels=2)), if_requester="approve"
        ),
        step("money", roles=("finance",), needs="all", if_nobody="fallback", fallback=("boss",)),
    ),
    where=(F.level == "A") & F.tags.has("大客户"),
)


@pytest.mark.parametrize("format", ["toml", "json"])
def test_approvals_survive_a_file(format: PolicyFormat) -> None:
    """Conditions, superiors and all."""
    policy = Policy(approvals=(RICH, attrs.evolve(flow(), key="rest")))
    assert policy == loads(dumps(policy, format=format), format=format)


@pytest.mark.parametrize(
    "flows, problem",
    [
        ((attrs.evolve(flow(), where=F.level == "A"), flow()), "approvals: move is there 2 times"),
        ((flow(), attrs.evolve(flow(), key="late")), "approval late: it never decides, for move before it holds for everything"),
        ((ApprovalFlow(key="move", label=Label("x", "x"), act="transfer"),), "approval move: it has no steps, so it would approve everything"),
        ((attrs.evolve(flow(), key=""),), "approval : '' is no key; 1 to 64 characters that show are wanted"),
        ((attrs.evolve(flow(), label=Label("x", " ")),), "approval move: it needs a name in both languages"),
        ((attrs.evolve(flow(), act="dance"),), "approval move: act is 'dance', which nothing is done by; one of transfer is wanted"),  # type: ignore[arg-type]  # what a host may write
        ((attrs.evolve(flow(), where=F.levle == "A"),), "approval move: its question can't be asked: Customer has no field 'levle'; nearest: 'level'"),
        ((flow(step(), step()),), "approval move: the step first is there 2 times"),
    ],
)  # fmt: skip
def test_an_approval_that_can_not_be(flows: tuple[ApprovalFlow, ...], problem: str) -> None:
    """Named, in Chinese too."""
    with pytest.raises(InvalidDefinition) as refusal:
        Policy(approvals=flows)
    assert (problem,) == refusal.value.problems
    assert problem not in message(refusal.value, "zh")


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"key": "", "label": Label("x", "x")}, "'' is no key; 1 to 64 characters that show are wanted"),
        ({"label": Label("", "一")}, "it needs a name in both languages"),
        ({"members": ()}, "it names nobody: members, roles or superiors are wanted"),
        ({"members": ("a", "a")}, "members: a is there 2 times"),
        ({"roles": ("\n",)}, "roles: '\\n' is no key; 1 to 64 characters that show are wanted"),
        ({"needs": "most"}, "needs is 'most'; one of any, all is wanted"),
        ({"if_requester": "dance"}, "if_requester is 'dance'; one of superior, approve, refuse is wanted"),
        ({"if_nobody": "fallback"}, "fallback names whom to ask where if_nobody is fallback, and nobody otherwise"),
        ({"fallback": ("boss",)}, "fallback names whom to ask where if_nobody is fallback, and nobody otherwise"),
        ({"superiors": (Superior(levels=0),)}, "a superior's levels is 0; 1 to 20 is wanted"),
        ({"superiors": (Superior(of="cat"),)}, "a superior of 'cat' is nobody; requester or owner is wanted"),  # type: ignore[arg-type]  # what a host may write
    ],
)  # fmt: skip
def test_a_step_that_can_not_be(given: dict[str, Any], problem: str) -> None:
    """Named with its place."""
    one = step(**given)
    with pytest.raises(InvalidDefinition) as refusal:
        Policy(approvals=(flow(one),))
    assert (f"approval move: step {one.key}: {problem}",) == refusal.value.problems


def test_what_is_asked_of_a_policy() -> None:
    """By key, and by act in its order."""
    rest = attrs.evolve(flow(), key="rest")
    policy = Policy(approvals=(RICH, rest))
    assert (RICH, (RICH, rest)) == (policy.flow("move"), policy.flows_of("transfer"))
    with pytest.raises(InvalidValue, match="one of move, rest"):
        policy.flow("other")
    with pytest.raises(InvalidValue, match="no approvals"):
        Policy().flow("move")
