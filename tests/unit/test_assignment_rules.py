"""What rules of assignment promise as data: read strictly, equal to themselves after a file, refused where they make no sense."""

from __future__ import annotations

import pickle

import pytest

from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.labels import Label
from salescrm.policy import AssignmentRule, LoadWeights, Policy, PolicyFormat, Strategy, dumps, loads
from salescrm.query import F

NAME = Label("Name", "名称")
RULE = '[[assignments]]\nkey = "web"\nen = "Web"\nzh = "线上"\n'
EVERYONE = RULE + "everyone = true\n"


def rich() -> Policy:
    """Rules that use everything."""
    return Policy(
        assignments=[
            AssignmentRule(
                key="web",
                label=NAME,
                where=(F.source == "online") & F.level.is_set(),
                strategy=Strategy(("sticky", "territory", "skill", "least_loaded"), strict=True),
                members=("ann",),
                teams=("east",),
                among=F.roles.has("rep"),
                on_create=True,
                cap=50,
                counted=F.first_deal_at.is_null(),
                within_capacity=False,
                calendar="china",
                week_days=6,
                weights={"ann": 3},
                weight=5,
                load=LoadWeights(customers=2, opportunities=0, follow_ups=9),
                seed=7,
            ),
            AssignmentRule(key="rest", label=NAME, everyone=True),
        ]
    )


@pytest.mark.parametrize("format", ["toml", "json"])
def test_rules_survive_their_file(format: PolicyFormat) -> None:
    """What is written is what is read; what is as it ships is not written."""
    policy = rich()
    text = dumps(policy, format=format)
    assert policy == loads(text, format=format)
    assert policy == pickle.loads(pickle.dumps(policy))
    assert 1 == text.count("week_days")


def test_a_rule_is_found_by_its_key() -> None:
    """An unknown one is named with those that are."""
    assert "rest" == rich().assignment("rest").key
    with pytest.raises(InvalidValue, match="one of web, rest"):
        rich().assignment("nix")
    with pytest.raises(InvalidValue, match="one of none"):
        Policy().assignment("nix")


@pytest.mark.parametrize(
    "text, problem",
    [
        (RULE, "assignment web: there is nobody to give to; members, teams or everyone is wanted"),
        (EVERYONE + EVERYONE, "assignments: web is there 2 times"),
        (EVERYONE + EVERYONE.replace("web", "b"), "assignment b: it can never decide, web before it is for every customer"),
        (EVERYONE.replace('"web"', '""'), "assignment : its key is none; 1 to 64 characters that show are wanted"),
        (EVERYONE.replace("线上", " "), "assignment web: it needs a name in both languages"),
        (EVERYONE + 'where = { field = "nmae", eq = "x" }', "assignment web: where: Customer has no field 'nmae'; nearest: 'name', 'number'"),
        (EVERYONE + 'among = { field = "level", eq = "x" }', "assignment web: among: Member has no field 'level'; nearest: 'leave'"),
        (EVERYONE + "cap = 0", "assignment web: cap is 0; a whole number from 1 to 1000000 is wanted"),
        (EVERYONE + "week_days = 8", "assignment web: week_days is 8; a whole number from 1 to 7 is wanted"),
        (EVERYONE + "weight = 0", "assignment web: weight is 0; a whole number from 1 to 1000000 is wanted"),
        (EVERYONE + "seed = -1", "assignment web: seed is -1; a whole number from 0 to 9007199254740991 is wanted"),
        (EVERYONE + "weights = { ann = 0 }", "assignment web: weights.ann is 0; a whole number from 1 to 1000000 is wanted"),
        (EVERYONE + "load = { customers = 0 }", "assignment web: load.customers is 0; a whole number from 1 to 1000 is wanted"),
        (RULE + 'members = ["bo"]\nweights = { ann = 2 }', "assignment web: weights names ann, who is given nothing"),
        (EVERYONE + 'entity = "Lead"', "assignments[1].entity: one of Customer is wanted, not 'Lead'"),
        (EVERYONE + 'strategy = { steps = ["luck"] }', "assignments[1].strategy.steps[1]: one of sticky, territory, skill, round_robin, capacity, least_loaded is wanted, not 'luck'"),
        (EVERYONE + 'strategy = { steps = ["capacity", "skill"] }', "Strategy: capacity picks one, so nothing can come after it"),
        (EVERYONE + "on_creation = true", "assignments[1]: there is no setting on_creation; nearest: on_create"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(text: str, problem: str) -> None:
    """Each problem named, with its rule."""
    with pytest.raises(InvalidDefinition) as refusal:
        loads(text)
    assert problem in refusal.value.problems
