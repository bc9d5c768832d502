"""Assignment: who gets what by each strategy, who is out for what, what a plan shows, and the sentences for it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest

from salescrm.entities import Leave
from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.policy.assignments import Strategy
from salescrm.rules.assigning import (
    Assignment,
    Candidate,
    Item,
    Shares,
    choose,
    dispatch,
    evenness,
    joined,
    week_capacity,
)
from salescrm.values import Id

MONDAY = date(2026, 3, 2)
IN_TURN, BY_CAPACITY, LEAST = Strategy(("round_robin",)), Strategy(("capacity",)), Strategy(("least_loaded",))
CHAIN = Strategy(("territory", "skill", "capacity"))


class SixDays:
    """A calendar by which Saturday is a working day."""

    known_until = None

    def is_working(self, day: date) -> bool:
        return day.weekday() != 6


def who(name: str, **facts: Any) -> Candidate:
    return Candidate(id=Id(name), name=name.capitalize(), **facts)


def items(many: int, **facts: Any) -> list[Item]:
    return [Item(id=Id(f"c{place}"), name=f"Customer {place}", **facts) for place in range(1, many + 1)]


def one(strategy: Strategy, *team: Candidate, day: date = MONDAY, **facts: Any) -> Assignment:
    return choose(items(1, **facts)[0], team, strategy, day=day)[0]


class TestStrategies:
    def test_in_turn_everybody_gets_one_before_anybody_gets_two(self) -> None:
        """Whatever they have room for, and in the same order each round."""
        plan = dispatch(items(9), [who("ann", weight=9), who("bo"), who("cy")], IN_TURN, day=MONDAY)
        got = [given.member_id for given in plan.assignments]
        assert (3, got[:3], got[:3]) == (len(set(got[:3])), got[3:6], got[6:])

    def test_another_seed_is_another_order(self) -> None:
        """And the same seed the same one."""
        team = [who(name) for name in ("ann", "bo", "cy", "di", "ed")]

        def first(seed: int) -> Id | None:
            return choose(items(1)[0], team, IN_TURN, day=MONDAY, seed=seed)[0].member_id

        assert len({first(seed) for seed in range(20)}) > 1
        assert first(7) == choose(items(1)[0], reversed(team), IN_TURN, day=MONDAY, seed=7)[0].member_id

    def test_a_hundred_and_fifty_leads_leave_no_luck(self) -> None:
        """Fifteen equals, ten each."""
        plan = dispatch(items(150), [who(f"m{place}") for place in range(15)], BY_CAPACITY, day=MONDAY)
        assert [10] * 15 == [load.got for load in plan.loads]
        assert 0 == plan.fairness.deviation

    def test_by_capacity_each_gets_in_proportion(self) -> None:
        """Two to one, at every step within an item."""
        plan = dispatch(items(9), [who("ann", weight=2), who("bo")], BY_CAPACITY, day=MONDAY)
        assert [(6, Fraction(6)), (3, Fraction(3))] == [(load.got, load.ideal) for load in plan.loads]

    def test_least_loaded_fills_up_whoever_has_the_least(self) -> None:
        """What an item adds counts, with its weight."""
        plan = dispatch(
            items(4, work=3), [who("ann", load=7), who("bo"), who("cy", load=4)], LEAST, day=MONDAY
        )
        assert ["bo", "bo", "cy", "bo"] == [given.member_id for given in plan.assignments]
        assert [(7, 7), (0, 9), (4, 7)] == [(load.before, load.after) for load in plan.loads]
        assert plan.fairness.deviation is None

    def test_the_smallest_division_that_is_anybodys_decides(self) -> None:
        """The city before the province; a path says which of two cities of one name."""
        team = who("ann", territories=["浙江省"]), who("bo", territories=["杭州市"])
        elsewhere = who("cy", territories=["辽宁省/朝阳市/双塔区"])
        assert "bo" == one(CHAIN, *team, region=("浙江省", "杭州市")).member_id
        assert "ann" == one(CHAIN, *team, region=("浙江省", "宁波市")).member_id
        assert "cy" == one(CHAIN, *team, elsewhere, region=("辽宁省", "朝阳市", "双塔区")).member_id
        assert "territory" == one(CHAIN, *team, elsewhere, region=("浙江省", "杭州市")).why_not("cy")

    def test_who_knows_the_most_of_what_it_asks_for(self) -> None:
        """All of it before half of it."""
        team = who("ann", skills=["crm"]), who("bo", skills=["crm", "erp"]), who("cy")
        chosen = one(Strategy(("skill",)), *team, skills={"crm", "erp"})
        assert ("bo", "skill", "skill") == (chosen.member_id, chosen.why_not("ann"), chosen.why_not("cy"))

    def test_a_chain_narrows_down_step_by_step(self) -> None:
        """The territory, then the skill, then by capacity."""
        here = {"territories": ["浙江省"]}
        team = who("ann", **here), who("bo", skills=["crm"], **here), who("cy", skills=["crm"])
        chosen = one(CHAIN, *team, region=("浙江省",), skills={"crm"})
        assert ("bo", "skill", "territory") == (
            chosen.member_id,
            chosen.why_not("ann"),
            chosen.why_not("cy"),
        )

    def test_a_step_that_nobody_is_there_for_is_passed_over(self) -> None:
        """Unless the strategy is strict."""
        team = who("ann", territories=["江苏省"])
        chosen = one(CHAIN, team, region=("浙江省",))
        strict = one(Strategy(("territory", "capacity"), strict=True), team, region=("浙江省",))
        assert ("ann", ("territory",)) == (chosen.member_id, chosen.passed)
        assert (None, "nobody", "territory") == (strict.member_id, strict.verdict, strict.why_not("ann"))

    def test_whoever_had_it_gets_it_back(self) -> None:
        """The last owner before earlier ones, those before the group's; without any of them it is drawn."""
        sticky = Strategy(("sticky", "round_robin"))
        team = who("ann"), who("bo"), who("cy", active=False)
        assert "bo" == one(sticky, *team, previous=("cy", "bo", "ann"), group=("ann",)).member_id
        assert ("ann", "group") == (
            (chosen := one(sticky, *team, previous=("cy",), group=("ann",))).member_id,
            chosen.picked,
        )
        assert "round_robin" == one(sticky, *team, previous=("cy",)).picked

    def test_what_sticks_is_not_drawn_for(self) -> None:
        """It leaves everybody's fair share as it was."""
        sticky = Strategy(("sticky", "round_robin"))
        plan = dispatch(items(3, previous=("ann",)), [who("ann"), who("bo")], sticky, day=MONDAY)
        assert (Shares(), 3) == (plan.shares, plan.loads[0].got)

    def test_each_territory_has_fair_shares_of_its_own(self) -> None:
        """A member of two gets their part of both."""
        team = who("ann", territories=["浙江省", "江苏省"]), who("bo", territories=["浙江省"])
        mixed = [*items(4, region=("浙江省",)), Item(id=Id("x"), name="X", region=("江苏省",))]
        plan = dispatch(mixed, team, Strategy(("territory", "capacity")), day=MONDAY)
        assert [3, 2] == [load.got for load in plan.loads]
        assert ["territory=浙江省", "territory=江苏省"] == list(plan.shares.lanes)

    def test_a_host_may_say_who(self) -> None:
        """Asked with those who are left; None is for the strategy, anybody else is an error."""
        team = who("ann"), who("bo", active=False)
        asked: list[list[str]] = []

        def host(answer: str | None) -> Assignment:
            def say(item: Item, left: Any) -> str | None:
                asked.append([candidate.id for candidate in left])
                return answer

            return choose(items(1)[0], team, IN_TURN, day=MONDAY, host=say)[0]

        assert ("host", "only") == (host("ann").picked, host(None).picked)
        with pytest.raises(InvalidValue):
            host("bo")
        assert [["ann"]] * 3 == asked


