"""What a back-test promises, on every engine: two policies on the history that there really was."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from salescrm import Crm, F, InvalidValue, Money, Pipeline, Policy, Stage, Work
from salescrm.labels import Label
from salescrm.policy import ClaimLimits, Pool, RecycleRule
from salescrm.testing import Clock
from salescrm.values import Id

Connect = Callable[..., Crm]
ANN = Id("ann")

DEALS = Pipeline(
    key="deals",
    label=Label("Deals", "成交流程"),
    stages=[
        Stage(key="talk", label=Label("Talk", "洽谈")),
        Stage(key="won", label=Label("Won", "成交"), kind="won"),
        Stage(key="lost", label=Label("Lost", "丢单"), kind="lost"),
    ],
)


def policy(limit: int = 30, **given: Any) -> Policy:
    """One pool for everybody, in Shanghai."""
    rule = RecycleRule(
        key="quiet",
        label=Label("not followed up", "久未跟进"),
        anchor="no_follow_up",
        limit=limit,
        warnings=[],
    )
    fields: dict[str, Any] = {"key": "north", "label": Label("North", "北区公海"), "everyone": True}
    return Policy(pools=[Pool(rules=[rule], **(fields | given))], pipelines=[DEALS], default_pipeline="deals")


@pytest.fixture
def crm(connect: Connect) -> Crm:
    """Thirty days without a word, and it falls."""
    return connect(policy=policy())


def create(crm: Crm, name: str, owner: str | None = None) -> Id:
    return Id(crm.run(lambda work: work.customers.create(name=name, owner_id=owner).id, by="li"))


def nights(crm: Crm, clock: Clock, days: int) -> None:
    """The nightly runs of the days to come, each at two in the morning."""
    for _ in range(days):
        clock.tick(days=1)
        crm.tick()


def test_who_would_have_fallen_and_who_of_them_bought_later(crm: Crm, clock: Clock) -> None:
    """With ten days in place of thirty the customer is gone before its owner sells to it."""
    since = clock()
    acme, other = create(crm, "云帆科技", "ann"), create(crm, "别家", "ann")
    nights(crm, clock, 20)

    def sell(work: Work) -> None:
        deal = work.opportunities.create(
            name="Deal", customer_id=acme, amount=Money.of("1200.50", "CNY"), owner_id=Id("ann")
        )
        work.opportunities.win(deal)
        work.follow_ups.record(result="谈好了", customer_id=other)

    crm.run(sell, by="ann")
    clock.tick(days=1)
    with crm.begin(by="boss") as work:
        result = work.pools.backtest(policy(30), policy(10), since=since)
    assert () == result.a.falls
    assert [(acme, date(2026, 3, 26), True), (other, date(2026, 3, 26), False)] == [
        (fall.customer_id, fall.day, fall.wrong) for fall in result.b.falls
    ]
    assert (Money.of("1200.50", "CNY"),) == result.b.forgone
    assert ([acme], 2, 0) == (
        [one.customer_id for one in result.b.wrong],
        len(result.only_b),
        len(result.only_a),
    )
    assert (
        "云帆科技会于2026-03-26从ann名下落入北区公海，规则“久未跟进”，但于2026-04-04又向其成交（1,200.50 CNY）"
        == (result.explain("zh", of=result.b.falls[0]))
    )


def test_what_really_fell_is_censored_there(crm: Crm, clock: Clock) -> None:
    """Sixty days would have spared it until then; what would have come after that nobody knows."""
    since = clock()
    acme = create(crm, "云帆科技", "ann")
    nights(crm, clock, 40)
    with crm.begin(by="boss") as work:
        result = work.pools.backtest(policy(30), policy(60), since=since)
    assert [(acme, date(2026, 4, 15), "recycled")] == [
        (fall.customer_id, fall.day, fall.ended_by) for fall in result.a.falls
    ]
    assert ((), 0, 1, 1) == (result.b.falls, result.a.spared, result.b.spared, result.recycled)
    assert (0, 0, 0) == (result.a.holds[ANN], result.b.holds[ANN], result.really.holds[ANN])


def test_facts_are_those_of_their_day(crm: Crm, clock: Clock) -> None:
    """A follow-up on the ninth day keeps it until ten days after that, whatever the record says today."""
    since = clock()
    acme = create(crm, "云帆科技", "ann")
    clock.tick(days=9)
    crm.run(lambda work: work.follow_ups.record(result="好", customer_id=acme).id, by="ann")
    nights(crm, clock, 15)
    crm.run(lambda work: work.follow_ups.record(result="好", customer_id=acme).id, by="ann")
    with crm.begin(by="boss") as work:
        result = work.pools.backtest(policy(10), policy(16), since=since)
    assert [date(2026, 4, 4)] == [fall.day for fall in result.a.falls]
    assert () == result.b.falls


def test_claims_are_judged_one_after_the_other(connect: Connect, clock: Clock) -> None:
    """By the limits of each policy, and with what would have come of the ones before."""
    crm = connect(policy=policy())
    ids = [create(crm, name) for name in "甲乙丙丁"]
    since = clock.tick(days=1)
    crm.run(lambda work: work.pools.claim(ids[:3]).customers[0].id, by="ann")
    clock.tick(days=1)
    crm.run(lambda work: work.pools.release(ids[0], reason="不合适").id, by="ann")
    clock.tick(days=1)
    crm.run(lambda work: work.pools.claim([ids[0], ids[3]]).customers[0].id, by="ann")
    with crm.begin(by="boss") as work:
        a, b = policy(claims=ClaimLimits(daily=2)), policy(claims=ClaimLimits(cap=3, cool_down=10))
        result = work.pools.backtest(a, b, since=since)
    assert (5, ["daily-limit"]) == (result.a.claims, [one.decision.verdict for one in result.a.refused])
    # With the first one given back, and not taken again, there is room for the fourth.
    assert [("cool-down", ids[0])] == [
        (one.decision.verdict, one.decision.customer_id) for one in result.b.refused
    ]
    assert (4, 3, 3) == (result.really.holds[ANN], result.a.holds[ANN], result.b.holds[ANN])
    assert "ann" in result.explain("en", of=result.b.refused[0])


@pytest.mark.parametrize(
    "code, given",
    [
        ("not-a-member", {"everyone": False, "members": ["bo"]}),
        ("arrival", {"claims": ClaimLimits(arrival=5, reserved_members=("bo",))}),
        ("pool-closed", {"enabled": False}),
        ("pool-closed", {"key": "south", "where": F.level == "A"}),
        (None, {"key": "south"}),
    ],
    ids=["not a member", "reserved", "closed", "no pool takes it", "another pool takes it"],
)
def test_a_claim_is_judged_by_the_pool_as_the_policy_has_it(
    crm: Crm, clock: Clock, code: str | None, given: dict[str, Any]
) -> None:
    """That of the same key; where there is none, the one that the customer belongs to."""
    acme = create(crm, "云帆科技")
    since = clock.tick(days=1)
    crm.run(lambda work: work.pools.claim([acme]).customers[0].id, by="ann")
    clock.tick(days=2)
    spare = Pool(key="spare", label=Label("Spare", "备用公海"), where=F.level == "Z")
    tried = attrs.evolve(policy(), pools=[attrs.evolve(policy().pools[0], **given), spare])
    with crm.begin(by="boss") as work:
        result = work.pools.backtest(policy(), tried, since=since)
    assert [code] * (code is not None) == [one.decision.verdict for one in result.b.refused]
    assert () == result.a.refused


def test_load_is_compared_over_the_same_members(crm: Crm, clock: Clock) -> None:
    """Held on average, and how even that is: Jain's index."""
    since = clock()
    for name in "甲乙丙丁":
        create(crm, name, "ann")
    create(crm, "戊", "bo")
    clock.tick(days=20)
    with crm.begin(by="boss") as work:
        result = work.pools.backtest(policy(30), policy(9), since=since)
    assert {"ann": 4.0, "bo": 1.0} == result.a.held
    assert result.a.held == result.really.held
    assert pytest.approx(25 / 34) == result.a.evenness
    assert {"ann": 0, "bo": 0} == result.b.holds
    # Gone with the night of the tenth day after: fourteen hours and nine days of twenty.
    assert pytest.approx(4 * (9 + 14 / 24) / 20) == result.b.held[ANN]


