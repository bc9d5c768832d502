"""What assignment promises, on every engine: who gets which customers, what is written of it, and that shares outlive a Work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from salescrm import Crm, Customer, F, InvalidValue, Policy, Where, Work, hookimpl
from salescrm.access import Action
from salescrm.entities import ChangeEntry, FairShares, Leave, OutboxEvent, OwnershipEntry
from salescrm.errors import AssignmentRefused, Forbidden, InvalidDefinition, NotFound, StateRefused
from salescrm.imports import import_files, loads_plan
from salescrm.labels import Label
from salescrm.policy import AssignmentRule, ClaimLimits, LoadWeights, Pool, Strategy
from salescrm.rules.assigning import Candidate, Item, Shares
from salescrm.testing import Clock
from salescrm.values import Id, Region

Connect = Callable[..., Crm]
LABEL = Label("In turn", "轮流")


def rule(**given: Any) -> AssignmentRule:
    """A rule that gives to ann, bo and cy in turn, at once."""
    fields: dict[str, Any] = {"key": "web", "label": LABEL, "members": ("ann", "bo", "cy"), "on_create": True}
    return AssignmentRule(**(fields | {"strategy": Strategy(("round_robin",))} | given))


def north(**given: Any) -> Pool:
    """A pool for everybody, of which boss is the admin."""
    fields: dict[str, Any] = {
        "key": "north",
        "label": Label("North", "北区公海"),
        "everyone": True,
        "admins": ("boss",),
    }
    return Pool(**(fields | given))


def policy(*rules: AssignmentRule, pools: Sequence[Pool] = (north(),)) -> Policy:
    return Policy(assignments=rules or (rule(),), pools=pools)


def create(crm: Crm, name: str = "云帆科技", *, by: str = "li", **fields: Any) -> Customer:
    return crm.run(lambda work: work.customers.create(name=name, **fields), by=by)


def waiting(crm: Crm, many: int, **fields: Any) -> list[Id]:
    """So many customers that nobody owns."""
    return [create(crm, f"客户{place}", **fields).id for place in range(many)]


def add(crm: Crm, id: str, **fields: Any) -> None:
    crm.run(lambda work: work.members.add(id, name=id.capitalize(), **fields), by="li")


def owners(crm: Crm, ids: Sequence[Id]) -> list[str | None]:
    with crm.begin(by="li") as work:
        found = work.customers.many(ids)
        return [found[id].owner_id for id in ids]


def dispatch(crm: Crm, customers: Any, *, by: str = "boss", **how: Any) -> list[str | None]:
    """Who got them."""

    def act(work: Work) -> list[str | None]:
        return [one.owner_id for one in work.assignments.dispatch(customers, **how).customers]

    return crm.run(act, by=by)


class TestNewCustomers:
    def test_a_new_customer_has_the_owner_that_its_rule_chose(self, connect: Connect, clock: Clock) -> None:
        """Owner, ledger, log and events agree, and the ledger says why."""
        crm = connect(policy=policy(rule(members=("ann",))))
        acme = create(crm)
        assert ("ann", None, clock()) == (acme.owner_id, acme.pool_id, acme.owned_since)
        with crm.begin(by="li") as work:
            assert acme == work.customers.get(acme.id)
            (entry,) = work.pools.ledger(acme.id)
            assert ("assigned", None, "ann", "north", "web", clock()) == (
                entry.kind, entry.from_id, entry.to_id, entry.pool, entry.rule, entry.at,
            )  # fmt: skip
            assert "云帆科技 goes to ann (in turn): nobody else could take it" == entry.reason
            log = work.repository(ChangeEntry).find((F.record_id == acme.id) & (F.kind == "saved"))
            assert [[None, "ann"]] == [one.changes["owner_id"] for one in log]
            told = work.repository(OutboxEvent).find(F.record_id == acme.id, order=[F.id])
            assert ["CustomerCreated", "CustomerAssigned"] == [one.name for one in told]

    def test_the_first_rule_that_is_for_it_decides(self, connect: Connect) -> None:
        """One that waits for a manager keeps a later one from deciding at once; none leaves it in its pool."""
        key = rule(key="key", where=F.level == "A", on_create=False)
        crm = connect(policy=policy(key, rule(where=F.source == "online")))
        made = [create(crm, source="online"), create(crm, source="online", level="A"), create(crm)]
        assert [True, False, False] == [one.owner_id is not None for one in made]
        assert [None, "north", "north"] == [one.pool_id for one in made]

    def test_what_nobody_can_take_waits_in_its_pool(self, connect: Connect) -> None:
        """And so it does without any pool, with nobody."""
        full = rule(members=("ann",), cap=1)
        for pools in ((north(),), ()):
            crm = connect(policy=policy(full, pools=pools), tenant=f"t{len(pools)}")
            first, second = create(crm), create(crm)
            assert ("ann", None) == (first.owner_id, second.owner_id)

    def test_an_owner_that_is_given_stays(self, connect: Connect) -> None:
        crm = connect(policy=policy())
        assert "zoe" == create(crm, owner_id="zoe").owner_id
        with crm.begin(by="li") as work:
            assert 0 == work.repository(OwnershipEntry).count()

    def test_many_at_a_time_go_as_they_would_one_by_one(self, connect: Connect) -> None:
        """To the same people, with the same lines in the ledger."""
        found = []
        for tenant in ("a", "b"):
            crm = connect(policy=policy(rule(weights={"ann": 3}, strategy=Strategy())), tenant=tenant)
            drafts = [Customer(name=f"客户{place:02}") for place in range(11)]
            drafts.insert(3, Customer(name="客户xx", owner_id=Id("zoe")))
            if tenant == "a":
                with crm.begin(by="li") as work:
                    assert 12 == work.customers.create_many(drafts)
            for one in drafts if tenant == "b" else ():
                create(crm, one.name, owner_id=one.owner_id)
            with crm.begin(by="li") as work:
                names = {one.id: one.name for one in work.customers.stream()}
                lines = work.repository(OwnershipEntry).find(order=[F.customer_id])
                found.append(sorted((names[one.customer_id], one.to_id, one.rule) for one in lines))
        assert found[0] == found[1]
        assert 11 == len(found[0])

    def test_shares_outlive_a_work(self, connect: Connect) -> None:
        """Each in a Work of its own: after any of them nobody is an item off, after nine each has three."""
        crm = connect(policy=policy())
        got: Counter[str | None] = Counter()
        for many in range(1, 10):
            got[create(crm).owner_id] += 1
            assert all(abs(Fraction(many, 3) - got[one]) < 1 for one in ("ann", "bo", "cy"))
        assert {"ann": 3, "bo": 3, "cy": 3} == got

    def test_what_is_rolled_back_is_drawn_again(self, connect: Connect) -> None:
        """Nobody pays for a customer that they never had."""
        crm = connect(policy=policy())
        with pytest.raises(RuntimeError), crm.begin(by="li") as work:
            lost = work.customers.create(name="甲").owner_id
            raise RuntimeError
        assert lost == create(crm).owner_id


class TestDispatch:
    def test_a_dry_run_says_what_a_dispatch_does_and_does_nothing(self, connect: Connect) -> None:
        """The same people, the same loads before and after."""
        crm = connect(policy=policy(rule(on_create=False)))
        create(crm, owner_id="ann")
        ids = waiting(crm, 7)
        with crm.begin(by="boss") as work:
            plan = work.assignments.plan(ids)
        assert [None] * 7 == owners(crm, ids)
        with crm.begin(by="boss") as work:
            assert 0 == work.repository(FairShares).count()
            done = work.assignments.dispatch(ids)
        assert plan == done.plan
        assert [one.member_id for one in plan.assignments] == owners(crm, ids)
        assert [("ann", 1), ("bo", 0), ("cy", 0)] == [(one.member_id, one.before) for one in plan.loads]
        assert 8 == sum(one.after for one in plan.loads)
        assert plan.fairness.deviation is not None
        assert plan.fairness.before < plan.fairness.after

    def test_a_question_asks_for_what_nobody_owns(self, connect: Connect, clock: Clock) -> None:
        """Longest in the pool first."""
        crm = connect(policy=policy(rule(on_create=False, members=("ann",), cap=3)))
        mine = create(crm, owner_id="ann", source="online")
        ids = []
        for _ in range(3):
            clock.tick(days=1)
            ids += waiting(crm, 1, source="online")
        create(crm, source="referral")
        with crm.begin(by="boss") as work:
            done = work.assignments.dispatch(F.source == "online", partial=True)
        assert ids[:2] == [one.id for one in done.customers]
        assert [ids[2]] == [one.item.id for one in done.refused]
        assert mine.version == crm.run(lambda work: work.customers.get(mine.id).version, by="li")

    def test_all_or_nothing_unless_partial(self, connect: Connect) -> None:
        """Whatever can't be given is told with the reason."""
        crm = connect(policy=policy(rule(on_create=False, where=F.level.is_null(), cap=1)))
        ids = [create(crm, owner_id="zoe").id, create(crm, level="A").id, *waiting(crm, 4)]
        with pytest.raises(AssignmentRefused) as refusal:
            dispatch(crm, ids)
        assert "already-owned" == refusal.value.code
        assert ["zoe", *[None] * 5] == owners(crm, ids)
        with crm.begin(by="boss") as work:
            done = work.assignments.dispatch(ids, partial=True)
        assert 3 == len(done.customers)
        assert ["already-owned", "no-rule", "nobody"] == [one.verdict for one in done.refused]
        assert [
            "云帆科技已有负责人",
            "没有适用于云帆科技的分配规则",
            "客户3无人可接手（轮流分配）；未参与：ann、bo、cy（客户数已达上限）",
        ] == [one.explain("zh") for one in done.refused]

    def test_nothing_is_drawn_for_what_was_refused(self, connect: Connect) -> None:
        """A dispatch that did nothing leaves no share behind."""
        crm = connect(policy=policy(rule(on_create=False, members=("ann",), cap=1)))
        with pytest.raises(AssignmentRefused):
            dispatch(crm, waiting(crm, 2))
        with crm.begin(by="li") as work:
            assert 0 == work.repository(FairShares).count()

    def test_a_manager_may_say_how_and_to_whom(self, connect: Connect) -> None:
        """By a strategy of their own, or by the policy's rule among others; the former leaves no shares."""
        crm = connect(policy=policy(rule(on_create=False)))
        ids = waiting(crm, 7)
        add(crm, "di", roles=["key"])
        assert ["di"] == dispatch(crm, ids[:1], strategy=Strategy(("least_loaded",)), to=F.roles.has("key"))
        assert ["ed", "fay"] == sorted(map(str, dispatch(crm, ids[1:3], to=["ed", "fay"])))
        with crm.begin(by="li") as work:
            assert 0 == work.repository(FairShares).count()
        assert ["ann", "bo"] == sorted(map(str, dispatch(crm, ids[3:5], rule="web", to=["ann", "bo"])))
        assert ["ann", "bo", "cy"] != dispatch(crm, ids[5:], rule="web")
        with crm.begin(by="li") as work:
            kept = Shares.load(work.repository(FairShares).get(Id("web")).data)
        assert 4 == sum(kept.lane().got(one) for one in ("ann", "bo", "cy"))

    def test_the_managers_reason_stands_in_the_ledger(self, connect: Connect) -> None:
        crm = connect(policy=policy(rule(on_create=False)))
        (id,) = waiting(crm, 1)
        dispatch(crm, [id], reason="展会客户集中分配")
        with crm.begin(by="li") as work:
            (entry,) = work.pools.ledger(id)
        assert ("展会客户集中分配", "boss", "web") == (entry.reason, entry.created_by, entry.rule)

    def test_only_an_admin_gives_out_of_a_pool(self, connect: Connect) -> None:
        """Nor may others see what would come of it."""
        crm = connect(policy=policy(rule(on_create=False)))
        ids = waiting(crm, 1)
        for ask in ("plan", "dispatch"):
            with pytest.raises(Forbidden), crm.begin(by="li") as work:
                getattr(work.assignments, ask)(ids)
        assert [None] == owners(crm, ids)

    def test_what_is_in_no_pool_is_given_by_who_may_save_it(self, connect: Connect) -> None:
        """By access, customer by customer."""

        class OnlineOnly:
            def scope(self, member: Id, entity: str, action: Action) -> Where | None:
                mine = entity == "Customer" and action == "save" and member == "li"
                return F.source == "online" if mine else None

        crm = connect(policy=policy(rule(on_create=False), pools=()), access=OnlineOnly())
        theirs, other = create(crm, source="online", by="boss"), create(crm, by="boss")
        assert [True] == [one is not None for one in dispatch(crm, [theirs], by="li")]
        with pytest.raises(Forbidden):
            dispatch(crm, [other], by="li")
        assert [None] == owners(crm, [other.id])

    def test_a_pools_own_limits_bind(self, connect: Connect) -> None:
        """Whoever is not of the pool, or at its cap, gets nothing from it; of two caps the one with less room counts."""
        pool = north(
            everyone=False,
            members=("ann",),
            teams=("east",),
            claims=ClaimLimits(cap=2, counted=F.level.is_null()),
        )
        crm = connect(policy=policy(rule(on_create=False, members=("ann", "bo", "di")), pools=[pool]))
        crm.run(lambda work: work.teams.add("east", name="East"), by="li")
        crm.run(lambda work: work.teams.add("sh", name="Shanghai", parent_id="east"), by="li")
        add(crm, "di", team_id="sh")
        create(crm, owner_id="ann", level="A")
        create(crm, owner_id="ann")
        with crm.begin(by="boss") as work:
            done = work.assignments.dispatch(waiting(crm, 4), partial=True)
        assert {"ann": 1, "di": 2} == Counter(one.owner_id for one in done.customers)
        (left,) = done.refused
        assert {"ann": "cap", "bo": "pool", "di": "cap"} == {one.member_id: one.reason for one in left.out}

    def test_of_two_pools_each_is_given_to_its_own(self, connect: Connect) -> None:
        """In one dispatch, by one rule, within one capacity; the customers stand in the order that was asked for."""
        pools = [
            north(where=F.level == "A", members=("ann", "bo"), everyone=False),
            north(key="south", members=("bo",), everyone=False),
        ]
        crm = connect(policy=policy(rule(on_create=False), pools=pools))
        add(crm, "bo", weekly_capacity=3)
        ids = [create(crm, f"客户{place}", level="A" if place % 2 else "B").id for place in range(5)]
        with crm.begin(by="boss") as work:
            done = work.assignments.dispatch(ids)
        assert ids == [one.id for one in done.customers]
        assert ["bo", "ann", "bo", "ann", "bo"] == [one.owner_id for one in done.customers]
        assert {"ann": (0, 2), "bo": (0, 3), "cy": (0, 0)} == {
            one.member_id: (one.before, one.after) for one in done.plan.loads
        }

    def test_a_closed_pool_gives_nothing(self, connect: Connect) -> None:
        ids = waiting(connect(policy=policy(rule(on_create=False))), 1)
        closed = connect(policy=policy(rule(on_create=False), pools=[north(enabled=False), north(key="x")]))
        with pytest.raises(StateRefused, match="closed pool north"):
            dispatch(closed, ids)


