"""Opportunities: opening, moving, winning, losing, reopening, lines."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import attrs
import pytest

import salescrm
from salescrm import (
    Competitor,
    Crm,
    Customer,
    F,
    Id,
    InvalidValue,
    Money,
    MoveRefused,
    Opportunity,
    Policy,
    StateRefused,
    Tally,
    Work,
    count,
    total,
)
from salescrm.stages import shipped
from salescrm.testing import Clock


@pytest.fixture
def crm(clock: Clock) -> Crm:
    """Deals may be reopened, skipped ahead and sent back."""
    pipelines = tuple(
        attrs.evolve(one, may_reopen=True, may_go_back=True, may_skip=True) for one in shipped()
    )
    return salescrm.connect("memory://", policy=Policy(pipelines=pipelines), clock=clock)


@pytest.fixture
def customer(work: Work) -> Customer:
    return work.customers.create(name="云帆科技")


@pytest.fixture
def deal(work: Work, customer: Customer) -> Opportunity:
    return work.opportunities.create(
        name="云帆 ERP 二期", customer_id=customer.id, amount=Money.of("120000", "CNY"), pipeline="status"
    )


def test_a_new_deal_stands_in_the_first_stage(work: Work, deal: Opportunity) -> None:
    first = work.policy.pipeline("status").initial

    assert ("O20260315001", first.key, "open", first.probability, "li") == (
        deal.number,
        deal.stage,
        deal.status,
        deal.probability,
        deal.owner_id,
    )
    assert [(first.key, None)] == [(stay.stage, stay.left_at) for stay in work.opportunities.history(deal)]


def test_winning_counts_for_the_customer_and_reopening_takes_it_back(
    work: Work, deal: Opportunity, customer: Customer
) -> None:
    won = work.opportunities.win(deal)

    bought = work.customers.get(customer.id)
    assert ("won", 100, work.now()) == (won.status, won.probability, won.closed_at)
    assert (deal.amount, "active", work.now()) == (bought.won_amount, bought.lifecycle, bought.first_deal_at)

    again = work.opportunities.reopen(won)
    assert ("open", None) == (again.status, again.closed_at)
    assert work.customers.get(customer.id).won_amount is None


def test_losing_wants_a_reason(work: Work, deal: Opportunity) -> None:
    with pytest.raises(InvalidValue):
        work.opportunities.lose(deal, reason=" ")

    lost = work.opportunities.lose(deal, reason="价格太高")
    assert ("lost", "价格太高", 0) == (lost.status, lost.lost_reason, lost.probability)
    assert lost.furthest_stage == deal.stage


def test_a_won_deal_can_not_be_lost_without_reopening(work: Work, deal: Opportunity) -> None:
    won = work.opportunities.win(deal)

    with pytest.raises(MoveRefused):
        work.opportunities.lose(won, reason="x")


def test_an_open_deal_can_not_be_reopened(work: Work, deal: Opportunity) -> None:
    with pytest.raises(StateRefused):
        work.opportunities.reopen(deal)


def test_each_move_is_a_line_of_history_with_its_amount(work: Work, deal: Opportunity, clock: Clock) -> None:
    stages = [stage.key for stage in work.policy.pipeline("status").path]
    moved = work.opportunities.move(deal, stages[1], note="需求已确认", amount=Money.of("90000", "CNY"))

    entered, advanced = _changes(work, moved)
    assert ("entered", Money.of("120000", "CNY")) == (entered.kind, entered.amount)
    assert ("advanced", Money.of("90000", "CNY"), "需求已确认", "li") == (
        advanced.kind,
        advanced.amount,
        advanced.note,
        advanced.by,
    )
    assert Money.of("90000", "CNY") == moved.amount


def _changes(work: Work, deal: Opportunity) -> list[salescrm.StageChange]:
    return list(work.repository(salescrm.StageChange).stream(F.opportunity_id == deal.id, order=[F.at]))


def test_a_stage_key_that_is_not_there_is_named_with_those_that_are(work: Work, deal: Opportunity) -> None:
    with pytest.raises(InvalidValue) as refusal:
        work.opportunities.move(deal, "nirvana")

    assert deal.stage in refusal.value.expected


def test_the_amount_follows_the_lines_until_it_is_set_by_hand(work: Work, customer: Customer) -> None:
    product = work.products.create(name="MES 模块", list_price=Money.of("1000.10", "CNY"))
    deal = work.opportunities.create(
        name="deal", customer_id=customer.id, lines=[{"product_id": product.id, "quantity": 3}]
    )
    assert Money.of("3000.30", "CNY") == deal.amount

    line = work.opportunities.lines.add(
        deal.id, product.id, quantity=Decimal("0.5"), price=Money.of("99.99", "CNY")
    )
    assert Money.of("50.00", "CNY") == line.amount  # 49.995, half to even
    assert Money.of("3050.30", "CNY") == work.opportunities.get(deal.id).amount

    work.opportunities.edit(deal.id, amount=Money.of("2800", "CNY"))
    work.opportunities.lines.remove(line)
    assert Money.of("2800", "CNY") == work.opportunities.get(deal.id).amount


def test_winning_remembers_what_was_bought(work: Work, customer: Customer) -> None:
    product = work.products.create(name="MES 模块", list_price=Money.of("10", "CNY"))
    deal = work.opportunities.create(name="deal", customer_id=customer.id, lines=[{"product_id": product.id}])

    work.opportunities.win(deal)

    assert (product.id,) == work.customers.get(customer.id).products_bought
    with pytest.raises(StateRefused):
        work.opportunities.lines.add(deal.id, product.id)


def test_a_probability_by_hand_is_flagged_and_taken_back(work: Work, deal: Opportunity) -> None:
    by_hand = work.opportunities.set_probability(deal, 77)
    assert (77, True) == (by_hand.probability, by_hand.probability_overridden)

    back = work.opportunities.set_probability(by_hand, None)
    assert (deal.probability, False) == (back.probability, back.probability_overridden)
    with pytest.raises(InvalidValue):
        work.opportunities.set_probability(back, 101)


def test_a_competitor_is_named_once(work: Work, deal: Opportunity) -> None:
    named = work.opportunities.name_competitor(deal, Competitor(name="对手", price=Money.of("1", "CNY")))
    named = work.opportunities.name_competitor(named, Competitor(name="对手", concern="交期"))

    assert [("对手", None, "交期")] == [(one.name, one.price, one.concern) for one in named.competitors]


def test_stalled_deals_are_found_when_their_time_is_over(crm: Crm, clock: Clock) -> None:
    with crm.begin(by="li") as work:
        deal = work.opportunities.create(name="deal", pipeline="status")
        limit = work.policy.pipeline("status").stage(deal.stage).stalled_after or timedelta(days=30)
    clock.tick(days=limit.days - 1)
    with crm.begin(by="li") as work:
        assert 0 == work.opportunities.count(work.opportunities.stalled("status"))
    clock.tick(days=1)
    with crm.begin(by="li") as work:
        assert 1 == work.opportunities.count(work.opportunities.stalled("status"))


def test_mixed_currencies_never_add_up_by_accident(work: Work) -> None:
    work.opportunities.create(name="a", amount=Money.of("1", "CNY"))
    work.opportunities.create(name="b", amount=Money.of("2", "USD"))

    with pytest.raises(salescrm.InvalidQuestion):
        work.opportunities.tally(Tally(measures=[total(F.amount)]))
    by_currency = work.opportunities.tally(Tally(by=[F.amount.currency], measures=[count(), total(F.amount)]))
    assert [("CNY", 1, Money.of("1", "CNY")), ("USD", 1, Money.of("2", "USD"))] == by_currency


def test_nobody_may_point_at_a_customer_that_is_not_there(work: Work) -> None:
    with pytest.raises(InvalidValue):
        work.opportunities.create(name="deal", customer_id=Id("nobody"))


def test_a_deals_contact_is_one_of_its_customer(work: Work, deal: Opportunity) -> None:
    """Who has a name in common with nobody there is called by mistake."""
    bolt = work.customers.create(name="Bolt", contacts=[{"name": "Zhou Lei", "mobile": "13900139000"}])
    (zhou,) = work.customers.contacts(bolt)

    with pytest.raises(InvalidValue, match="a contact of the same customer"):
        work.opportunities.edit(deal, contact_id=zhou.id)
    with pytest.raises(InvalidValue, match="a contact of the same customer"):
        work.opportunities.create(name="deal", customer_id=deal.customer_id, contact_id=zhou.id)
    moved = work.opportunities.edit(deal, customer_id=bolt.id, contact_id=zhou.id)
    with pytest.raises(InvalidValue, match="a contact of the same customer"):
        work.opportunities.edit(moved, customer_id=deal.customer_id)
    assert zhou.id == work.opportunities.create(name="whose is not known", contact_id=zhou.id).contact_id
    work.contacts.remove(zhou)
    assert deal.customer_id == work.opportunities.edit(moved, customer_id=deal.customer_id).customer_id


def test_a_line_is_edited_and_the_deal_follows(work: Work) -> None:
    """The event tells of which deal it is, and what has changed."""
    product = work.products.create(name="GTX", list_price=Money.of(10, "CNY"))
    deal = work.opportunities.create(name="deal", lines=[{"product_id": product.id}])
    (line,) = work.opportunities.lines.of(deal.id)

    edited = work.opportunities.lines.edit(line, quantity=3)
    dearer = work.opportunities.lines.edit(edited, price=Money.of(12, "CNY"))
    agreed = work.opportunities.lines.edit(dearer, amount=Money.of(30, "CNY"))

    assert [Money.of(yuan, "CNY") for yuan in (30, 36, 30)] == [
        one.amount for one in (edited, dearer, agreed)
    ]
    assert Money.of(30, "CNY") == work.opportunities.get(deal.id).amount
    events = work.history.events(F.name == "LineEdited")
    assert [
        (deal.id, ["quantity", "amount"]),
        (deal.id, ["price", "amount"]),
        (deal.id, ["amount"]),
    ] == [(event.data["opportunity_id"], event.data["fields"]) for event in events]
