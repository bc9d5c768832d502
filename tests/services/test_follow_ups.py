"""Follow-ups: plan, do, record, next; postpone and cancel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from salescrm import Customer, Id, InvalidValue, StateRefused, Work
from salescrm.entities.follow_ups import Place, RemindBefore, overdue, planned_for
from salescrm.testing import Clock


@pytest.fixture
def customer(work: Work) -> Customer:
    return work.customers.create(name="云帆科技", owner_id="li")


def test_a_planned_follow_up_is_the_members_own(work: Work, customer: Customer) -> None:
    planned = work.follow_ups.plan(
        customer_id=customer.id, planned_at=work.now() + timedelta(days=1), kind="visit"
    )

    assert ("F20260315001", "planned", "li", None) == (
        planned.number,
        planned.status,
        planned.assignee_id,
        planned.assigned_by,
    )
    assert [planned] == list(work.follow_ups.find(planned_for(Id("li"))))


def test_an_assigned_task_says_by_whom(work: Work) -> None:
    task = work.follow_ups.plan(subject="准备标书", kind="task", planned_at=work.now(), assignee_id="wang")

    assert ("wang", "li") == (task.assignee_id, task.assigned_by)


def test_nothing_to_follow_up_is_refused(work: Work) -> None:
    with pytest.raises(InvalidValue):
        work.follow_ups.plan(planned_at=work.now())


def test_completing_updates_customer_and_deal_and_plans_the_next(
    work: Work, customer: Customer, clock: Clock
) -> None:
    deal = work.opportunities.create(name="deal", customer_id=customer.id)
    planned = work.follow_ups.plan(opportunity_id=deal.id, planned_at=work.now())

    done = work.follow_ups.complete(
        planned,
        result="对方要报价",
        effective=True,
        next_action="发报价",
        next={"planned_at": work.now() + timedelta(days=2), "kind": "email"},
    )

    assert ("done", clock(), "对方要报价", True) == (done.status, done.done_at, done.result, done.effective)
    following = work.follow_ups.get(done.next_id or Id(""))
    assert (customer.id, deal.id, "email") == (
        following.customer_id,
        following.opportunity_id,
        following.kind,
    )
    assert (clock(), 1) == (
        work.customers.get(customer.id).last_follow_up_at,
        work.customers.get(customer.id).follow_up_count,
    )
    assert 1 == work.opportunities.get(deal.id).follow_up_count


def test_an_earlier_follow_up_recorded_late_does_not_turn_the_clock_back(
    work: Work, customer: Customer
) -> None:
    work.follow_ups.record(customer_id=customer.id, result="来电")
    work.follow_ups.record(customer_id=customer.id, result="上周拜访", done_at=work.now() - timedelta(days=7))

    now = work.customers.get(customer.id)
    assert (work.now(), work.now() - timedelta(days=7), 2) == (
        now.last_follow_up_at,
        now.first_contact_at,
        now.follow_up_count,
    )


def test_postponing_wants_a_new_time_and_a_reason_and_keeps_the_old(work: Work, customer: Customer) -> None:
    first = work.now() + timedelta(days=1)
    planned = work.follow_ups.plan(customer_id=customer.id, planned_at=first)

    moved = work.follow_ups.postpone(planned, to=first + timedelta(days=3), reason="客户出差")

    assert first + timedelta(days=3) == moved.planned_at
    assert [(first, "客户出差", "li")] == [(one.was, one.reason, one.by) for one in moved.postponements]
    for to, reason in ((moved.planned_at, "x"), (work.now(), "x"), (first + timedelta(days=9), "  ")):
        with pytest.raises(InvalidValue):
            work.follow_ups.postpone(moved, to=to, reason=reason)


def test_what_is_over_can_not_be_done_again(work: Work, customer: Customer) -> None:
    planned = work.follow_ups.plan(customer_id=customer.id, planned_at=work.now())
    cancelled = work.follow_ups.cancel(planned, reason="客户取消")

    assert ("cancelled", "客户取消") == (cancelled.status, cancelled.cancelled_reason)
    acts: tuple[Callable[[], object], ...] = (
        lambda: work.follow_ups.complete(cancelled, result="x"),
        lambda: work.follow_ups.cancel(cancelled, reason="x"),
        lambda: work.follow_ups.postpone(cancelled, to=work.now() + timedelta(days=1), reason="x"),
        lambda: work.follow_ups.edit(cancelled, purpose="x"),
    )
    for act in acts:
        with pytest.raises(StateRefused):
            act()


def test_overdue_is_computed_from_now(work: Work, customer: Customer) -> None:
    work.follow_ups.plan(customer_id=customer.id, planned_at=work.now() - timedelta(minutes=1))
    work.follow_ups.plan(customer_id=customer.id, planned_at=work.now() + timedelta(minutes=1))

    assert 1 == work.follow_ups.count(overdue())


def test_done_can_not_lie_ahead(work: Work, customer: Customer) -> None:
    planned = work.follow_ups.plan(customer_id=customer.id, planned_at=work.now())

    with pytest.raises(InvalidValue):
        work.follow_ups.complete(planned, result="x", done_at=work.now() + timedelta(minutes=1))


def test_customer_and_opportunity_must_belong_together(work: Work, customer: Customer) -> None:
    other = work.customers.create(name="另一家")
    deal = work.opportunities.create(name="deal", customer_id=customer.id)

    with pytest.raises(InvalidValue):
        work.follow_ups.plan(customer_id=other.id, opportunity_id=deal.id, planned_at=work.now())


def test_whom_one_follows_up_with_is_at_that_customer(work: Work, customer: Customer) -> None:
    """Also when the customer comes with the deal; what is next asks the contact only if they are still there."""
    bolt = work.customers.create(name="Bolt", contacts=[{"name": "Zhou Lei", "mobile": "13900139000"}])
    (zhou,) = work.customers.contacts(bolt)
    deal = work.opportunities.create(name="deal", customer_id=customer.id)
    soon = work.now() + timedelta(days=1)

    for about in ({"customer_id": customer.id}, {"opportunity_id": deal.id}):
        with pytest.raises(InvalidValue, match="a contact of the same customer"):
            work.follow_ups.plan(**about, contact_id=zhou.id, planned_at=soon)  # type: ignore[arg-type]  # mypy sees a mapping
    call = work.follow_ups.plan(customer_id=bolt.id, contact_id=zhou.id, planned_at=soon)
    with pytest.raises(InvalidValue, match="a contact of the same customer"):
        work.follow_ups.edit(call, customer_id=customer.id)

    work.contacts.edit(zhou, customer_id=customer.id)
    done = work.follow_ups.complete(call, result="ok", next={"planned_at": soon})
    assert (bolt.id, None) == (
        work.follow_ups.get(done.next_id or Id("")).customer_id,
        work.follow_ups.get(done.next_id or Id("")).contact_id,
    )


@pytest.mark.parametrize(
    "latitude, longitude, field",
    [
        ("90.0001", "0", "latitude"),
        ("-91", "0", "latitude"),
        ("0", "180.1", "longitude"),
        ("0", "-999", "longitude"),
    ],
)
def test_a_place_is_on_earth(latitude: str, longitude: str, field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Place(latitude=Decimal(latitude), longitude=Decimal(longitude))

    assert ("Place", field) == (refused.value.entity, refused.value.field)


def test_a_reminder_comes_before_what_it_reminds_of(work: Work, customer: Customer) -> None:
    """Or at that moment, but not after it."""
    planned = work.follow_ups.plan(
        customer_id=customer.id, planned_at=work.now(), remind_before=[RemindBefore(minutes=0)]
    )
    assert (RemindBefore(minutes=0),) == planned.remind_before

    with pytest.raises(InvalidValue) as refused:
        RemindBefore(minutes=-1)
    assert ("RemindBefore", "minutes") == (refused.value.entity, refused.value.field)