@pytest.mark.parametrize(
    "since, until",
    [
        (datetime(2026, 3, 1), None),  # naive on purpose
        (datetime(2026, 3, 15, 2, tzinfo=UTC), None),
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 16, tzinfo=UTC)),
    ],
    ids=["naive", "no time at all", "ends before it begins", "future"],
)
def test_a_time_that_is_none_is_refused(crm: Crm, since: datetime, until: datetime | None) -> None:
    with crm.begin(by="boss") as work, pytest.raises(InvalidValue):
        work.pools.backtest(policy(), policy(), since=since, until=until)


def test_it_shows_itself(crm: Crm, clock: Clock) -> None:
    """As sentences, a table, HTML without a hole, JSON, bars; and nothing is written."""
    since = clock()
    with crm.begin(by="boss") as work:
        work.members.add("ann", name="安<b>")
    create(crm, "云帆<i>", "ann")
    clock.tick(days=20)
    with crm.begin(by="boss") as work:
        result = work.pools.backtest(policy(30), policy(10), since=since, until=clock() - timedelta(hours=1))
        assert 0 == work.written
    for shown in (result.sheet("zh").to_html(), result.chart("zh").svg, result.chart("en", "held").svg):
        assert "安&lt;b&gt;" in shown
        assert "<b>" not in shown
    assert "两套规则都会落入 0 个，仅 A 0 个，仅 B 1 个" == result.explain("zh").splitlines()[-1]
    plain = json.loads(json.dumps(result.to_plain()))
    assert (0, 1) == (len(plain["a"]["falls"]), len(plain["b"]["falls"]))
    assert [("b", "云帆<i>", False)] == result.frame("polars").select("policy", "customer", "wrong").rows()
    with pytest.raises(InvalidValue, match="held"):
        result.chart("en", "weather")  # type: ignore[arg-type]  # that is the point
