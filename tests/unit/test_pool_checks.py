"""What a policy's pools are refused for: each problem names the pool, the rule, the setting, its value and what would be fine."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

import attrs
import pytest

from salescrm.errors import InvalidDefinition
from salescrm.labels import Label
from salescrm.locale.catalogs import catalog
from salescrm.policy import (
    ClaimLimits,
    Policy,
    Pool,
    PoolWarning,
    Protection,
    RecycleRule,
    WorkCalendar,
    loads,
)
from salescrm.query import EVERYTHING, F

NAME = Label("Name", "名称")


def rule(**given: Any) -> RecycleRule:
    return RecycleRule(**{"key": "quiet", "label": NAME, "anchor": "no_follow_up", "limit": 30, **given})


def pool(**given: Any) -> Pool:
    return Pool(**{"key": "north", "label": NAME, "everyone": True, "rules": [rule()], **given})


def problems(*pools: Pool, **given: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidDefinition) as refusal:
        Policy(pools=pools, **given)
    assert "Policy" == refusal.value.what
    return refusal.value.problems


def test_a_sound_pool_is_accepted() -> None:
    """With every setting in use; each of the checks has something to look at here."""
    calendar = WorkCalendar(key="office", label=NAME, weekend=["sunday"], days_off=[date(2026, 5, 4)])
    full = pool(
        where=F.region.province == "浙江",
        priority=-3,
        everyone=False,
        members=["ann", "bo"],
        teams=["t1"],
        admins=["boss"],
        hidden_fields=["address", "tags", "region", "extra", "contact.mobile", "contact.extra"],
        time_zone="Asia/Urumqi",
        rules=[
            rule(warnings=[PoolWarning(days=29), PoolWarning(days=29, to="manager"), PoolWarning(days=1)]),
            rule(key="worked", limit=20, calendar="office", warnings=[PoolWarning(days=25, to="admins")]),
            rule(key="later", limit=90, exempt=["receivables"]),
            rule(key="never", limit="never", anchor="no_deal"),
            rule(key="longest", limit=3650, anchor="contract_ended", exempt=()),
        ],
        exempt=["protected", "shared"],
        claims=ClaimLimits(
            cap=5, counted=F.first_deal_at.is_null(), daily=5, weekly=5, cool_down=3650, cool_down_team=True,
            arrival=3, reserved_members=["ann"],
        ),
        protection=Protection(cap=1, days=3650),
        opportunities="follow",
    )  # fmt: skip

    assert full in Policy(pools=[full, pool(key="south", enabled=False)], calendars=[calendar]).pools


def test_a_short_limit_warns_as_far_as_there_is_time() -> None:
    """Nobody has to write a ladder of their own because of it."""
    assert (3, 1) == tuple(one.days for one in rule(limit=5).warnings)
    assert () == rule(limit=1).warnings
    assert () == rule(limit="never").warnings
    assert (7, 3, 1) == tuple(one.days for one in rule(limit=8).warnings)


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"key": " north"}, "pool  north: ' north' is no key; 1 to 64 characters that show are wanted"),
        ({"label": Label("North", " ")}, "pool north: a name in both languages is wanted"),
        ({"where": F.levle == "A"}, "pool north: where: Customer has no field 'levle'; nearest: 'level'"),
        ({"where": F.open_opportunities == "A"}, "pool north: where: Customer.open_opportunities: 'A' can't be taken; expected a whole number between -(2**53 - 1) and 2**53 - 1"),
        ({"priority": "high"}, "pool north: priority is 'high'; a whole number is wanted"),
        ({"everyone": 1}, "pool north: everyone is 1; true or false is wanted"),
        ({"enabled": "no"}, "pool north: enabled is 'no'; true or false is wanted"),
        ({"members": "ann"}, "pool north: members is 'ann'; a list of ids is wanted"),
        ({"teams": ["t", "t"]}, "pool north: in teams, t stands 2 times"),
        ({"admins": [" "]}, "pool north: in admins, ' ' is no id; 1 to 64 characters that show are wanted"),
        ({"hidden_fields": ["adress"]}, "pool north: hidden_fields: there is no 'adress'; nearest: address, interests"),
        ({"hidden_fields": ["contact.mobil"]}, "pool north: hidden_fields: there is no 'contact.mobil'; nearest: contact.mobile, contact.email, contact.title"),
        ({"hidden_fields": ["version"]}, "pool north: hidden_fields: version can't be hidden; people have to see it, or it has no empty value"),
        ({"hidden_fields": ["name"]}, "pool north: hidden_fields: name can't be hidden; people have to see it, or it has no empty value"),
        ({"hidden_fields": ["pool_id"]}, "pool north: hidden_fields: pool_id can't be hidden; people have to see it, or it has no empty value"),
        ({"hidden_fields": ["follow_up_count"]}, "pool north: hidden_fields: follow_up_count can't be hidden; people have to see it, or it has no empty value"),
        ({"hidden_fields": ["contact.customer_id"]}, "pool north: hidden_fields: contact.customer_id can't be hidden; people have to see it, or it has no empty value"),
        ({"hidden_fields": ["address", "address"]}, "pool north: in hidden_fields, address stands 2 times"),
        ({"time_zone": "Asia/Peking"}, "pool north: time_zone is 'Asia/Peking'; an IANA name such as Asia/Shanghai is wanted"),
        ({"exempt": ["proteced"]}, "pool north: exempt is 'proteced'; one of protected, open_opportunity, has_dealt, receivables, shared, transfer_pending is wanted"),
        ({"exempt": ["shared", "shared"]}, "pool north: in exempt, shared stands 2 times"),
        ({"opportunities": "drop"}, "pool north: opportunities is 'drop'; keep or follow is wanted"),
        ({"rules": [rule(), rule()]}, "pool north: in rules, quiet stands 2 times"),
        ({"enabled": False}, "pools: none of them is enabled; the last open pool can't be closed"),
    ],
)  # fmt: skip
def test_what_a_pool_is_refused_for(given: dict[str, Any], problem: str) -> None:
    assert (problem,) == problems(pool(**given))


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"key": ""}, "rule : '' is no key; 1 to 64 characters that show are wanted"),
        ({"label": Label("", "名")}, "rule quiet: a name in both languages is wanted"),
        ({"anchor": "no_answer"}, "rule quiet: anchor is 'no_answer'; one of no_follow_up, no_progress, no_opportunity, no_deal, contract_ended is wanted"),
        ({"limit": 0}, 'rule quiet: limit is 0; 1 to 3650 days are wanted, or "never"'),
        ({"limit": -1}, 'rule quiet: limit is -1; 1 to 3650 days are wanted, or "never"'),
        ({"limit": True}, 'rule quiet: limit is True; 1 to 3650 days are wanted, or "never"'),
        ({"limit": 1.5}, 'rule quiet: limit is 1.5; 1 to 3650 days are wanted, or "never"'),
        ({"limit": 3651}, 'rule quiet: limit is 3651; 1 to 3650 days are wanted, or "never"'),
        ({"limit": "nie"}, "rule quiet: limit is 'nie'; 1 to 3650 days are wanted, or \"never\""),
        ({"calendar": ""}, "rule quiet: calendar is ''; the key of a working calendar is wanted"),
        ({"where": F.level > 3}, "rule quiet: where: Customer.level: 3 can't be taken; expected text"),
        ({"exempt": ["dealt"]}, "rule quiet: exempt is 'dealt'; one of protected, open_opportunity, has_dealt, receivables, shared, transfer_pending is wanted"),
        ({"warnings": [PoolWarning(days=0)]}, "rule quiet: warnings: days is 0; 1 or more days before it falls are wanted"),
        ({"warnings": [PoolWarning(days=30)]}, "rule quiet: warnings: 30 days before is no warning with a limit of 30; fewer are wanted"),
        ({"warnings": [PoolWarning(days=3), PoolWarning(days=3)]}, "rule quiet: in warnings, 3 days before, to owner stands 2 times"),
        ({"warnings": [PoolWarning(days=3, to=cast(Any, "boss"))]}, "rule quiet: warnings: to is 'boss'; one of owner, manager, admins is wanted"),
        ({"limit": "never", "warnings": [PoolWarning(days=3)]}, "rule quiet: warnings: of what never happens nobody can be warned; leave them out"),
    ],
)  # fmt: skip
def test_what_a_rule_is_refused_for(given: dict[str, Any], problem: str) -> None:
    assert (f"pool north: {problem}",) == problems(pool(rules=[rule(**given)]))


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"cap": 0}, "claims: cap is 0; 1 or more is wanted, or none for no limit"),
        ({"daily": -1}, "claims: daily is -1; 1 or more is wanted, or none for no limit"),
        ({"weekly": 2.0}, "claims: weekly is 2.0; 1 or more is wanted, or none for no limit"),
        ({"cap": 1_000_001}, "claims: cap is 1000001; 1 or more is wanted, or none for no limit"),
        ({"cool_down": -1}, "claims: cool_down is -1; 0 to 3650 days are wanted"),
        ({"cool_down": 3651}, "claims: cool_down is 3651; 0 to 3650 days are wanted"),
        ({"arrival": -1, "reserved_teams": ["t"]}, "claims: arrival is -1; 0 to 3650 days are wanted"),
        ({"cool_down_team": "yes"}, "claims: cool_down_team is 'yes'; true or false is wanted"),
        ({"counted": F.levle == "A"}, "claims: counted: Customer has no field 'levle'; nearest: 'level'"),
        ({"daily": 5, "weekly": 4}, "claims: weekly is 4, below daily, which is 5; 5 or more is wanted"),
        ({"daily": 5, "cap": 4}, "claims: cap is 4, below daily, which is 5; 5 or more is wanted"),
        ({"arrival": 3}, "claims: arrival is 3, but the first days are reserved for nobody; reserved_members or reserved_teams is wanted"),
        ({"reserved_members": "ann"}, "claims: reserved_members is 'ann'; a list of ids is wanted"),
        ({"reserved_teams": [""]}, "claims: in reserved_teams, '' is no id; 1 to 64 characters that show are wanted"),
    ],
)  # fmt: skip
def test_what_claim_limits_are_refused_for(given: dict[str, Any], problem: str) -> None:
    assert (f"pool north: {problem}",) == problems(pool(claims=ClaimLimits(**given)))


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"cap": 0}, "protection: cap is 0; 1 or more is wanted, or none for no limit"),
        ({"days": 0}, "protection: days is 0; 1 to 3650 days are wanted"),
        ({"days": 3651}, "protection: days is 3651; 1 to 3650 days are wanted"),
    ],
)
def test_what_protection_is_refused_for(given: dict[str, Any], problem: str) -> None:
    assert (f"pool north: {problem}",) == problems(pool(protection=Protection(**given)))


LEVEL_A, LARGE = F.level == "A", F.size == "1000+"


@pytest.mark.parametrize(
    "one, other",
    [
        ({"limit": 30}, {"limit": 60}),
        ({"limit": 30}, {"limit": "never"}),
        # Whatever it counts in, and whatever exempts: never is not some day.
        ({"limit": 30, "calendar": "office", "exempt": ["shared"]}, {"limit": "never"}),
        ({"limit": 30, "where": LEVEL_A & LARGE}, {"limit": 60, "where": LARGE & LEVEL_A}),
        ({"limit": 30, "exempt": ["shared", "protected"]}, {"limit": 60, "exempt": ["protected", "shared"]}),
    ],
)
def test_rules_that_contradict_each_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The same customers, the same anchor, another answer."""
    calendar = WorkCalendar(key="office", label=NAME)
    found = problems(pool(rules=[rule(**one), rule(key="other", **other)]), calendars=[calendar])
    said = f"one says {one['limit']}, the other {other['limit']}"
    [problem] = found
    assert problem.startswith("pool north: rules quiet and other contradict each other: ")
    assert problem.endswith(said)


