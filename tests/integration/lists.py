"""The lists that the services and the entities' named questions imply, each with the index it is to come out of, and records to ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import attrs

import salescrm
from salescrm import Crm, F, Work
from salescrm.calendars import WeekCalendar
from salescrm.entities import (
    ApprovalRequest,
    ApprovalSubject,
    ChangeEntry,
    Customer,
    Notice,
    OutboxEvent,
    OwnershipEntry,
)
from salescrm.entities.approvals import pending
from salescrm.entities.customers import owned_by, quiet_for, unowned
from salescrm.entities.follow_ups import overdue, planned_for
from salescrm.entities.opportunities import of_customer, open_ones
from salescrm.entities.people import deputising, in_team
from salescrm.entities.pools import entries_of, unseen_by
from salescrm.labels import Label
from salescrm.outbox import lease
from salescrm.policy import ClaimLimits, Policy, Pool, RecycleRule
from salescrm.query import Tally, Where, count, total
from salescrm.rules.recycling import will_fall
from salescrm.services.claimers import Claimers
from salescrm.testing import START, Maker
from salescrm.testing.asking import Asking
from salescrm.values import Id

__all__ = ["LISTS", "POLICY", "Ask", "Listing", "seed"]

SEA: Final = Pool(
    key="sea",
    label=Label("Sea", "公海"),
    everyone=True,
    claims=ClaimLimits(daily=5, weekly=20),
    rules=(RecycleRule(key="quiet", label=Label("quiet", "久未跟进"), anchor="no_follow_up", limit=30),),
)
#: What the lists are asked under.
POLICY: Final = Policy(pools=(SEA,))

#: What a list is asked with: a Work, and the cursor of the page before.
Ask = Callable[[Work, str | None], Any]


@attrs.frozen
class Listing:
    """One list, and the index that it comes out of, or the indexes that serve it equally well."""

    ask: Ask
    index: str | tuple[str, ...]
    #: The index alone answers it, without a look at a record.
    index_only: bool = False
    #: An index leads to the records, which then are sorted or regrouped.
    sorts: bool = False
    #: A tally or a change; MongoDB's plans are looked at for plain finds only.
    plain: bool = True


def tonight(work: Work) -> Where:
    """Who falls in the run of this day."""
    return will_fall([SEA], SEA, work.today, zone=work.zone, calendars=lambda _: WeekCalendar())


LISTS: Final[dict[str, Listing]] = {
    # Customers and who is there.
    "my customers, newest first": Listing(
        lambda work, after: work.customers.find(owned_by(Id("m3")), order=[-F.updated_at], after=after),
        "ix_customers_owner_id_updated_at",
    ),
    "customers that nobody owns, newest first": Listing(
        lambda work, after: work.customers.find(unowned(), order=[-F.updated_at], after=after),
        # To PostgreSQL "is null" is not a constant that an order may lean on: of many it walks through the newest.
        ("ix_customers_owner_id_updated_at", "ix_customers_updated_at"),
        sorts=True,
    ),
    "my customers that have been quiet": Listing(
        lambda work, after: work.customers.find(
            owned_by(Id("m3")) & quiet_for(30), order=[-F.updated_at], after=after
        ),
        ("ix_customers_owner_id_updated_at", "ix_customers_quiet_since"),  # whichever leaves less
        sorts=True,
    ),
    "all customers, newest first": Listing(
        lambda work, after: work.customers.find(order=[-F.updated_at], after=after),
        "ix_customers_updated_at",
    ),
    "the daughters of a company": Listing(
        lambda work, after: work.customers.find(F.parent_id == "c7", limit=3, after=after),
        "ix_customers_parent_id",
    ),
    "a customer by number": Listing(
        lambda work, after: work.customers.find(F.number == "C0000042"), "uq_customers_number", sorts=True
    ),
    "a customer's contacts, by name": Listing(
        lambda work, after: work.contacts.of(Id("c7")), "ix_contacts_customer_id_name"
    ),
    "a page of a customer's contacts": Listing(
        lambda work, after: work.contacts.find(F.customer_id == "c7", order=[F.name], limit=3, after=after),
        "ix_contacts_customer_id_name",
    ),
    "who is calling": Listing(
        lambda work, after: work.contacts.find(F.mobile == "+8613800000042"), "ix_contacts_mobile"
    ),
    "a team's members, by name": Listing(
        lambda work, after: work.members.of_team(Id("t1")), "ix_members_team_id_name"
    ),
    "a team's active members": Listing(
        lambda work, after: work.members.find(in_team(Id("t1")), order=[F.name], limit=9, after=after),
        "ix_members_team_id_name",
    ),
    "products, by name": Listing(
        lambda work, after: work.products.find(order=[F.name], after=after), "ix_products_name"
    ),
    # Pools. Whom a rule with another anchor than follow-ups lets fall is read from end to end, once a night.
    "a pool's customers, longest there first": Listing(
        lambda work, after: work.pools.find("sea", after=after), "ix_customers_pool_id_entered_pool_at"
    ),
    "who has had a customer": Listing(
        lambda work, after: work.unscoped(OwnershipEntry).find(
            entries_of(Id("c7")), order=[F.at], after=after
        ),
        "ix_ownership_customer_id_at",
    ),
    "how many customers a member owns, for the cap": Listing(
        lambda work, after: work.unscoped(Customer).count(owned_by(Id("m3"))),
        "ix_customers_owner_id_updated_at",
        index_only=True,
        plain=False,
    ),
    "how many a member claimed today and this week": Listing(
        lambda work, after: Claimers(work)._claimed(Id("m3"), SEA),
        "ix_ownership_to_id_at",
        plain=False,
    ),
    "when a member last owned a customer": Listing(
        lambda work, after: Claimers(work)._owned_until(
            Maker().member(id=Id("m3")), SEA, [Id("c7"), Id("c8")]
        ),
        "ix_ownership_customer_id_at",
        sorts=True,
        plain=False,
    ),
    "whom a night lets fall": Listing(
        lambda work, after: work.unscoped(Customer).count(tonight(work)),
        "ix_customers_quiet_since",
        plain=False,
    ),
    "what of a member's will fall": Listing(
        lambda work, after: work.pools.outlook(member="m3", days=3),
        "ix_customers_owner_id_updated_at",
        plain=False,
    ),
    "what a member has not seen yet, newest first": Listing(
        lambda work, after: work.repository(Notice).find(
            unseen_by(Id("m3")), order=[-F.created_at], limit=3, after=after
        ),
        "ix_notices_member_id_seen_at_created_at",
        sorts=True,  # see above
    ),
    # Deals.
    "my deals, newest first": Listing(
        lambda work, after: work.opportunities.find(F.owner_id == "m3", order=[-F.updated_at], after=after),
        "ix_opportunities_owner_id_updated_at",
    ),
    "my open deals": Listing(
        lambda work, after: work.opportunities.find(
            owned_by(Id("m3")) & open_ones(), order=[-F.updated_at], after=after
        ),
        "ix_opportunities_owner_id_updated_at",
    ),
    "a customer's deals, newest first": Listing(
        lambda work, after: work.opportunities.find(
            of_customer(Id("c7")), order=[-F.updated_at], limit=3, after=after
        ),
        "ix_opportunities_customer_id_updated_at",
    ),
    "how many deals a customer has": Listing(
        lambda work, after: work.opportunities.count(of_customer(Id("c7"))),
        "ix_opportunities_customer_id_updated_at",
        index_only=True,
        plain=False,
    ),
    "all deals, newest first": Listing(
        lambda work, after: work.opportunities.find(order=[-F.updated_at], after=after),
        "ix_opportunities_updated_at",
    ),
    "a deal by number": Listing(
        lambda work, after: work.opportunities.find(F.number == "O0000042"),
        "uq_opportunities_number",
        sorts=True,
    ),
    "a stage's deals, longest there first": Listing(
        lambda work, after: work.opportunities.find(
            (F.pipeline == "standard") & (F.stage == "proposal"), order=[F.stage_entered_at], after=after
        ),
        "ix_opportunities_pipeline_stage_stage_entered_at",
    ),
    "stalled deals": Listing(
        lambda work, after: work.opportunities.find(
            work.opportunities.stalled("standard"), order=[F.stage_entered_at], after=after
        ),
        "ix_opportunities_pipeline_stage_stage_entered_at",
        sorts=True,
    ),
    "the funnel": Listing(
        lambda work, after: work.opportunities.tally(
            Tally(
                by=[F.stage, F.amount.currency],
                measures=[count(), total(F.amount)],
                where=F.pipeline == "standard",
            )
        ),
        "ix_opportunities_pipeline_stage_amount_currency",
        index_only=True,
        plain=False,
    ),
    "a deal's lines": Listing(
        lambda work, after: work.opportunities.lines.of(Id("o7")), "ix_opportunity_lines_opportunity_id"
    ),
    "the lines of a product": Listing(
        lambda work, after: work.opportunities.lines.find(F.product_id == "p7", limit=3, after=after),
        "ix_opportunity_lines_product_id",
    ),
    "a deal's stages": Listing(
        lambda work, after: work.opportunities.history(Id("o7")), "ix_stage_changes_opportunity_id_at"
    ),
    # Follow-ups.
    "what I have to do, soonest first": Listing(
        lambda work, after: work.follow_ups.find(planned_for(Id("m3")), order=[F.planned_at], after=after),
        "ix_follow_ups_assignee_id_status_planned_at",
    ),
    "what I should have done, longest overdue first": Listing(
        lambda work, after: work.follow_ups.find(
            planned_for(Id("m3")) & overdue(), order=[F.planned_at], after=after
        ),
        "ix_follow_ups_assignee_id_status_planned_at",
    ),
    "what is overdue, longest first": Listing(
        lambda work, after: work.follow_ups.find(overdue(), order=[F.planned_at], after=after),
        "ix_follow_ups_status_planned_at",
    ),
    "a customer's timeline, latest first": Listing(
        lambda work, after: work.follow_ups.find(
            F.customer_id == "c7", order=[-F.planned_at], limit=3, after=after
        ),
        "ix_follow_ups_customer_id_planned_at",
    ),
    "a deal's timeline": Listing(
        lambda work, after: work.follow_ups.find(
            F.opportunity_id == "o7", order=[-F.planned_at], limit=3, after=after
        ),
        "ix_follow_ups_opportunity_id_planned_at",
    ),
    # Approvals.
    "what is still to be decided, longest waiting first": Listing(
        lambda work, after: work.approvals.find(pending(), order=[F.requested_at], after=after),
        "ix_approvals_status_requested_at",
    ),
    "what I asked for, newest first": Listing(
        lambda work, after: work.approvals.find(F.requester_id == "m3", order=[-F.requested_at], after=after),
        "ix_approvals_requester_id_requested_at",
    ),
    "what was asked for about a customer": Listing(
        lambda work, after: work.repository(ApprovalSubject).find(
            (F.entity == "customers") & (F.record_id == "c7"), limit=3, after=after
        ),
        "ix_approval_subjects_entity_record_id",
    ),
    "what a request is about": Listing(
        lambda work, after: work.repository(ApprovalSubject).find(F.request_id == "a7", limit=3, after=after),
        "ix_approval_subjects_request_id",
    ),
    "for whom I stand in": Listing(
        lambda work, after: work.members.find(deputising(Id("m3")), limit=3, after=after),
        "ix_members_deputy_id",
    ),
    # What the library keeps.
    "a record's history": Listing(
        lambda work, after: work.history.of(Maker().customer(id=Id("c7"))),
        "ix_change_log_entity_record_id_record_version",
    ),
    "events that are due, longest first": Listing(
        lambda work, after: lease(work, limit=20),
        ("ix_events_status_due_at", "pk_events"),
        plain=False,
    ),
    "the outbox, oldest first": Listing(
        lambda work, after: work.history.events(limit=50, after=after), "pk_events"
    ),
}


def records(maker: Maker, many: int) -> Iterator[list[Any]]:
    """*many* records of each kind, spread over owners, customers, stages and time; fewer members and products."""
    members, customers = [Id(f"m{n}") for n in range(many // 5)], [Id(f"c{n}") for n in range(many // 10)]
    sellers = members[:40]
    deals, products = [Id(f"o{n}") for n in range(many // 10)], [Id(f"p{n}") for n in range(many // 20)]
    stages = ["initial_contact", "needs_analysis", "proposal", "negotiation", "contract_signed", "paid"]
    yield [
        maker.member(id=one, team_id=f"t{n % 50}", name=f"Name {n}", deputy_id=members[n % 40])
        for n, one in enumerate(members)
    ]
    yield [maker.product(id=one) for one in products]

    def at(n: int) -> Any:
        # Neither in the order of the ids nor in that of anything else.
        return START - timedelta(minutes=n * 7919 % 40_009)

    def in_sea(since: Any) -> dict[str, Any]:
        return {"owner_id": None, "pool_id": "sea", "entered_pool_at": since}

    def of(found: list[Id], n: int, step: int) -> Id:
        return found[n * step % len(found)]

    ids = [*customers, *(Id(f"x{n}") for n in range(many - len(customers)))]
    yield [
        maker.customer(
            id=ids[n], updated_at=at(n), parent_id=None if n % 4 else of(customers, n, 3), **in_sea(at(n * 5))
        )
        if n % 50 == 0
        else maker.customer(
            id=ids[n],
            updated_at=at(n),
            owner_id=of(sellers, n, 7),
            quiet_since=at(n * 5) - timedelta(days=4),
            parent_id=None if n % 4 else of(customers, n, 3),
        )
        for n in range(many)
    ]
    yield [
        maker.contact(customer_id=of(customers, n, 3), name=f"Name {n * 31 % many}", mobile=f"+86138{n:08}")
        for n in range(many)
    ]
    ids = [*deals, *(Id(f"y{n}") for n in range(many - len(deals)))]
    yield [
        maker.opportunity(
            id=ids[n], owner_id=of(sellers, n, 7), customer_id=of(customers, n, 3), updated_at=at(n),
            stage=stages[n % 6], stage_entered_at=at(n * 3), pipeline="standard" if n % 3 else "status",
            amount=None if n % 4 == 0 else salescrm.Money(n, "CNY"), needs="as people write " * 20,
        )
        for n in range(many)
    ]  # fmt: skip
    yield [maker.line(opportunity_id=of(deals, n, 3), product_id=of(products, n, 11)) for n in range(many)]
    yield [maker.stage_change(opportunity_id=of(deals, n, 3), at=at(n)) for n in range(many)]
    yield [
        maker.follow_up(
            customer_id=of(customers, n, 3), opportunity_id=of(deals, n, 3), assignee_id=of(sellers, n, 7),
            status=["planned", "done", "done", "cancelled"][n // 7 % 4], planned_at=at(n) + timedelta(days=14),
        )
        for n in range(many)
    ]  # fmt: skip
    yield [
        OwnershipEntry(
            id=maker.id(), created_at=at(n), updated_at=at(n), customer_id=of(customers, n, 3), kind="claimed",
            at=at(n), from_id=of(sellers, n, 3), to_id=of(sellers, n, 7), pool="sea", version=1,
        )
        for n in range(many)
    ]  # fmt: skip
    yield [
        Notice(
            id=maker.id(), created_at=at(n), updated_at=at(n), member_id=of(sellers, n, 7), kind="recycled",
            entity="customers", record_id=of(customers, n, 3), data={}, seen_at=None if n % 9 == 0 else at(n), version=1,
        )
        for n in range(many)
    ]  # fmt: skip
    yield [
        ApprovalRequest(
            id=Id(f"a{n}"), version=1, act="transfer", flow="move", policy_version=1, entity="customers", data={},
            requester_id=of(sellers, n, 7), requested_at=at(n), status="approved" if n % 50 else "pending",
            waiting_for=() if n % 50 else (of(sellers, n // 50, 1),),
        )
        for n in range(many)
    ]  # fmt: skip
    yield [
        ApprovalSubject(
            id=maker.id(),
            version=1,
            request_id=Id(f"a{n // 3}"),
            entity="customers",
            record_id=of(customers, n, 3),
        )
        for n in range(many)
    ]
    yield [
        ChangeEntry(
            id=maker.id(), version=1, created_at=at(n), updated_at=at(n), entity="customers",
            record_id=of(customers, n, 3), kind="saved", record_version=n % 9, changes={},
        )
        for n in range(many)
    ]  # fmt: skip
    yield [
        OutboxEvent(
            id=maker.id(), version=1, created_at=at(n), updated_at=at(n), name="CustomerEdited", entity="customers",
            record_id=of(customers, n, 3), data={}, status="delivered" if n % 50 else "pending", due_at=at(n),
        )
        for n in range(many)
    ]  # fmt: skip


def seed(crm: Crm, many: int) -> None:
    """Brings *crm* to its tables and fills them with *many* records of each kind."""
    crm.migrate()
    for batch in records(Maker(), many):
        with crm.begin(by="li") as work:
            Asking(work.reading(), crm.kit.schemas, crm.kit.checker, work.context).add(*batch)