class TestLimits:
    @pytest.mark.parametrize("leave, most", [(None, 10), ((2, 3), 6), ((2, 5), 2), ((2, 8), 0)])
    def test_a_weeks_capacity_is_less_by_the_days_on_leave(
        self, connect: Connect, clock: Clock, leave: tuple[int, int] | None, most: int
    ) -> None:
        """Ten a week are ten in a full week; on days of leave there is nothing."""
        crm = connect(policy=policy(rule(on_create=False, members=("ann",))))
        clock.set(datetime(2026, 3, 6, 2, tzinfo=UTC))  # a Friday
        away = [] if leave is None else [Leave(first=date(2026, 3, leave[0]), last=date(2026, 3, leave[1]))]
        add(crm, "ann", weekly_capacity=10, leave=away)
        with crm.begin(by="boss") as work:
            assert most == len(work.assignments.dispatch(waiting(crm, 12), partial=True).customers)
            assert 0 == len(work.assignments.dispatch(F.owner_id.is_null(), partial=True).customers)

    def test_whoever_is_away_today_gets_nothing_today(self, connect: Connect, clock: Clock) -> None:
        """By the day where they are: it is still Sunday in New York."""
        crm = connect(policy=policy(rule(members=("ann", "bo"))))
        clock.set(datetime(2026, 3, 9, 1, tzinfo=UTC))  # Monday in Shanghai
        monday = [Leave(first=date(2026, 3, 9), last=date(2026, 3, 9))]
        add(crm, "ann", leave=monday)
        add(crm, "bo", leave=monday, time_zone="America/New_York")
        assert "bo" == create(crm).owner_id
        clock.set(datetime(2026, 3, 9, 4, tzinfo=UTC))  # midnight in New York, at its summer time
        assert None is create(crm).owner_id
        clock.set(datetime(2026, 3, 9, 16, tzinfo=UTC))  # Tuesday in Shanghai
        assert "ann" == create(crm).owner_id

    def test_the_week_begins_anew_on_monday(self, connect: Connect, clock: Clock) -> None:
        """What they gave back meanwhile still counts; what they claimed themselves does not."""
        crm = connect(policy=policy(rule(members=("ann",))))
        add(crm, "ann", weekly_capacity=1)
        clock.set(datetime(2026, 3, 15, 15, 59, tzinfo=UTC))  # a minute to Monday in Shanghai
        first = create(crm)
        crm.run(lambda work: work.pools.release(first.id, reason="不合适"), by="ann")
        second = create(crm)
        assert ("ann", None) == (first.owner_id, second.owner_id)
        clock.set(datetime(2026, 3, 15, 16, tzinfo=UTC))
        crm.run(lambda work: work.pools.claim([second.id]).customers, by="ann")
        assert "ann" == create(crm).owner_id
        assert None is create(crm).owner_id

    def test_capacity_follows_the_rules_calendar(self, connect: Connect, clock: Clock) -> None:
        """A week of two working days is two fifths of one; a full week of six days is all of it."""

        class TwoDays:
            known_until = None

            def is_working(self, day: date) -> bool:
                return day.weekday() < 2

        for days, most in ((5, 4), (2, 10)):
            timed = rule(on_create=False, members=("ann",), calendar="short", week_days=days)
            crm = connect(policy=policy(timed), calendars={"short": TwoDays()}, tenant=f"t{days}")
            add(crm, "ann", weekly_capacity=10)
            with crm.begin(by="boss") as work:
                assert most == len(work.assignments.dispatch(waiting(crm, 11), partial=True).customers)

    def test_capacity_may_only_weigh(self, connect: Connect) -> None:
        """Without limiting: two to one, as many as there are."""
        crm = connect(policy=policy(rule(strategy=Strategy(), within_capacity=False, members=("ann", "bo"))))
        add(crm, "ann", weekly_capacity=2)
        add(crm, "bo", weekly_capacity=1)
        assert {"ann": 6, "bo": 3} == Counter(create(crm).owner_id for _ in range(9))

    def test_a_cap_counts_what_it_is_for(self, connect: Connect) -> None:
        """What was owned before, and what comes; what it is not for is given without end."""
        crm = connect(policy=policy(rule(members=("ann",), cap=2, counted=F.level.is_null())))
        create(crm, owner_id="ann")
        create(crm, owner_id="ann", level="A")
        got = [create(crm, level=level).owner_id for level in ("A", "A", None, None, "A")]
        assert ["ann", "ann", "ann", None, None] == got

    def test_the_inactive_and_who_left_the_team_get_nothing(self, connect: Connect) -> None:
        """A team is its active members and those of the teams below it; a named one is told as inactive."""
        crm = connect(policy=policy(rule(members=("ann",), teams=("east",), among=~F.roles.has("trainee"))))
        crm.run(lambda work: work.teams.add("east", name="East"), by="li")
        crm.run(lambda work: work.teams.add("sh", name="Shanghai", parent_id="east"), by="li")
        add(crm, "ann", active=False)
        add(crm, "bo", team_id="sh")
        add(crm, "cy", team_id="sh", active=False)
        add(crm, "di", team_id="east", roles=["trainee"])
        acme = create(crm)
        with crm.begin(by="li") as work:
            waits = work.customers.create(name="乙", owner_id="zoe")
            work.pools.release(waits, reason="试")
            decision = work.assignments.why(waits.id)
        assert ("bo", "bo") == (acme.owner_id, decision.member_id)
        assert [("ann", "inactive")] == [(one.member_id, one.reason) for one in decision.out]


