"""What a policy is told that it surely does not mean, and what it is not told: each finding is certain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

import pytest

from salescrm.labels import Label
from salescrm.policy import (
    Choice,
    Choices,
    ClaimLimits,
    Finding,
    FindingCode,
    Policy,
    Pool,
    PoolWarning,
    RecycleRule,
    WorkCalendar,
    findings,
)
from salescrm.query import F, ago

NAME = Label("Name", "名称")
LEVELS = Choices(
    field="level",
    options=[
        Choice(key="A", label=Label("key account", "重点")),
        Choice(key="B", label=Label("regular", "普通")),
    ],
)
NOT_SET = F.level.is_null()


def rule(**given: Any) -> RecycleRule:
    return RecycleRule(**{"key": "quiet", "label": NAME, "anchor": "no_follow_up", "limit": 30, **given})


def pool(**given: Any) -> Pool:
    return Pool(**{"key": "north", "label": NAME, "everyone": True, "rules": [rule()], **given})


def rules(*given: dict[str, Any]) -> Pool:
    """A pool with rules called r1, r2, …"""
    return pool(rules=[rule(**{"key": f"r{n}", **one}) for n, one in enumerate(given, 1)])


def found(*pools: Pool, calendars: Iterable[str] = ()) -> list[tuple[FindingCode, str, str | None]]:
    policy = Policy(pools=pools, choices=[LEVELS], calendars=[WorkCalendar(key="office", label=NAME)])
    return [(one.code, one.pool, one.rule) for one in findings(policy, calendars=calendars)]


A, B = F.level == "A", F.level == "B"


def test_nothing_is_found_in_what_ships() -> None:
    assert () == findings(Policy())


def test_nothing_is_found_where_every_level_has_a_rule() -> None:
    """Level A, level B and a level that is not set, by days and by never."""
    sound = rules({"where": A, "limit": 15}, {"where": B, "limit": 30}, {"where": NOT_SET, "limit": "never"})
    assert [] == found(sound, pool(key="south", priority=1, where=F.region.province == "广东"))


@pytest.mark.parametrize(
    "given, code",
    [
        ({"where": A & B}, "pool-takes-nothing"),
        ({"where": A & F.level.is_null()}, "pool-takes-nothing"),
        ({"where": F.level.one_of(["A", "B"]) & ~A & ~B}, "pool-takes-nothing"),
        ({"rules": []}, "pool-without-rules"),
        ({"rules": [rule(limit="never")]}, "pool-without-rules"),
        ({"everyone": False, "admins": ["boss"]}, "nobody-claims"),
        (
            {
                "everyone": False,
                "members": ["ann"],
                "claims": ClaimLimits(arrival=3, reserved_members=["bo"]),
            },
            "reserved-outsiders",
        ),
        ({"claims": ClaimLimits(counted=A)}, "no-effect"),
        ({"claims": ClaimLimits(cool_down_team=True)}, "no-effect"),
        ({"claims": ClaimLimits(reserved_teams=["t"])}, "no-effect"),
    ],
)
def test_what_is_found_of_a_pool(given: dict[str, Any], code: FindingCode) -> None:
    assert [(code, "north", None)] == found(pool(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"where": F.tags.has("a") & F.tags.has("b")},
        {"where": (F.created_at < ago(days=3)) & (F.created_at > ago(days=1))},  # not looked at: it moves
        {"everyone": False, "teams": ["t"]},
        {"everyone": False, "members": ["ann"]},
        {"claims": ClaimLimits(arrival=3, reserved_members=["bo"])},
        {
            "everyone": False,
            "members": ["ann"],
            "claims": ClaimLimits(arrival=3, reserved_members=["bo", "ann"]),
        },
        {"everyone": False, "members": ["ann"], "claims": ClaimLimits(arrival=3, reserved_teams=["t"])},
        {"claims": ClaimLimits(cap=3, counted=A, cool_down=3, cool_down_team=True)},
        {"enabled": False, "where": A & B, "rules": [], "everyone": False},
    ],
)
def test_what_is_no_finding_of_a_pool(given: dict[str, Any]) -> None:
    """Unusual, or closed, or not certain."""
    assert [] == found(pool(**given), pool(key="other", where=F.industry == "IT", priority=1))


def test_a_pool_that_others_leave_nothing_to() -> None:
    """By one pool that takes everything, or by several together."""
    assert [("pool-hidden", "north", None)] == found(pool(), pool(key="all", priority=1))
    halves = [pool(key="a", where=A), pool(key="not-a", where=~A)]
    assert [("pool-hidden", "north", None)] == found(*halves, pool(where=B, priority=-1))
    # Without a priority the narrower one comes first.
    assert [] == found(pool(where=A), pool(key="all"))


@pytest.mark.parametrize(
    "given",
    [
        {"where": A & B},
        {"where": F.owner_id.is_null()},
        {"where": F.pool_id == "north"},
        {"where": F.open_opportunities > 0, "exempt": ["open_opportunity"]},
        {"where": F.open_opportunities >= 2, "anchor": "no_opportunity"},
        {"where": F.first_deal_at.is_set(), "exempt": ["has_dealt"]},
        {"where": F.has_receivables == True, "exempt": ["receivables"]},  # noqa: E712  # a condition
        {"where": F.transfer_pending == True},  # noqa: E712  # a condition; exempt by default
    ],
)
def test_a_rule_that_can_never_fire(given: dict[str, Any]) -> None:
    """Its conditions, those of its pool and what is exempt exclude each other."""
    assert [("rule-never-fires", "north", "r2")] == found(rules({"anchor": "no_progress"}, given))


def test_a_rule_that_its_pool_leaves_nothing_to() -> None:
    """Or a pool that comes before it."""
    narrow = pool(where=F.region.province == "浙江", rules=[rule(where=F.region.province == "广东")])
    first = pool(key="first", where=F.industry == "IT", priority=1)
    late = pool(key="late", rules=[rule(), rule(key="it", anchor="no_deal", where=F.industry == "IT")])

    assert [("rule-never-fires", "north", "quiet")] == found(narrow)
    assert [("rule-never-fires", "late", "it")] == found(first, late)


@pytest.mark.parametrize(
    "one, other, behind",
    [
        ({"limit": 30}, {"limit": 60, "where": F.size == "1-9"}, "r2"),
        ({"limit": 60, "where": F.size == "1-9"}, {"limit": 30}, "r1"),
        ({"limit": 30, "exempt": ["shared"]}, {"limit": 60, "exempt": ["shared", "has_dealt"]}, "r2"),
        ({"limit": 30}, {"limit": 30}, "r2"),
        ({"limit": 30, "where": F.size == "1-9"}, {"limit": 30}, None),
        ({"limit": 30}, {"limit": 30, "calendar": "office"}, "r2"),
        ({"limit": 30, "calendar": "office"}, {"limit": 31, "calendar": "office", "where": F.size == "1-9"}, "r2"),
        # Working days take longer than days, but nobody knows how much.
        ({"limit": 30, "calendar": "office"}, {"limit": 45}, None),
        ({"limit": 30}, {"limit": 60, "exempt": ["shared"]}, None),
        ({"limit": 30, "anchor": "no_deal"}, {"limit": 60}, None),
        ({"limit": 30, "where": F.size == "1-9"}, {"limit": 60, "where": F.industry == "IT"}, None),
    ],
)  # fmt: skip
def test_a_rule_that_another_is_always_faster_than(
    one: dict[str, Any], other: dict[str, Any], behind: str | None
) -> None:
    expected = [] if behind is None else [("rule-behind", "north", behind)]
    assert expected == found(rules(one, other))


def test_never_does_not_keep_from_another_rule() -> None:
    """Rules are joined by or: whoever is to stay has to be left out of the others."""
    leaky = rules({"limit": 30}, {"limit": "never", "where": F.size == "1-9"})
    tight = rules({"limit": 30, "where": ~(F.size == "1-9")}, {"limit": "never", "where": F.size == "1-9"})

    assert [("never-overruled", "north", "r2")] == found(leaky)
    assert [] == found(tight)


def test_a_level_without_a_rule_is_named() -> None:
    """A level that is not set is a case of its own: "not A" says nothing of it."""
    policy = Policy(pools=[rules({"where": F.level != "A"})], choices=[LEVELS])
    told = [one.explain("zh") for one in findings(policy)]

    assert [
        "公海 north：等级为“重点”的客户没有规则；若不回收，请用期限 never 写明",
        "公海 north：等级为“未设置”的客户没有规则；若不回收，请用期限 never 写明",
    ] == told
    assert [] == found(rules({"where": ~A}, {"where": A, "limit": "never"}))
    assert [] == found(rules({"where": A}, {"anchor": "no_deal", "limit": 90}))
    # The pool itself takes nothing but level A.
    assert [] == found(pool(where=A, rules=[rule(where=A)]))


def test_a_warning_that_reaches_nobody() -> None:
    to_admins = rule(warnings=[PoolWarning(days=3, to="admins")])
    assert [("warns-nobody", "north", "quiet")] == found(pool(rules=[to_admins]))
    assert [] == found(pool(rules=[to_admins], admins=["boss"]))


def test_a_calendar_that_only_the_host_may_know() -> None:
    """It is no finding where one says that the host has it."""
    worked = pool(rules=[rule(calendar="shop")])
    assert [("calendar-unknown", "north", "quiet")] == found(worked)
    assert [] == found(worked, calendars=["shop"])
    assert [] == found(pool(rules=[rule(calendar="office")]))


@pytest.mark.parametrize("code", get_args(FindingCode))
def test_every_finding_is_a_sentence(code: FindingCode) -> None:
    """In both languages, with its place in front and nothing left to fill in."""
    one = Finding(code=code, pool="north", rule="quiet", other=Label("that", "那个"), missing="claims.cap")
    assert one.explain("en").startswith("pool north, rule quiet: ")
    assert one.explain("zh").startswith("公海 north 的规则 quiet：")
    assert not {"{", "}"} & {*one.explain("en"), *one.explain("zh")}
