"""
THE mapping: one entry per entity, and all that storage needs to be told about it.

An index names its columns between the tenant, which leads, and the id, which ends it.  Ship few: each costs about 12 µs
per insert on SQLite.  The comment says which list it serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from salescrm.entities import (
    ApprovalRequest,
    ApprovalSubject,
    ChangeEntry,
    Contact,
    Counter,
    Customer,
    FairShares,
    FollowUp,
    Member,
    Notice,
    Opportunity,
    OpportunityLine,
    OutboxEvent,
    OwnershipEntry,
    PoolRun,
    Product,
    Receipt,
    StageChange,
    Team,
    Turn,
)
from salescrm.entities.customers import OWNING
from salescrm.entities.opportunities import MOVING
from salescrm.kinds import Kind
from salescrm.schema import Index, Schema, describe

__all__ = ["schemas"]


def schemas(extra: Mapping[str, Mapping[str, Kind]] = MappingProxyType({})) -> Mapping[str, Schema]:
    """Every schema by collection; *extra* declares the host's custom fields by entity name."""
    made: dict[str, Schema] = {}

    def entity(
        record: type,
        collection: str,
        *indexes: Index,
        find: Iterable[str] = (),
        settled: Iterable[str] = (),
        **references: str,
    ) -> None:
        declared = extra.get(record.__name__, {})
        made[collection] = describe(
            record,
            collection,
            indexes=indexes,
            references=references,
            searchable=find,
            extra_kinds=declared,
            settled=settled,
        )

    entity(Team, "teams", Index(("parent_id",)), parent_id="teams", leader_id="members")
    entity(
        Member,
        "members",
        Index(("team_id", "name")),  # a team's members
        Index(("deputy_id",)),  # for whom a member stands in
        find=("name", "email"),
        team_id="teams",
        manager_id="members",
        deputy_id="members",
    )
    entity(
        Customer,
        "customers",
        Index(("number",), unique=True),
        Index(("owner_id", "updated_at")),  # my customers, newest first
        Index(("updated_at",)),  # all customers, newest first
        Index(("pool_id", "entered_pool_at")),  # a pool's customers, longest there first
        Index(("quiet_since",)),  # who falls by the commonest rule, and who falls next
        Index(("parent_id",)),  # a group of companies
        find=("name", "number", "credit_code"),
        settled=(*OWNING, "transfer_pending"),
        owner_id="members",
        parent_id="customers",
        first_contact_by="members",
    )
    entity(
        Contact,
        "contacts",
        Index(("customer_id", "name")),  # the people of a customer
        Index(("mobile",)),  # who is calling
        find=("name", "mobile", "email", "wechat"),
        customer_id="customers",
    )
    entity(Product, "products", Index(("name",)), find=("name", "code"))
    entity(
        Opportunity,
        "opportunities",
        Index(("number",), unique=True),
        Index(("owner_id", "updated_at")),  # my deals, newest first
        Index(("customer_id", "updated_at")),  # the deals of a customer
        Index(("pipeline", "stage", "amount_currency"), covering=("amount",)),  # the funnel
        Index(("pipeline", "stage", "stage_entered_at")),  # a stage's deals, longest there first
        Index(("updated_at",)),  # all deals, newest first
        find=("name", "number"),
        settled=MOVING,
        customer_id="customers",
        contact_id="contacts",
        owner_id="members",
    )
    entity(
        OpportunityLine,
        "opportunity_lines",
        Index(("opportunity_id",)),
        Index(("product_id",)),
        opportunity_id="opportunities",
        product_id="products",
    )
    entity(
        StageChange,
        "stage_changes",
        Index(("opportunity_id", "at")),  # one deal's history
        opportunity_id="opportunities",
    )
    entity(
        FollowUp,
        "follow_ups",
        Index(("number",), unique=True),
        Index(("assignee_id", "status", "planned_at")),  # what I have to do, soonest first
        Index(("status", "planned_at")),  # what is overdue, whoever should have done it
        Index(("customer_id", "planned_at")),  # a customer's timeline
        Index(("opportunity_id", "planned_at")),
        find=("purpose", "number"),
        settled=("status", "assigned_by", "postponements"),
        customer_id="customers",
        opportunity_id="opportunities",
        contact_id="contacts",
        assignee_id="members",
        assigned_by="members",
    )
    entity(
        OwnershipEntry,
        "ownership",
        Index(("customer_id", "at")),  # who had a customer, and when
        Index(("to_id", "at")),  # what a member took today
        customer_id="customers",
        from_id="members",
        to_id="members",
    )
    entity(
        Notice,
        "notices",
        Index(("member_id", "seen_at", "created_at")),  # what a member has not seen yet, newest first
        member_id="members",
    )
    entity(
        ApprovalRequest,
        "approvals",
        Index(("status", "requested_at")),  # what is still to be decided, longest waiting first
        Index(("requester_id", "requested_at")),  # what I asked for, newest first
        requester_id="members",
    )
    entity(
        ApprovalSubject,
        "approval_subjects",
        Index(("entity", "record_id")),  # what was asked about a record
        Index(("request_id",)),  # what a request is about
        request_id="approvals",
    )
    entity(Turn, "turns")
    entity(PoolRun, "pool_runs")
    entity(FairShares, "fair_shares")
    entity(ChangeEntry, "change_log", Index(("entity", "record_id", "record_version")))  # a record's history
    entity(OutboxEvent, "events", Index(("status", "due_at")))  # what is due to be delivered
    entity(Counter, "counters")
    entity(Receipt, "receipts")
    return MappingProxyType(made)