@pytest.mark.parametrize(
    "other",
    [
        {"anchor": "no_deal"},
        {"where": LEVEL_A},
        {"calendar": "office"},
        {"exempt": ["has_dealt"]},
    ],
)
def test_rules_that_differ_do_not_contradict_each_other(other: dict[str, Any]) -> None:
    """A longer limit for what the shorter one exempts, say."""
    calendar = WorkCalendar(key="office", label=NAME)
    rules = [rule(), rule(key="other", limit=60, **other)]
    assert rules == list(Policy(pools=[pool(rules=rules)], calendars=[calendar]).pools[0].rules)


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"key": ""}, "calendar : '' is no key; 1 to 64 characters that show are wanted"),
        ({"label": Label(" ", "日历")}, "calendar office: a name in both languages is wanted"),
        ({"weekend": ["sun"]}, "calendar office: weekend: 'sun' is no day; monday to sunday are wanted"),
        ({"weekend": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}, "calendar office: weekend: a day to work on must be left"),
        ({"days_off": ["2026-10-01"]}, "calendar office: in days_off, '2026-10-01' is no day such as 2026-10-01"),
        ({"working_days": [datetime(2026, 10, 1)]}, "calendar office: in working_days, datetime.datetime(2026, 10, 1, 0, 0) is no day such as 2026-10-01"),
        ({"days_off": [date(2026, 10, 1)], "working_days": [date(2026, 10, 1)]}, "calendar office: 2026-10-01 is among days_off and among working_days"),
        ({"known_until": 2026}, "calendar office: known_until is 2026; a day such as 2026-12-31 is wanted"),
        ({"subdivision": "BY"}, "calendar office: subdivision is 'BY', but there is no country"),
        ({"country": "PRC"}, "calendar office: country is 'PRC'; an ISO 3166 code such as CN is wanted"),
    ],
)  # fmt: skip
def test_what_a_working_calendar_is_refused_for(given: dict[str, Any], problem: str) -> None:
    calendar = WorkCalendar(**{"key": "office", "label": NAME, **given})
    assert (problem,) == problems(calendars=[calendar])


