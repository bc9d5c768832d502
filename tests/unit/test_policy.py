"""What a policy promises: checked when built, read strictly, and equal to itself after a trip through a file."""

from __future__ import annotations

import json
import pickle
import tomllib
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.kinds import Kind
from salescrm.labels import Label
from salescrm.policy import (
    Choice,
    Choices,
    ClaimLimits,
    ExtraField,
    FollowUpWindows,
    Numbering,
    Policy,
    PolicyFormat,
    Pool,
    PoolWarning,
    Protection,
    RecycleRule,
    WorkCalendar,
    dumps,
    from_plain,
    load,
    loads,
    to_plain,
)
from salescrm.query import F, Where, ago
from salescrm.stages import Pipeline, Requirement, Stage
from salescrm.values import Money

NAME = Label("Name", "名称")


def rich() -> Policy:
    """A policy that uses everything."""
    return Policy(
        version=7,
        effective_from=datetime(2026, 4, 1, 12, 30, 15, 123_456, tzinfo=timezone(timedelta(hours=8))),
        language="zh",
        time_zone="America/New_York",
        currency="USD",
        phone_region="US",
        default_pipeline="Sales = Verkauf",
        follow_up_days=FollowUpWindows(high=1, medium=2, low=2),
        numbering=(
            Numbering(entity="Customer", prefix="KD-", day="%y%m", digits=5, block=1),
            Numbering(entity="Opportunity", prefix="商机", day="", digits=1),
            Numbering(entity="FollowUp", prefix=""),
        ),
        extra_fields=(
            ExtraField(entity="Opportunity", name="site", kind="text", label=NAME),
            ExtraField(entity="Opportunity", name="seats", kind="whole", label=NAME),
            ExtraField(entity="Customer", name="audited", kind="day", label=NAME),
        ),
        choices=(Choices(field="level", options=(Choice(key="重点", label=NAME),)),),
        pipelines=(
            Pipeline(
                key="Sales = Verkauf",
                label=NAME,
                stages=(
                    Stage(key="a", label=NAME, probability=5, stalled_after=timedelta(hours=36)),
                    Stage(
                        key="b",
                        label=NAME,
                        next=("won", "lost", "a"),
                        probability=50,
                        requires=("amount", "extra.site"),
                        note_required=True,
                        conditions=(
                            Requirement(
                                code="large-and-fresh",
                                where=(F.amount >= Money.of("1.50", "USD")) & (F.opened_at > ago(days=90)),
                                label=NAME,
                            ),
                            Requirement(code="seats", where=F.extra.seats > 10, label=NAME),
                            Requirement(code="mine", where=F.customer.industry.one_of(["IT"]), label=NAME),
                        ),
                        evidence=("competitor-named",),
                        roles=("manager",),
                    ),
                    Stage(key="won", label=NAME, kind="won"),
                    Stage(key="lost", label=NAME, kind="lost", next=("a",), reason_required=True),
                ),
                may_reopen=True,
            ),
        ),
        calendars=(
            WorkCalendar(key="china", label=NAME, country="CN", known_until=date(2026, 12, 31)),
            WorkCalendar(key="bavaria", label=NAME, country="DE", subdivision="BY"),
            WorkCalendar(
                key="办公",
                label=NAME,
                weekend=("sunday",),
                days_off=(date(2026, 5, 4),),
                working_days=(date(2026, 5, 10),),
            ),
        ),
        pools=(
            Pool(
                key="north",
                label=NAME,
                where=F.extra.audited.is_set() & ~(F.region.province == "浙江"),
                priority=2,
                members=("ann", "博"),
                teams=("t",),
                admins=("boss",),
                hidden_fields=("address", "contact.mobile"),
                time_zone="Asia/Urumqi",
                rules=(
                    RecycleRule(
                        key="quiet",
                        label=NAME,
                        anchor="no_follow_up",
                        limit=15,
                        calendar="办公",
                        where=F.level.one_of(["A", "B"]),
                        exempt=(),
                        warnings=(PoolWarning(days=5), PoolWarning(days=1, to="manager")),
                    ),
                    RecycleRule(key="silent", label=NAME, anchor="no_deal", limit=2, warnings=()),
                    RecycleRule(
                        key="kept", label=NAME, anchor="no_follow_up", limit="never", where=F.level.is_null()
                    ),
                ),
                exempt=("shared", "has_dealt"),
                claims=ClaimLimits(
                    cap=9,
                    counted=F.first_deal_at.is_null(),
                    daily=2,
                    weekly=5,
                    cool_down=30,
                    cool_down_team=True,
                    arrival=2,
                    reserved_members=("ann",),
                    reserved_teams=("t",),
                ),
                protection=Protection(cap=3, days=10),
                opportunities="follow",
            ),
            Pool(key="south", label=NAME, everyone=True, enabled=False),
        ),
    )


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(InvalidDefinition) as refusal:
        loads(text)
    return refusal.value.problems