class TestStrategies:
    def test_whoever_had_it_gets_it_back(self, connect: Connect, clock: Clock) -> None:
        """The latest of them, as the ledger knows; in between nobody else counts."""
        crm = connect(policy=policy(rule(on_create=False, strategy=Strategy(("sticky", "round_robin")))))
        acme = create(crm, owner_id="cy")
        for owner in ("bo", "zoe"):
            clock.tick(days=1)
            crm.run(lambda work: work.pools.release(acme.id, reason="没空"), by="boss")
            crm.run(lambda work: work.pools.claim([acme.id]).customers, by=owner)
        clock.tick(days=1)
        crm.run(lambda work: work.pools.release(acme.id, reason="没空"), by="boss")
        with crm.begin(by="li") as work:
            decision = work.assignments.why(acme.id)
        assert ("bo", "previous") == (decision.member_id, decision.picked)
        assert ["bo"] == dispatch(crm, [acme.id])

    def test_a_group_of_companies_stays_together(self, connect: Connect) -> None:
        """The parent's owner, then the daughters', then the sisters'."""
        sticky = rule(strategy=Strategy(("sticky", "round_robin")), members=("ann", "bo", "cy"))
        crm = connect(policy=policy(sticky))
        parent = create(crm, "集团", owner_id="zoe")
        create(crm, "子公司一", owner_id="bo", parent_id=parent.id)
        assert "bo" == create(crm, "子公司二", parent_id=parent.id).owner_id
        crm.run(lambda work: work.customers.edit(parent.id, owner_id="cy"), by="li")
        assert "cy" == create(crm, "子公司三", parent_id=parent.id).owner_id
        crm.run(lambda work: work.pools.release(parent.id, reason="试"), by="zoe")
        with crm.begin(by="li") as work:
            back = work.assignments.why(parent.id)
            assert ("cy", "previous") == (back.member_id, back.picked)

    def test_territory_and_product_line_narrow_down(self, connect: Connect) -> None:
        """By the customer's region and interests, and by the line of what it bought."""
        chain = rule(strategy=Strategy(("territory", "skill", "capacity")), everyone=True, members=())
        crm = connect(policy=policy(chain))
        add(crm, "ann", territories=["浙江省"], skills=["crm"])
        add(crm, "bo", territories=["杭州市"], skills=["erp"])
        add(crm, "cy", territories=["浙江省"], skills=["erp"])
        hangzhou = create(crm, region=Region("浙江省", "杭州市"), interests=["crm"])
        ningbo = create(crm, region=Region("浙江省", "宁波市"), interests=["erp"])
        assert ("bo", "cy") == (hangzhou.owner_id, ningbo.owner_id)

        def bought(work: Work) -> Id:
            seats = work.products.create(name="Seats", series="crm")
            buyer = work.customers.create(name="老客户", owner_id="zoe", region=Region("浙江省", "宁波市"))
            deal = work.opportunities.create(name="200 seats", customer_id=buyer.id)
            work.opportunities.lines.add(deal.id, product_id=seats.id)
            work.opportunities.win(deal.id)
            work.pools.release(buyer.id, reason="试")
            return buyer.id

        buyer = crm.run(bought, by="li")
        assert ["ann"] == dispatch(crm, [buyer])

    def test_the_least_work_counts_each_kind_with_its_weight(self, connect: Connect, clock: Clock) -> None:
        """Customers owned, open deals, planned follow-ups; what is closed, done or somebody else's is no work."""
        least = rule(
            on_create=False,
            strategy=Strategy(("least_loaded",)),
            load=LoadWeights(customers=1, opportunities=5, follow_ups=2),
        )
        crm = connect(policy=policy(least))

        def busy(work: Work) -> None:
            mine = work.customers.create(name="甲", owner_id="ann")
            work.opportunities.create(name="开", customer_id=mine.id, owner_id="ann")
            work.opportunities.win(work.opportunities.create(name="关", customer_id=mine.id, owner_id="bo"))
            work.follow_ups.plan(
                customer_id=mine.id, planned_at=clock() + timedelta(days=1), assignee_id="cy"
            )

        crm.run(busy, by="li")
        with crm.begin(by="boss") as work:
            plan = work.assignments.plan(waiting(crm, 2))
        assert {"ann": 6, "bo": 0, "cy": 2} == {one.member_id: one.before for one in plan.loads}
        assert ["bo", "bo"] == [one.member_id for one in plan.assignments]

    def test_deals_that_come_along_are_work(self, connect: Connect) -> None:
        """Open ones that nobody owns go with their customer, and weigh."""
        crm = connect(
            policy=policy(rule(on_create=False, members=("ann",)), pools=[north(opportunities="follow")])
        )

        def left(work: Work) -> Id:
            one = work.customers.create(name="甲", owner_id="zoe")
            work.opportunities.create(name="开", customer_id=one.id, owner_id="zoe")
            work.pools.release(work.customers.get(one.id), reason="试")
            return one.id

        id = crm.run(left, by="li")
        with crm.begin(by="boss") as work:
            done = work.assignments.dispatch([id])
            assert ["ann"] == [one.owner_id for one in work.opportunities.stream()]
        assert [(0, 4)] == [(one.before, one.after) for one in done.plan.loads]