class TestLimits:
    @pytest.mark.parametrize(
        "reason, facts",
        [
            ("inactive", {"active": False}),
            ("away", {"away": (Leave(first=MONDAY, last=MONDAY),)}),
            ("cap", {"held": 5, "cap": 5}),
            ("capacity", {"taken": 5, "capacity": 5}),
        ],
    )
    def test_who_can_get_nothing_is_named_with_the_reason(self, reason: str, facts: dict[str, Any]) -> None:
        """And so is that nobody can."""
        chosen = one(IN_TURN, who("ann"), who("bo", **facts))
        nobody = one(IN_TURN, who("bo", **facts))
        assert ("ann", reason) == (chosen.member_id, chosen.why_not("bo"))
        assert ("nobody", reason) == (nobody.verdict, nobody.why_not("bo"))

    def test_limits_are_reached_on_the_way(self) -> None:
        """The last one before the cap still comes; then nobody is left."""
        plan = dispatch(items(4), [who("ann", held=3, cap=5), who("bo", capacity=1)], LEAST, day=MONDAY)
        assert [("ann", 2), ("bo", 1)] == [(id, len(got)) for id, got in plan.by_member().items()]
        assert ["Customer 4"] == [item.name for item in plan.unassigned]
        assert ["cap", "capacity"] == [load.out for load in plan.loads]

    @pytest.mark.parametrize(
        "days, away", [(-1, False), (0, True), (4, True), (5, False), (9, False), (10, True), (11, False)]
    )
    def test_leave_is_from_its_first_through_its_last_day(self, days: int, away: bool) -> None:
        """The day before, the first, the last and the day after; of each of several."""
        periods = (
            Leave(first=MONDAY, last=MONDAY + timedelta(days=4)),
            Leave(first=MONDAY + timedelta(days=10), last=MONDAY + timedelta(days=10)),
        )
        assert away == who("ann", away=periods).away_on(MONDAY + timedelta(days=days))

    def test_who_comes_back_neither_catches_up_nor_pays(self) -> None:
        """After twenty items without them, the next ten are shared as any ten."""
        away = who("bo", away=(Leave(first=MONDAY, last=MONDAY),))
        shares = dispatch(items(20), [who("ann"), away], IN_TURN, day=MONDAY).shares
        plan = dispatch(items(10), [who("ann"), away], IN_TURN, shares, day=MONDAY + timedelta(days=1))
        assert [5, 5] == [load.got for load in plan.loads]

    @pytest.mark.parametrize(
        "weekly, away, expected",
        [
            (10, (), 10),
            (10, ((0, 1),), 6),
            (10, ((0, 6),), 0),
            (10, ((5, 6),), 10),
            (5, ((0, 3),), 1),
            (2, ((0, 3),), 0),
        ],
    )
    def test_capacity_is_in_proportion_to_the_days_worked(
        self, weekly: int, away: tuple[tuple[int, int], ...], expected: int
    ) -> None:
        """Of Monday to Friday; leave on a weekend costs nothing, and any day of the week asks for the same week."""
        periods = [
            Leave(first=MONDAY + timedelta(days=first), last=MONDAY + timedelta(days=last))
            for first, last in away
        ]
        for day in range(7):
            assert expected == week_capacity(weekly, MONDAY + timedelta(days=day), away=periods)

    def test_capacity_follows_the_calendar(self) -> None:
        """A week of six working days makes it more, halves go up."""
        six_days = SixDays()
        assert (12, 3) == (
            week_capacity(10, MONDAY, calendar=six_days),
            week_capacity(5, MONDAY, calendar=six_days, usual=10),
        )


