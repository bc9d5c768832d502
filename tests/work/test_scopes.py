"""What a member may not see still counts: for whoever acts, facts come out the same and nothing is done by halves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from salescrm import (
    Contact,
    Crm,
    Customer,
    F,
    Forbidden,
    HookRefused,
    Id,
    InvalidValue,
    Money,
    NotFound,
    Opportunity,
    OutboxEvent,
    Refuse,
    StateRefused,
    Where,
    Work,
    hookimpl,
)
from salescrm.access import Action
from salescrm.events import ContactEdited
from salescrm.query import NOTHING

Connect = Callable[..., Crm]


class Desk:
    """The boss sees all; everybody else their own deals and customers, and no line, contact or event but of the boss."""

    def scope(self, member: Id, entity: str, action: Action) -> Where | None:
        if member == "boss":
            return None
        match entity:
            case "Customer" | "Opportunity":
                return F.owner_id == member
            case "FollowUp":
                return F.assignee_id == member
            case "Contact" | "OpportunityLine" | "StageChange" | "OutboxEvent" | "Member" | "Team":
                return F.created_by == member
            case _:
                return None


@pytest.fixture
def crm(connect: Connect) -> Crm:
    return connect(access=Desk())


@pytest.fixture
def customer(crm: Crm) -> Customer:
    """Li's, with a contact of the boss's and a won deal of wang's."""

    def fill(work: Work) -> Customer:
        made = work.customers.create(
            name="甲", owner_id="li", contacts=[{"name": "王芳", "mobile": "13812345678"}]
        )
        deal = work.opportunities.create(
            name="d", customer_id=made.id, owner_id="wang", pipeline="intent", amount=Money.of("100", "CNY")
        )
        for stage in work.policy.pipeline("intent").path[1:]:
            deal = work.opportunities.move(deal, stage.key)
        return work.customers.get(made.id)

    made = crm.run(fill, by="boss")
    assert Money.of("100", "CNY") == made.won_amount
    return made


def test_nobody_removes_a_customer_whose_deals_they_do_not_see(crm: Crm, customer: Customer) -> None:
    with pytest.raises(StateRefused):
        crm.run(lambda work: work.customers.remove(customer), by="li")
    assert customer == crm.run(lambda work: work.customers.get(customer.id), by="boss")


def test_the_won_amount_is_that_of_all_deals(crm: Crm, customer: Customer) -> None:
    """And the deal is won, though its owner may neither see nor save the customer."""

    def begin(work: Work) -> Opportunity:
        return work.opportunities.create(
            name="e", customer_id=customer.id, owner_id="zhao", pipeline="intent", amount=Money.of("5", "CNY")
        )

    deal = crm.run(begin, by="boss")

    def win(work: Work) -> None:
        with pytest.raises(NotFound):
            work.customers.get(customer.id)
        moved = work.opportunities.get(deal.id)
        for stage in work.policy.pipeline("intent").path[1:]:
            moved = work.opportunities.move(moved, stage.key)

    crm.run(win, by="zhao")
    assert Money.of("105", "CNY") == crm.run(lambda work: work.customers.get(customer.id).won_amount, by="li")


def test_who_did_a_follow_up_has_done_it_whatever_they_may_see(crm: Crm, customer: Customer) -> None:
    def assign(work: Work) -> Id:
        return work.follow_ups.plan(
            customer_id=customer.id, planned_at=work.now() + timedelta(days=1), assignee_id="zhao"
        ).id

    task = crm.run(assign, by="boss")
    crm.run(lambda work: work.follow_ups.complete(task, result="来电"), by="zhao")
    assert 1 == crm.run(lambda work: work.customers.get(customer.id).follow_up_count, by="li")


def test_a_second_contact_is_not_primary_because_the_first_is_hidden(crm: Crm, customer: Customer) -> None:
    def add(work: Work, *, primary: bool) -> Contact:
        return work.contacts.create(
            customer_id=customer.id, name="李强", mobile="13912345678", primary=primary
        )

    assert not crm.run(lambda work: add(work, primary=False), by="li").primary
    assert crm.run(lambda work: add(work, primary=True), by="li").primary
    contacts = crm.run(lambda work: work.customers.contacts(customer), by="boss")
    assert [False, False, True] == sorted(one.primary for one in contacts)


