"""What the reports promise: every figure says what it is of, nothing is added up that does not belong together."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

import salescrm
from salescrm import Crm, Id, InvalidValue, Money, Opportunity, Policy, Work
from salescrm.reports import CycleDays, Dimension, Performance, PerformanceRow
from salescrm.testing import Clock

pytestmark = pytest.mark.engine("memory")

PATH = ("needs_analysis", "proposal", "negotiation", "contract_signed", "paid")


def cny(amount: int | str) -> Money:
    return Money.of(amount, "CNY")


@pytest.fixture
def people(work: Work) -> Work:
    """Two who sell, their manager, and their team."""
    work.teams.add("east", name="East")
    work.members.add("wang", name="Wang", roles=["manager"], team_id="east")
    work.members.add("li", name="Li", roles=["rep"], team_id="east", manager_id="wang")
    work.members.add("zhao", name="Zhao")
    return work


def deal(
    work: Work,
    name: str,
    *,
    to: int = 0,
    lost: bool = False,
    opened: int = 0,
    closed: int = 0,
    amount: Money | None = None,
    owner: str = "li",
    customer: Id | None = None,
) -> Opportunity:
    """A deal *opened* days ago that has gone *to* so many stages; won or lost *closed* days ago."""
    now = work.now()
    made = work.opportunities.create(
        name=name,
        amount=amount,
        owner_id=owner,
        customer_id=customer,
        opened_at=now - timedelta(days=opened),
    )
    for stage in PATH[:to]:
        at = now - timedelta(days=closed if stage == "paid" else opened)
        made = work.opportunities.move(made, stage, at=at)
    if lost:
        made = work.opportunities.lose(made, reason="price", at=now - timedelta(days=closed))
    return made


def row(report: Performance, key: str) -> PerformanceRow:
    return next(one for one in report.rows if one.key == key)


def test_funnel_of_nothing_has_stages_and_no_rate(work: Work) -> None:
    """An empty pipeline is shown as it is, and nothing is divided by zero."""
    funnel = work.reports.funnel()

    assert [0] * 7 == [stage.count for stage in funnel.stages]
    assert (0, None, None, None) == (
        funnel.total,
        funnel.win_rate_closed,
        funnel.win_rate_all,
        funnel.cycle_days.mean,
    )
    assert [None] * 7 == [stage.conversion_to_won for stage in funnel.stages]
    assert "CNY" == funnel.currency


def test_reached_counts_those_that_were_lost_later(people: Work) -> None:
    """A deal that got to negotiation has reached every stage before it, whatever became of it."""
    deal(people, "open", to=1)
    deal(people, "won", to=5)
    deal(people, "lost", to=3, lost=True)

    funnel = people.reports.funnel()

    assert [3, 3, 2, 2, 1, 1, None] == [stage.reached for stage in funnel.stages]
    assert [0, 1, 0, 0, 0, 1, 1] == [stage.count for stage in funnel.stages]
    assert [1.0, 2 / 3, 1.0, 0.5, 1.0, None, None] == [stage.conversion_to_next for stage in funnel.stages]
    assert [1 / 3, 1 / 3, 0.5, 0.5, 1.0, 1.0, None] == [stage.conversion_to_won for stage in funnel.stages]
    assert (0.5, 1 / 3) == (funnel.win_rate_closed, funnel.win_rate_all)


def test_going_back_leaves_what_was_reached(people: Work) -> None:
    """The funnel tells how far deals ever got, the count where they are."""
    back = deal(people, "back", to=3)
    people.opportunities.move(back, "needs_analysis")

    stages = {stage.stage: stage for stage in people.reports.funnel().stages}

    assert (1, 0) == (stages["negotiation"].reached, stages["negotiation"].count)
    assert 1 == stages["needs_analysis"].count


def test_a_stage_that_is_no_more_is_still_counted(clock: Clock) -> None:
    """A pipeline may change under its deals; none of them gets lost in the report."""
    store = salescrm.connect("memory://", clock=clock)
    with store.begin(by="li") as work:
        made = work.opportunities.create(name="old", pipeline="status")
    with store.begin(by="li") as work:
        deals = work.repository(Opportunity)
        old = deals.schema.evolve(made, {"stage": "tasting", "furthest_stage": "tasting"})
        deals.save(made, old)
    with store.begin(by="li") as work:
        funnel = work.reports.funnel("status")

    assert (1, "tasting", 1) == (funnel.total, funnel.stages[-1].stage, funnel.stages[-1].count)
    assert 1 == funnel.stages[0].reached


@pytest.mark.parametrize(
    "histogram, mean, median",
    [
        ({}, None, None),
        ({3: 1}, 3.0, 3.0),
        ({1: 1, 2: 1}, 1.5, 1.5),
        ({1: 2, 9: 1}, 11 / 3, 1.0),
        ({0: 1, 5: 3}, 3.75, 5.0),
    ],
)
def test_cycle_days(histogram: dict[int, int], mean: float | None, median: float | None) -> None:
    """The median of an even many lies between the two in the middle."""
    cycle = CycleDays.of(histogram)
    assert (mean, median) == (cycle.mean, cycle.median)


def test_currencies_are_never_added_up(people: Work) -> None:
    """With two of them there is no one amount, and each has its own."""
    deal(people, "yuan", to=5, amount=cny("12.50"))
    deal(people, "dollars", to=5, amount=Money.of(7, "USD"))

    funnel, report = people.reports.funnel(), people.reports.performance("owner")

    assert (None, None) == (funnel.currency, report.currency)
    won = funnel.to_plain()["stages"][5]
    assert (None, {"CNY": 12.5, "USD": 7}) == (won["amount"], won["amounts"])
    plain = report.to_plain()["rows"][0]
    assert (None, {"CNY": 12.5, "USD": 7}) == (plain["revenue"], plain["revenues"])
    assert "12.50 CNY + 7.00 USD" in report._repr_html_()


def test_members_without_a_deal_are_listed(people: Work) -> None:
    """With zeros and no rate; who only manages is missing from no ranking."""
    deal(people, "won", to=5, amount=cny(100), opened=9, closed=2)

    report = people.reports.performance("owner")

    assert ["Li", "Zhao"] == [one.key for one in report.rows]
    assert (1, 1.0, 1.0, (cny(100),), 7.0) == (
        report.rows[0].won,
        report.rows[0].win_rate_closed,
        report.rows[0].win_rate_all,
        report.rows[0].revenue,
        report.rows[0].cycle_days.median,
    )
    idle = row(report, "Zhao")
    assert (0, None, None, ()) == (idle.total, idle.win_rate_closed, idle.win_rate_all, idle.revenue)


def test_whoever_owns_a_deal_is_listed(people: Work) -> None:
    """Managers who sell, those who have left, and those nobody knows, by their id."""
    people.members.deactivate(Id("zhao"))
    for owner in ("wang", "zhao", "stranger"):
        deal(people, owner, owner=owner)

    assert {"Wang", "Zhao", "stranger", "Li"} == {one.key for one in people.reports.performance("owner").rows}


def test_groups_by_who_is_above(people: Work) -> None:
    """By manager and by team; who has none is under (blank)."""
    deal(people, "li's", to=5)
    deal(people, "zhao's", owner="zhao")

    managers, teams = people.reports.performance("manager"), people.reports.performance("team")

    assert [("Wang", "wang", 1), ("(blank)", None, 1)] == [
        (one.key, one.id, one.total) for one in managers.rows
    ]
    assert [("East", "east", 1), ("(blank)", None, 1)] == [(one.key, one.id, one.total) for one in teams.rows]


def test_products_share_a_deal_and_the_rest_is_told(people: Work) -> None:
    """Each product has the deals it is in and its own lines' money; what no line accounts for is a row of its own."""
    work = people
    mes = work.products.create(name="MES", list_price=cny(1000))
    scan = work.products.create(name="Scanner", list_price=cny(10))
    work.products.create(name="Idle")
    both = work.opportunities.create(
        name="both",
        lines=[{"product_id": mes.id}, {"product_id": scan.id, "quantity": 5}, {"product_id": scan.id}],
    )
    for stage in PATH:
        both = work.opportunities.move(both, stage, amount=cny(1100) if stage == "paid" else None)
    deal(work, "bare", to=5, amount=cny(7))
    deal(work, "open")

    report = work.reports.performance("product")

    found = {one.key: (one.total, one.won, one.revenue) for one in report.rows}
    assert {
        "MES": (1, 1, (cny(1000),)),
        "Scanner": (1, 1, (cny(60),)),
        "Idle": (0, 0, ()),
        "(blank)": (2, 1, (cny(47),)),  # 7 of the bare deal, 40 that the amount is above its lines
    } == found
    assert sum((one.revenue[0] for one in report.rows if one.revenue), cny(0)) == cny(1107)