class TestSentences:
    def test_a_draw_is_explained(self) -> None:
        """Who, by which strategy, with which figures, and who was out for what."""
        chosen = one(BY_CAPACITY, who("ann", weight=3), who("bo"), who("cy", active=False))
        assert (
            "Customer 1 goes to Ann (by capacity): 0.75 would be their fair share by now, and they had 0; "
            "out: Cy (no longer active)" == chosen.explain("en")
        )
        assert (
            "Customer 1分配给Ann（按承接能力）：至此应得0.75个，此前已得0个；未参与：Cy（已停用）"
            == chosen.explain("zh")
        )
        assert [("ann", Fraction(3, 4), 0), ("bo", Fraction(1, 4), 0)] == [
            (figures.member_id, figures.share, figures.got) for figures in chosen.figures
        ]

    def test_the_least_work_is_explained(self) -> None:
        """With the work that they have."""
        chosen = one(LEAST, who("ann", load=3), who("bo", load=4))
        assert (
            "Customer 1 goes to Ann (least work): nobody who could take it has less to do than their 3"
            == chosen.explain("en")
        )
        assert "Customer 1分配给Ann（按在手工作量）：可接手的人中其在手工作量最少（3）" == chosen.explain(
            "zh"
        )

    def test_what_sticks_is_explained(self) -> None:
        """Others are not named: it was never between them."""
        chosen = one(Strategy(("sticky", "round_robin")), who("ann"), who("bo"), previous=("ann",))
        assert (
            "Customer 1 goes to Ann (who looked after it, then in turn): they had it before"
            == chosen.explain("en")
        )
        assert "Customer 1分配给Ann（原负责人优先，再轮流分配）：此前由其负责" == chosen.explain("zh")

    def test_that_nobody_can_is_explained(self) -> None:
        """By reason; of many, the first three are named."""
        full = [who(f"m{place}", cap=0) for place in range(5)]
        nobody = one(CHAIN, *full, who("ann", active=False), region=("浙江省",))
        assert (
            "nobody can take Customer 1 (territory, then skill, then by capacity); nobody there for: territory; "
            "out: M0, M1, M2 and 2 more (at their cap), Ann (no longer active)" == nobody.explain("en")
        )
        assert (
            "Customer 1无人可接手（按区域，再按产品线，再按承接能力）；无匹配人员：按区域；"
            "未参与：M0、M1、M2等5人（客户数已达上限）、Ann（已停用）" == nobody.explain("zh")
        )

    def test_a_plan_is_explained(self) -> None:
        """How many go to how many, and how even it is."""
        plan = dispatch(items(4), [who("ann", load=4), who("bo"), who("cy", cap=0)], IN_TURN, day=MONDAY)
        assert (
            "4 of 4 go to 2 members; evenness 0.50 before, 0.80 after; "
            "nobody is off their fair share by more than 0.00" == plan.explain("en")
        )
        assert (
            "共4个，其中4个分配给2人；工作量均衡度由0.50变为0.80；每人与应得份额最多相差0.00个"
            == plan.explain("zh")
        )