def test_a_contact_that_is_no_longer_primary_is_told_of(crm: Crm, customer: Customer) -> None:
    with crm.begin(by="boss") as work:
        work.contacts.create(customer_id=customer.id, name="李强", mobile="13912345678", primary=True)
        told = work.history.events(F.name == ContactEdited.__name__)
        assert [["primary"]] == [event.data["fields"] for event in told]


def test_a_contact_takes_being_primary_to_another_customer_and_only_one_has_it(
    crm: Crm, customer: Customer
) -> None:
    with crm.begin(by="boss") as work:
        other = work.customers.create(name="乙", contacts=[{"name": "赵六", "mobile": "13712345678"}])
        [moved] = work.customers.contacts(customer)
        work.contacts.edit(moved, customer_id=other.id)
        assert ["王芳"] == [one.name for one in work.customers.contacts(other) if one.primary]


def test_a_reference_to_what_one_may_not_see_is_refused(crm: Crm, customer: Customer) -> None:
    acts: tuple[Callable[[Work], object], ...] = (
        lambda work: work.opportunities.create(name="x", customer_id=customer.id),
        lambda work: work.contacts.create(customer_id=customer.id, name="x", mobile="13912345678"),
        lambda work: work.customers.create(name="x", owner_id="zhao", parent_id=customer.id),
        lambda work: work.follow_ups.plan(customer_id=customer.id, planned_at=work.now()),
    )
    for act in acts:
        with pytest.raises(InvalidValue):
            crm.run(act, by="zhao")


def test_what_is_changed_by_question_is_looked_at_again(crm: Crm, customer: Customer) -> None:
    """Nobody gives away by change() what they could not give away by save()."""
    with pytest.raises(Forbidden), crm.begin(by="li") as work:
        work.repository(Customer).change(F.owner_id == "li", {"owner_id": "zhao"})
    assert customer == crm.run(lambda work: work.customers.get(customer.id), by="li")


def test_many_are_added_within_what_one_may_add(crm: Crm) -> None:
    drafts = [Customer(name=f"客户{n}", owner_id=Id("li" if n < 700 else "wang")) for n in range(701)]
    with pytest.raises(Forbidden):
        crm.run(lambda work: work.customers.create_many(drafts), by="li")
    assert 700 == crm.run(lambda work: work.customers.create_many(drafts[:700]), by="li")


def test_events_are_delivered_whatever_the_outboxs_worker_may_see(connect: Connect) -> None:
    heard: list[str] = []

    class Ear:
        @hookimpl
        def event_committed(self, event: OutboxEvent) -> None:
            heard.append(event.name)

    connect(access=Desk(), plugins=[Ear()]).run(
        lambda work: work.customers.create(name="甲", owner_id="li"), by="li"
    )
    assert ["CustomerCreated"] == heard


class Closed:
    def scope(self, member: Id, entity: str, action: Action) -> Where | None:
        return NOTHING


def test_where_nothing_is_allowed_nothing_is_done(connect: Connect) -> None:
    crm = connect(access=Closed())
    with pytest.raises(Forbidden):
        crm.run(lambda work: work.customers.create(name="甲"), by="li")
    assert (0, 0) == connect().run(lambda work: (work.customers.count(), work.history.count()), by="li")


def test_an_event_tells_of_the_record_as_the_plugins_made_it(connect: Connect) -> None:
    import attrs

    class Assign:
        @hookimpl
        def adding_record(self, record: Any) -> Any:
            if isinstance(record, Customer | Opportunity):
                return attrs.evolve(record, owner_id=Id("wang"))
            return None

        @hookimpl
        def saving_record(self, after: Any) -> None:
            if isinstance(after, Contact) and after.name == "别动":
                raise Refuse("not this one")

    crm = connect(plugins=[Assign()])
    with crm.begin(by="li") as work:
        made = work.customers.create(name="甲", contacts=[{"name": "别动", "mobile": "13812345678"}])
        work.opportunities.create(name="deal")
        told = {event.name: event.data.get("owner_id") for event in work.history.events()}
        assert ("wang", "wang") == (told["CustomerCreated"], told["OpportunityOpened"])
    with pytest.raises(HookRefused):  # also where it loses being primary by a change of many
        crm.run(
            lambda work: work.contacts.create(
                customer_id=made.id, name="李强", mobile="13912345678", primary=True
            ),
            by="li",
        )