def test_keys_of_pools_and_calendars_are_there_once() -> None:
    calendar = WorkCalendar(key="office", label=NAME)
    found = problems(pool(), pool(), calendars=[calendar, calendar])
    assert ("in calendars, office stands 2 times", "in pools, north stands 2 times") == found


def test_a_moment_without_a_zone_is_refused() -> None:
    """Midnight is another moment in each city."""
    naive = datetime(2026, 4, 1)
    problem = (
        "effective_from is datetime.datetime(2026, 4, 1, 0, 0); "
        "a moment with a time zone is wanted, such as 2026-04-01T00:00:00+08:00"
    )
    assert (problem,) == problems(effective_from=naive)
    with pytest.raises(InvalidDefinition, match=r"effective_from: .* expected a datetime with a time zone"):
        loads("effective_from = 2026-04-01T00:00:00")


def test_everything_is_named_at_once() -> None:
    """Two pools, several rules, each with its place; in a file too."""
    wrong = pool(rules=[rule(limit=0), rule(key="b", limit=-1)], claims=ClaimLimits(cap=0))
    assert 4 == len(problems(wrong, pool(key="south", priority=None)))
    with pytest.raises(InvalidDefinition) as refusal:
        loads('[[pools]]\nkey = "n"\nen = "N"\nzh = "北"\nopen = true\nclaims = { cap = "many", daly = 3 }')
    assert {
        "pools[1]: there is no setting open; nearest: en",
        "pools[1].claims: there is no setting daly; nearest: daily",
        "pools[1].claims.cap: expected int, not 'many'",
    } == set(refusal.value.problems)


def test_changing_a_pool_checks_it_again() -> None:
    sound = Policy(pools=[pool()])
    with pytest.raises(InvalidDefinition, match="pool north: where"):
        attrs.evolve(sound, pools=[attrs.evolve(sound.pools[0], where=F.nothing == 1)])
    assert EVERYTHING == sound.pools[0].where


def test_every_problem_is_told_in_chinese_too() -> None:
    """Place by place: no English is left around what the host has written."""
    wrong = pool(
        members=[" "],
        time_zone="Asia/Peking",
        exempt=["shared", "shared"],
        rules=[rule(limit=0, exempt=["dealt"], warnings=[PoolWarning(days=0)])],
        claims=ClaimLimits(cap=1, daily=4),
    )
    with pytest.raises(InvalidDefinition) as refusal:
        Policy(pools=[wrong])

    said = [catalog("zh").sentence(one) for one in refusal.value.problems]
    assert "公海 north：领取限制：cap 为 1，低于 daily 的 4，应不小于 4" in said
    for one in said:
        assert one.startswith("公海 north：")
        assert not {"is", "are", "in", "wanted", "rule", "pool", "times", "stands"} & set(one.split())