class TestWhy:
    def test_it_says_who_would_get_it_and_how_all_stand(self, connect: Connect) -> None:
        """With the rule that would decide; nothing is done."""
        crm = connect(policy=policy(rule(on_create=False)))
        (id,) = waiting(crm, 1)
        with crm.begin(by="li") as work:
            decision = work.assignments.why(id)
        assert ("assigned", "web", 1, 3) == (
            decision.verdict, decision.rule, decision.policy_version, len(decision.figures),
        )  # fmt: skip
        assert f"客户0分配给{decision.member}（轮流分配）：至此应得0.33个，此前已得0个" == decision.explain(
            "zh"
        )
        assert [decision.member_id] == dispatch(crm, [id])

    def test_it_says_that_there_is_nothing_to_decide(self, connect: Connect) -> None:
        crm = connect(policy=policy(rule(where=F.level == "A")))
        waits, owned = create(crm), create(crm, owner_id="ann")
        with crm.begin(by="li") as work:
            assert ["no-rule", "already-owned"] == [
                work.assignments.why(one).verdict for one in (waits, owned)
            ]


class TestHook:
    def test_a_host_may_say_who(self, connect: Connect) -> None:
        """Of those who can take it; where it says nothing the strategy decides. The ledger tells whose rule it was."""
        asked: list[list[str]] = []

        class Oldest:
            @hookimpl
            def choosing_assignee(self, item: Item, candidates: Sequence[Candidate]) -> str | None:
                asked.append(sorted(one.id for one in candidates))
                return "cy" if item.name == "老客户" else None

        crm = connect(policy=policy(rule(members=("ann", "cy"), cap=1)), plugins=[Oldest()])
        first, second = create(crm, "老客户"), create(crm, "新客户")
        assert ("cy", "ann") == (first.owner_id, second.owner_id)
        assert [["ann", "cy"], ["ann"]] == asked
        with crm.begin(by="li") as work:
            (entry,) = work.pools.ledger(first.id)
        assert "老客户 goes to cy: the host's own rule" == entry.reason

    def test_whoever_is_no_candidate_is_an_error(self, connect: Connect) -> None:
        """And nothing is created."""

        class Nobody:
            @hookimpl
            def choosing_assignee(self) -> str:
                return "zoe"

        crm = connect(policy=policy(), plugins=[Nobody()])
        with pytest.raises(InvalidDefinition, match="one of the candidates or None, not 'zoe'"):
            create(crm)
        assert 0 == crm.run(lambda work: work.customers.count(), by="li")