@pytest.mark.parametrize("format", ["toml", "json"])
@pytest.mark.parametrize("policy", [Policy(), rich()], ids=["shipped", "rich"])
def test_a_policy_survives_its_file(policy: Policy, format: PolicyFormat, tmp_path: Path) -> None:
    """What is written is what is read, in both formats, Chinese and odd keys included."""
    path = tmp_path / f"policy.{format}"
    path.write_text(dumps(policy, format=format), encoding="utf-8")

    assert load(path) == policy
    assert from_plain(json.loads(json.dumps(to_plain(policy)))) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_a_sales_manager_can_read_the_file() -> None:
    """A stage is a line with its names, its probability and its age in days."""
    stages = tomllib.loads(dumps(Policy()))["pipelines"][0]["stages"]

    assert stages[0] == {
        "key": "initial_contact",
        "en": "Initial contact",
        "zh": "初步接触",
        "probability": 10,
        "stalled_after": "14 days",
    }


def test_a_file_with_one_line_is_a_policy() -> None:
    """What is left out is as it ships."""
    assert loads('language = "zh"') == Policy(language="zh")


def test_everything_wrong_in_a_file_is_named_with_its_place() -> None:
    """One look at the errors, one correction."""
    problems = problems_of(
        """
        version = "2"
        langage = "zh"
        [[pipelines]]
        key = "x"
        en = "X"
        [[pipelines.stages]]
        key = "a"
        en = "A"
        zh = "A"
        kind = "opn"
        stalled_after = "3 weeks"
        conditions = [{ code = "c", en = "x", zh = "y", where = { field = "amount", like = 3 } }, 5]
        """
    )

    assert set(problems) == {
        "version: expected int, not '2'",
        "there is no setting langage; nearest: language",
        "pipelines[1].zh: this is missing",
        "pipelines[1].stages[1].kind: one of open, won, lost is wanted, not 'opn'",
        "pipelines[1].stages[1].stalled_after: a duration such as \"14 days\" is wanted, not '3 weeks'",
        "pipelines[1].stages[1].conditions[1].where: This question can't be asked: {'like': 3} is no condition",
        "pipelines[1].stages[1].conditions[2]: a table or a list is wanted",
    }