def test_quarters_begin_where_the_policy_says(clock: Clock) -> None:
    """The same moment is in March in one zone and in April in another; open deals are in no quarter."""
    end = datetime(2026, 3, 31, 20, tzinfo=UTC)
    keys = []
    for zone in ("Asia/Shanghai", "America/New_York"):
        clock.set(end)
        with salescrm.connect("memory://", clock=clock, policy=Policy(time_zone=zone)) as crm:
            with crm.begin(by="li") as work:
                deal(work, "won", to=5)
                deal(work, "open")
            clock.set(end + timedelta(days=250))
            with crm.begin(by="li") as work:
                deal(work, "later", lost=True)
                report = work.reports.performance("close_quarter")
        keys.append([(one.key, one.total) for one in report.rows])

    assert [("2026Q2", 1), ("2026Q3", 0), ("2026Q4", 1)] == keys[0]
    assert [("2026Q1", 1), ("2026Q2", 0), ("2026Q3", 0), ("2026Q4", 1)] == keys[1]


def test_no_quarter_without_a_closed_deal(work: Work) -> None:
    deal(work, "open")
    assert () == work.reports.performance("close_quarter").rows


def test_a_thousand_years_have_quarters_too(crm: Crm) -> None:
    """However far apart the ends, no question grows too wide for an engine."""
    with crm.begin(by="li") as work:
        made = deal(work, "won", to=5)
        old = deal(work, "old", to=5)
    with crm.begin(by="li") as work:
        deals = work.repository(Opportunity)
        past = datetime(1500, 2, 1, tzinfo=UTC)
        deals.save(old, deals.schema.evolve(old, {"closed_at": past, "opened_at": past}))
        rows = work.reports.performance("close_quarter").rows

    assert ("1500Q1", 1, "2026Q1", 1) == (rows[0].key, rows[0].won, rows[-1].key, rows[-1].won)
    assert 526 * 4 + 1 == len(rows)
    assert made.closed_at is not None