class TestBadInput:
    @pytest.mark.parametrize(
        "steps, problem",
        [
            (("territory", "luck"), "'luck' is no step"),
            (("capacity", "skill"), "capacity picks one"),
            (("skill", "skill"), "the step skill is there twice"),
            ((), "at least one step"),
        ],
    )
    def test_a_strategy_that_makes_no_sense_is_refused(self, steps: Any, problem: str) -> None:
        """Naming what is wrong."""
        with pytest.raises(InvalidDefinition) as refused:
            Strategy(steps)
        assert problem in str(refused.value)

    @pytest.mark.parametrize(
        "field, value",
        [("weight", 0), ("weight", 1.5), ("load", -1), ("cap", -1), ("held", True), ("capacity", "5")],
    )
    def test_numbers_that_are_none_are_refused(self, field: str, value: Any) -> None:
        """Naming the field."""
        with pytest.raises(InvalidValue) as refused:
            who("ann", **{field: value})
        assert field == refused.value.field

    def test_nobody_and_nothing_is_there_twice(self) -> None:
        """It would get two parts."""
        with pytest.raises(InvalidValue):
            dispatch(items(1), [who("ann"), who("ann")], IN_TURN, day=MONDAY)
        with pytest.raises(InvalidValue):
            dispatch(items(1) * 2, [who("ann")], IN_TURN, day=MONDAY)

    def test_no_candidates_is_nobody(self) -> None:
        """An empty team is an answer, not an error; so is nothing to give out."""
        assert "nobody" == one(CHAIN).verdict
        plan = dispatch([], [who("ann")], IN_TURN, day=MONDAY)
        assert ((), Fraction(1)) == (plan.assignments, plan.fairness.after)

    @pytest.mark.parametrize(
        "data",
        [
            None,
            {},
            {"lanes": [{"key": "", "members": [["ann", 1, 5, 0, 0]]}]},
            {"lanes": [{"key": "", "members": [["ann", 1, 0.0, 0, 0]]}]},
            {"lanes": [{"key": "", "members": [["ann", 1]]}]},
            {"lanes": [{"key": "", "members": [["a", 1, 2 * 10**9, 0, 0], ["b", 1, -2 * 10**9, 0, 0]]}]},
        ],
    )
    def test_shares_that_are_none_are_refused(self, data: Any) -> None:
        """What someone wrote into the state by hand, say."""
        with pytest.raises(InvalidValue):
            Shares.load(data)