class TestBadInput:
    @pytest.mark.parametrize(
        "how, words",
        [
            ({"rule": "nix"}, "one of web"),
            ({"rule": "web", "strategy": Strategy()}, "not both"),
            ({"strategy": Strategy()}, "who may be given it"),
            ({"to": "ann"}, "a list of members"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, connect: Connect, how: dict[str, Any], words: str) -> None:
        crm = connect(policy=policy(rule(on_create=False)))
        ids = waiting(crm, 1)
        with pytest.raises(InvalidValue, match=words):
            dispatch(crm, ids, **how)
        assert [None] == owners(crm, ids)

    def test_an_unknown_calendar_is_named(self, connect: Connect) -> None:
        """With the rule that asks for it, before anything is given out."""
        with pytest.raises(InvalidDefinition) as refusal:
            connect(policy=policy(rule(calendar="lunar")))
        (problem,) = refusal.value.problems
        assert problem.endswith(
            "calendar is 'lunar', which neither the policy nor connect() has; nearest: none"
        )

    def test_whom_one_can_not_see_is_not_found(self, connect: Connect) -> None:
        """Another tenant's customer, or none."""
        other = create(connect(policy=policy(rule(on_create=False)), tenant="other"))
        crm = connect(policy=policy(rule(on_create=False)))
        with pytest.raises(NotFound):
            dispatch(crm, [other.id])

    def test_leave_is_kept_and_must_not_end_before_it_begins(self, connect: Connect) -> None:
        crm = connect()
        leave = Leave(first=date(2026, 5, 1), last=date(2026, 5, 5))
        add(crm, "ann", leave=[leave])
        assert (leave,) == crm.run(lambda work: work.members.get(Id("ann")).leave, by="li")
        with pytest.raises(InvalidValue, match="not before the first one"):
            Leave(first=date(2026, 5, 2), last=date(2026, 5, 1))
        with pytest.raises(InvalidValue):
            add(crm, "bo", leave=["2026-05-01"])

    def test_a_time_zone_is_one(self, connect: Connect) -> None:
        """Days would begin nowhere."""
        crm = connect()
        with pytest.raises(InvalidValue, match="an IANA name"):
            add(crm, "ann", time_zone="Mars/Base")


class TestAtOnce:
    def test_four_who_create_at_once_leave_nobody_off(self, connect: Connect) -> None:
        """Shares, owners and ledger agree to the item, and a cap is not passed."""
        shared = rule(
            strategy=Strategy(),
            weights={"ann": 1, "bo": 2, "cy": 3},
            members=("ann", "bo", "cy", "di"),
            cap=9,
        )
        crm = connect(policy=policy(shared))
        add(crm, "di", weekly_capacity=2)

        def some(place: int) -> list[str | None]:
            def one(work: Work) -> str | None:
                return work.customers.create(name=f"客户{place}").owner_id

            return [crm.run(one, by="li", attempts=500) for _ in range(6)]

        with ThreadPoolExecutor(4) as threads:
            got = Counter(owner for owners in threads.map(some, range(4)) for owner in owners)
        with crm.begin(by="li") as work:
            lane = Shares.load(work.repository(FairShares).get(Id("web")).data).lane()
            owned = Counter(one.owner_id for one in work.customers.stream())
            ledger = Counter(one.to_id for one in work.repository(OwnershipEntry).stream())
        assert got == owned == ledger
        assert {id: lane.got(id) for id in lane.accounts} == got
        assert 24 == sum(got.values())
        assert (2, True) == (got["di"], max(got.values()) <= 9)
        assert all(abs(lane.balance(id)) < 1 for id in lane.accounts)

    def test_four_who_dispatch_the_same_give_nothing_twice(self, connect: Connect) -> None:
        """Each customer has one owner and one line; whoever comes late is told that it is owned."""
        crm = connect(policy=policy(rule(on_create=False)))
        ids = waiting(crm, 12)

        def act(place: int) -> int:
            def some(work: Work) -> int:
                return len(
                    work.assignments.dispatch(ids[place * 3 :] + ids[: place * 3], partial=True).customers
                )

            return crm.run(some, by="boss", attempts=500)

        with ThreadPoolExecutor(4) as threads:
            given = sum(threads.map(act, range(4)))
        with crm.begin(by="li") as work:
            lines = Counter(one.customer_id for one in work.repository(OwnershipEntry).stream())
            lane = Shares.load(work.repository(FairShares).get(Id("web")).data).lane()
        assert (12, dict.fromkeys(ids, 1)) == (given, lines)
        assert {"ann": 4, "bo": 4, "cy": 4} == Counter(owners(crm, ids))
        assert {"ann": 4, "bo": 4, "cy": 4} == {id: lane.got(id) for id in lane.accounts}

    def test_claims_and_dispatches_at_once_keep_within_a_cap(self, connect: Connect) -> None:
        """Both count what a member has in that member's turn."""
        pool = north(claims=ClaimLimits(cap=3))
        crm = connect(policy=policy(rule(on_create=False, members=("ann",)), pools=[pool]))
        ids = waiting(crm, 12)

        def take(place: int) -> int:
            mine = ids[place * 3 : place * 3 + 3]

            def claim(work: Work) -> int:
                return len(work.pools.claim(mine, partial=True).customers)

            def give(work: Work) -> int:
                return len(work.assignments.dispatch(mine, partial=True).customers)

            return (
                crm.run(claim, by="ann", attempts=500)
                if place % 2
                else crm.run(give, by="boss", attempts=500)
            )

        with ThreadPoolExecutor(4) as threads:
            taken = sum(threads.map(take, range(4)))
        assert (3, 3) == (taken, owners(crm, ids).count("ann"))


class TestSetBased:
    @pytest.mark.parametrize("picks", ["capacity", "least_loaded"])
    def test_no_question_is_asked_per_member_or_customer(
        self, connect: Connect, monkeypatch: pytest.MonkeyPatch, picks: Any
    ) -> None:
        """As many for twenty members and twelve customers as for two and one."""
        found = []
        for members, customers in ((2, 1), (20, 12)):
            ids = [f"m{place}" for place in range(members)]
            steps = Strategy(("sticky", "territory", "skill", picks))
            wide = rule(on_create=False, members=ids, strategy=steps, cap=9, counted=F.level.is_null())
            crm = connect(
                policy=policy(wide, pools=[north(claims=ClaimLimits(cap=50))]), tenant=f"t{members}"
            )
            for id in ids:
                add(crm, id, weekly_capacity=5, skills=["crm"])
            parent = create(crm, "集团", owner_id="zoe")
            waits = waiting(crm, customers, parent_id=parent.id, interests=["crm"])
            asked: Counter[str] = Counter()
            with crm.begin(by="boss") as work, monkeypatch.context() as patch:
                for name in ("get", "find", "tally", "stream", "select"):
                    patch.setattr(
                        type(work.store), name, counting(asked, name, getattr(type(work.store), name))
                    )
                plan = work.assignments.plan(waits)
                why = dict(asked)
            assert customers == sum(one.assigned for one in plan.assignments)
            found.append(why)
        assert found[0] == found[1]


def counting(asked: Counter[str], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """*method*, counted under its *name*."""

    def count(*arguments: Any, **named: Any) -> Any:
        asked[name] += 1
        return method(*arguments, **named)

    return count


def test_an_import_gives_nothing_out(connect: Connect, tmp_path: Path) -> None:
    """A file of old customers would flood whoever is there; dispatched, they go where they belong."""
    crm = connect(policy=policy())
    (tmp_path / "customers.csv").write_text("no,name\n1,云帆科技\n2,远航重工\n", encoding="utf-8")
    plan = loads_plan(
        """
        name = "old"
        [[records]]
        name = "customers"
        file = "customers.csv"
        entity = "Customer"
        key = "no"
        fields.name = "name"
        """
    )
    assert 2 == import_files(crm, plan, tmp_path, by="li").counts.added
    with crm.begin(by="boss") as work:
        assert ["north", "north"] == [one.pool_id for one in work.customers.stream()]
        assert 2 == len(work.assignments.dispatch(F.pool_id == "north").customers)