@pytest.mark.parametrize(
    "text, problem",
    [
        ("version = 0", "version is 0; a whole number from 1 is wanted"),
        ('language = "de"', "language: one of en, zh is wanted, not 'de'"),
        ('time_zone = "Asia/Peking"', "time_zone is 'Asia/Peking'; an IANA name such as Asia/Shanghai is wanted"),
        ('time_zone = "../../etc/passwd"', "time_zone is '../../etc/passwd'; an IANA name such as Asia/Shanghai is wanted"),
        ('currency = "RMB"', "currency is 'RMB'; an active ISO 4217 code such as CNY is wanted"),
        ('phone_region = "china"', "phone_region is 'china'; two capitals such as CN are wanted"),
        ('default_pipeline = "standart"', "default_pipeline is 'standart', which is no pipeline; nearest: standard, status"),
        ("[follow_up_days]\nhigh = 30", "follow_up_days: a higher priority may not wait longer than a lower one"),
        ("[follow_up_days]\nlow = 0", "follow_up_days of priority low is 0; 1 to 366 is wanted"),
        ('[[numbering]]\nentity = "Customer"\nprefix = "C"', "numbering of FollowUp is missing"),
        ('[[numbering]]\nentity = "Customer"\nprefix = "C C"', "numbering of Customer: prefix is 'C C'; up to 20 characters without spaces or % are wanted"),
        ('[[numbering]]\nentity = "Customer"\nprefix = "C"\nday = "%B"', "numbering of Customer: day is '%B'; %Y %y %m %d with - / . _ between them are wanted"),
        ('[[extra_fields]]\nentity = "Customer"\nname = "Größe"\nkind = "text"\nen = "S"\nzh = "大小"', "extra field 'Größe' of Customer: small letters, digits and underscores are wanted, a letter first, 63 at most"),
        ('[[choices]]\nfield = "level"\noptions = [{key = "A", en = "A", zh = "A"}, {key = "A", en = "B", zh = "B"}]', "choices of level: A is there 2 times"),
        ('[[choices]]\nfield = "level"\noptions = [{key = "A", en = "A", zh = " "}]', "choices of level: A needs a name in both languages"),
        ("pipelines = []", "default_pipeline is 'standard', which is no pipeline; nearest: none"),
        ("pipelines = [5]", "pipelines[1]: a table or a list is wanted"),
        ("= 3", "this is no TOML: Invalid statement (at line 1, column 1)"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(text: str, problem: str) -> None:
    """A policy that exists is a policy that works."""
    assert problem in problems_of(text)


def with_condition(where: Where) -> Policy:
    asking = Stage(key="a", label=NAME, conditions=(Requirement(code="c", where=where, label=NAME),))
    stages = (asking, Stage(key="won", label=NAME, kind="won"))
    return Policy(pipelines=(Pipeline(key="p", label=NAME, stages=stages),), default_pipeline="p")


@pytest.mark.parametrize(
    "where, why",
    [
        (F.amout > 3, "Opportunity has no field 'amout'; nearest: 'amount'"),
        (F.amount > 3, "Opportunity.amount: 3 can't be taken; expected Money"),
        (F.extra.site == "x", "Opportunity has no field 'extra.site'; nearest: "),
        (F.customer.customer.name == "x", "Customer has no field 'customer'"),
    ],
)
def test_a_condition_that_can_not_be_asked_is_refused(where: Where, why: str) -> None:
    """It would fail on the day when somebody wants to win a deal."""
    with pytest.raises(InvalidDefinition) as refusal:
        with_condition(where)

    [problem] = refusal.value.problems
    assert problem.startswith("stage a of p, condition c: ")
    assert why in problem


def test_a_required_custom_field_must_be_declared() -> None:
    """Else nobody could ever fill it in."""
    stages = (
        Stage(key="a", label=NAME, requires=("extra.site",)),
        Stage(key="won", label=NAME, kind="won"),
    )
    with pytest.raises(InvalidDefinition, match=r"stage a of p requires extra\.site, which is not declared"):
        Policy(pipelines=(Pipeline(key="p", label=NAME, stages=stages),), default_pipeline="p")


def test_numbers_look_as_the_domain_has_them() -> None:
    """C20240315001, and on past 999."""
    policy, day = Policy(), date(2024, 3, 15)

    assert policy.numbering_of("Customer").number(day, 1) == "C20240315001"
    assert policy.numbering_of("FollowUp").number(day, 999) == "F20240315999"
    assert policy.numbering_of("Opportunity").number(day, 1000) == "O202403151000"


@given(
    st.sampled_from(["%Y%m%d", "%y%m", "%Y", "%m-%d", ""]),
    st.integers(1, 6),
    st.lists(st.tuples(st.dates(date(2000, 1, 1)), st.integers(1, 10**7)), min_size=2, max_size=2),
)
def test_numbers_of_one_series_never_meet_those_of_another(
    pattern: str, digits: int, taken: list[tuple[date, int]]
) -> None:
    """Whatever the days and however far a series has run: same number, same series and place."""
    numbering = Numbering(entity="Customer", prefix="C", day=pattern, digits=digits)
    (one, here), (other, there) = taken
    same = (numbering.series(one), here) == (numbering.series(other), there)

    assert (numbering.number(one, here) == numbering.number(other, there)) == same


def test_what_is_asked_of_a_policy() -> None:
    """Pipelines by key, the default one, custom fields by kind, names of choices."""
    policy = rich()

    assert policy.pipeline().key == "Sales = Verkauf"
    with pytest.raises(InvalidValue, match="one of Sales = Verkauf"):
        policy.pipeline("standard")
    assert policy.extra_kinds == {
        "Opportunity": {"site": Kind.TEXT, "seats": Kind.WHOLE},
        "Customer": {"audited": Kind.DAY},
    }
    assert policy.label_of("level", "重点") == NAME
    assert policy.label_of("level", "A") is None
    assert [policy.follow_up_days.of(one) for one in ("high", "medium", "low")] == [1, 2, 2]


def test_changing_a_policy_checks_it_again() -> None:
    """There is no way around the checks."""
    with pytest.raises(InvalidDefinition):
        attrs.evolve(Policy(), default_pipeline="none")