def test_evenness_is_jains_index() -> None:
    """One for equals, one n-th where one has all, one for nothing at all."""
    assert [1, Fraction(1, 4), Fraction(9, 10), 1, 1] == [
        evenness(values) for values in ([3, 3, 3], [0, 0, 0, 7], [1, 2], [0, 0], [])
    ]


class TestOneAfterAnother:
    def test_plans_join_into_one(self) -> None:
        """Everybody's load from the first to the last; who is left out by one of them only is not out."""
        first = dispatch(items(3), [who("ann"), who("bo", cap=1)], IN_TURN, day=MONDAY)
        after = [who("ann", load=2), who("bo", load=1), who("cy", load=5, belongs=False)]
        rest = [Item(id=Id(f"x{place}"), name="X") for place in range(3)]
        second = dispatch(rest, after, IN_TURN, first.shares, day=MONDAY)
        both = joined([first, second], [*second.assignments, *first.assignments])

        assert ["x0", "x1", "x2", "c1", "c2", "c3"] == [one.item.id for one in both.assignments]
        assert [("ann", 0), ("bo", 0), ("cy", 5)] == [(one.member_id, one.before) for one in both.loads]
        assert 6 == sum(one.got for one in both.loads) == sum(one.drawn for one in both.loads)
        assert [None, None, "pool"] == [one.out for one in both.loads]
        assert Fraction(6) == sum(one.ideal for one in both.loads)

    def test_what_a_cap_is_not_for_leaves_room(self) -> None:
        """It is got, and the cap stays as far away as it was."""
        free = [Item(id=Id(f"x{place}"), name="X", counts=False) for place in range(3)]
        plan = dispatch([*free, *items(3)], [who("ann", cap=2)], IN_TURN, day=MONDAY)
        assert [(5, 1)] == [(one.got, len(plan.unassigned)) for one in plan.loads]

    def test_ones_own_day_decides_about_leave(self) -> None:
        """It is still Sunday where they are."""
        away = (Leave(first=MONDAY, last=MONDAY),)
        chosen = one(IN_TURN, who("ann", away=away), who("bo", away=away, today=MONDAY - timedelta(days=1)))
        assert ("bo", "away") == (chosen.member_id, chosen.why_not("ann"))

    def test_large_weights_are_kept_as_json_keeps_them(self) -> None:
        """Beyond what JSON numbers are exact for, as text."""
        team = [who("ann", weight=10**9), who("bo", weight=1)]
        shares = dispatch(items(3), team, BY_CAPACITY, day=MONDAY).shares
        dumped = shares.dump()
        assert shares == Shares.load(json.loads(json.dumps(dumped)))
        assert all(
            type(number) is str or abs(number) < 2**53
            for lane in dumped["lanes"]
            for _, *numbers in lane["members"]
            for number in numbers
        )

    def test_nothing_to_decide_is_told_too(self) -> None:
        """In both languages."""
        (acme,) = items(1)
        told = {
            verdict: Assignment(verdict=verdict, policy_version=1, item=acme)
            for verdict in ("already-owned", "no-rule")
        }
        assert ["Customer 1 has an owner already", "no rule of assignment is for Customer 1"] == [
            decision.explain("en") for decision in told.values()
        ]
        assert ["Customer 1已有负责人", "没有适用于Customer 1的分配规则"] == [
            decision.explain("zh") for decision in told.values()
        ]