def test_period_counts_days_in_the_policys_zone(people: Work) -> None:
    """From the first day's start to the last day's end, by the moment that is asked for."""
    deal(people, "old", to=5, opened=40, closed=1)
    deal(people, "new", to=5, opened=3, closed=0)
    today = people.now().astimezone(ZoneInfo("Asia/Shanghai")).date()

    by_opening = people.reports.funnel(since=today - timedelta(days=3))
    by_closing = people.reports.performance(
        "owner", until=today - timedelta(days=1), counted_by="closed_at", pipeline="standard"
    )

    assert (1, 1) == (by_opening.total, row(by_closing, "Li").won)
    assert 40 - 1 == row(by_closing, "Li").cycle_days.median
    plain = by_closing.to_plain()
    assert {"since": None, "until": "2026-03-14", "counted_by": "closed_at"} == plain["period"]
    assert ("Asia/Shanghai", "standard") == (plain["time_zone"], plain["pipeline"])
    assert 0 == people.reports.performance("owner", pipeline="intent").rows[0].total
    assert "… – 2026-03-14" in by_closing.sheet("en").notes[0]


@pytest.mark.parametrize("by", get_args(Dimension))
def test_results_show_themselves(people: Work, by: Dimension) -> None:
    """As data that JSON takes, as a table in two languages, as HTML in which nothing from outside is markup."""
    customer = people.customers.create(name="<b>Acme", industry="<i>retail")
    people.members.edit(Id("li"), name="<script>")
    deal(people, "won", to=5, amount=cny(5), customer=customer.id)

    report = people.reports.performance(by)

    plain = report.to_plain()
    assert plain == json.loads(json.dumps(plain))
    assert {"denominators", "period", "time_zone", "as_of", "counted"} <= plain.keys()
    html = report._repr_html_()
    assert "<script" not in html
    assert "<i>" not in html
    assert report.sheet("zh").columns[0].heading != report.sheet("en").columns[0].heading
    assert all(len(line) == len(report.sheet().columns) for line in report.sheet().rows)


def test_funnel_shows_itself(people: Work) -> None:
    deal(people, "won", to=5, amount=cny(5))
    funnel = people.reports.funnel()

    assert funnel.to_plain() == json.loads(json.dumps(funnel.to_plain()))
    assert "回款完成" in "".join(str(cell) for line in funnel.sheet("zh").rows for cell in line)
    assert "Won of all" not in funnel._repr_html_()
    assert "100.0%" in funnel._repr_html_()


@pytest.mark.parametrize(
    "ask",
    [
        lambda work: work.reports.funnel("nowhere"),
        lambda work: work.reports.performance("weather"),
        lambda work: work.reports.performance("owner", pipeline="nowhere"),
        lambda work: work.reports.funnel(since=date(2026, 2, 1), until=date(2026, 1, 1)),
        lambda work: work.reports.funnel(since=datetime(2026, 2, 1, tzinfo=UTC)),
        lambda work: work.reports.funnel(counted_by="updated_at"),
        lambda work: work.reports.funnel(since=date(1, 1, 1)),
    ],
)
def test_what_can_not_be_asked_is_said(work: Work, ask: object) -> None:
    """Each by one of our own errors."""
    assert callable(ask)
    with pytest.raises(InvalidValue):
        ask(work)
