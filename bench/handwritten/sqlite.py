"""The limit on SQLite: hand-written code on the bare driver, one open connection, our tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any, Final

import attrs

from bench.handwritten import rows
from bench.handwritten.rows import CUSTOMER_COLUMNS, EVENT_COLUMNS, LOG_COLUMNS, iso, to_json
from bench.material import MEMBER, PIPELINE, TENANT, ZONE, Fields, Ids, owned
from salescrm.entities import Customer
from salescrm.kinds import Extra
from salescrm.money import Money
from salescrm.values import Region

__all__ = ["SqliteDriver", "customer_row"]

_READ: Final = ", ".join(CUSTOMER_COLUMNS[:-1])
_INSERT_CUSTOMER: Final = rows.insert("customers", CUSTOMER_COLUMNS, "?")
_INSERT_LOG: Final = rows.insert("change_log", LOG_COLUMNS, "?")
_INSERT_EVENT: Final = rows.insert("events", EVENT_COLUMNS, "?")
_GET: Final = f"SELECT {_READ} FROM customers WHERE tenant = ? AND id = ?"
_FIRST_PAGE: Final = f"SELECT {_READ} FROM customers WHERE tenant = ? AND owner_id = ? ORDER BY updated_at DESC, id DESC LIMIT 50"
_NEXT_PAGE: Final = (
    f"SELECT {_READ} FROM customers WHERE tenant = ? AND owner_id = ? AND (updated_at, id) < (?, ?) "
    "ORDER BY updated_at DESC, id DESC LIMIT 50"
)
_EDIT: Final = (
    "UPDATE customers SET level = ?, version = ?, updated_at = ?, updated_by = ? "
    "WHERE tenant = ? AND id = ? AND version = ?"
)
_TAKE_BLOCK: Final = (
    "INSERT INTO counters (id, tenant, version, created_at, created_by, updated_at, updated_by, upcoming) "
    "VALUES (?, ?, 1, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET upcoming = upcoming + ?, "
    "version = version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by RETURNING upcoming"
)
_FUNNEL: Final = (
    "SELECT stage, amount_currency, count(*), sum(amount) FROM opportunities WHERE tenant = ? AND pipeline = ? "
    "GROUP BY stage, amount_currency ORDER BY stage, amount_currency"
)


class SqliteDriver:
    """A contender on the sqlite3 module."""

    name = "driver"

    def __init__(self, path: str, clock: Callable[[], datetime], ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._numbers: Iterator[int] = iter(())
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._execute = self._connection.cursor().execute

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._execute("ROLLBACK")
            raise
        self._execute("COMMIT")

    def _number(self, now: datetime) -> str:
        running = next(self._numbers, None)
        if running is None:
            self._numbers = iter(self._take(now, 20))
            running = next(self._numbers)
        return f"C{now.astimezone(ZONE):%Y%m%d}{running:03}"

    def _take(self, now: datetime, count: int) -> range:
        """The next *count* running numbers of the day."""
        at = iso(now)
        series = f"C{now.astimezone(ZONE):%Y%m%d}"
        parameters = (series, TENANT, at, MEMBER, at, MEMBER, 1 + count, count)
        upcoming = self._execute(_TAKE_BLOCK, parameters).fetchall()[0][0]
        return range(upcoming - count, upcoming)

    def create(self, fields: Fields) -> Customer:
        now = self._clock()
        id = self._ids(now)
        with self._transaction():
            customer = Customer(
                id=id,
                tenant=TENANT,
                version=1,
                created_at=now,
                created_by=MEMBER,
                updated_at=now,
                updated_by=MEMBER,
                number=self._number(now),
                **owned(now, fields),
                **fields,
            )
            self._execute(_INSERT_CUSTOMER, customer_row(customer))
            self._tell(
                now, customer, "added", rows.changes(customer), "CustomerCreated", rows.created(customer)
            )
        return customer

    def _tell(
        self, now: datetime, customer: Customer, kind: str, changes: object, event: str, data: object
    ) -> None:
        at = iso(now)
        self._execute(_INSERT_LOG, self._log_row(at, self._ids(now), customer, kind, changes))
        self._execute(_INSERT_EVENT, self._event_row(at, self._ids(now), customer, event, data))

    def _log_row(self, at: str, id: str, customer: Customer, kind: str, changes: object) -> tuple[Any, ...]:
        stamps = (id, TENANT, 1, at, MEMBER, at, MEMBER)
        return (*stamps, "customers", customer.id, kind, customer.version, to_json(changes))

    def _event_row(self, at: str, id: str, customer: Customer, event: str, data: object) -> tuple[Any, ...]:
        stamps = (id, TENANT, 1, at, MEMBER, at, MEMBER)
        return (*stamps, event, "customers", customer.id, to_json(data), "pending", at, None, 0, None)

    def create_many(self, drafts: Sequence[Fields]) -> None:
        now = self._clock()
        at = iso(now)
        customers, log, events = [], [], []
        day = f"C{now.astimezone(ZONE):%Y%m%d}"
        for running, fields in zip(self._take(now, len(drafts)), drafts, strict=True):
            customer = Customer(
                id=self._ids(now),
                tenant=TENANT,
                version=1,
                created_at=now,
                created_by=MEMBER,
                updated_at=now,
                updated_by=MEMBER,
                number=f"{day}{running:03}",
                **owned(now, fields),
                **fields,
            )
            customers.append(customer_row(customer))
            log.append(self._log_row(at, self._ids(now), customer, "added", rows.changes(customer)))
            created = rows.created(customer)
            events.append(self._event_row(at, self._ids(now), customer, "CustomerCreated", created))
        with self._transaction():
            self._connection.executemany(_INSERT_CUSTOMER, customers)
            self._connection.executemany(_INSERT_LOG, log)
            self._connection.executemany(_INSERT_EVENT, events)

    def get(self, id: str) -> Customer:
        return customer_of(self._execute(_GET, (TENANT, id)).fetchone())

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], Customer]]:
        yield self.get

    def pages(self, owner: str) -> Iterator[Sequence[Customer]]:
        found = self._execute(_FIRST_PAGE, (TENANT, owner)).fetchall()
        while found:
            page = [customer_of(row) for row in found]
            yield page
            last = page[-1]
            found = self._execute(_NEXT_PAGE, (TENANT, owner, iso(last.updated_at), last.id)).fetchall()

    def edit(self, customer: Customer, level: str) -> Customer:
        now = self._clock()
        after = attrs.evolve(
            customer, level=level, version=customer.version + 1, updated_at=now, updated_by=MEMBER
        )
        new = (level, after.version, iso(now), MEMBER)
        with self._transaction():
            if self._execute(_EDIT, (*new, TENANT, customer.id, customer.version)).rowcount != 1:
                raise LookupError(customer.id)
            changes = {"level": [customer.level, level]}
            self._tell(now, after, "saved", changes, "CustomerEdited", {"fields": ["level"]})
        return after

    def funnel(self) -> list[tuple[Any, ...]]:
        return self._execute(_FUNNEL, (TENANT, PIPELINE)).fetchall()

    def close(self) -> None:
        self._connection.close()


def customer_row(c: Customer) -> tuple[Any, ...]:
    """*c* in the order of `CUSTOMER_COLUMNS`."""
    revenue, won, low, high = c.annual_revenue, c.won_amount, c.budget_low, c.budget_high
    # fmt: off
    return (
        c.id, c.tenant, c.version, iso(c.created_at), c.created_by, iso(c.updated_at), c.updated_by, c.number,
        c.kind, c.name, c.industry, c.size,
        None if revenue is None else revenue.minor, None if revenue is None else revenue.currency,
        c.founded_year, c.region.province, c.region.city, c.region.district, c.address, c.website, c.main_business,
        c.credit_code, c.parent_id, c.source, c.channel, c.level, c.lifecycle,
        to_json(c.tags) if c.tags else "[]", c.owner_id,
        to_json(rows.nested(c.collaborators)) if c.collaborators else "[]",
        None if c.first_contact_at is None else iso(c.first_contact_at), c.first_contact_by,
        None if c.first_deal_at is None else iso(c.first_deal_at),
        None if c.last_deal_at is None else iso(c.last_deal_at),
        None if won is None else won.minor, None if won is None else won.currency,
        to_json(c.products_bought) if c.products_bought else "[]", to_json(c.interests) if c.interests else "[]",
        c.preferences, c.core_needs,
        None if low is None else low.minor, None if low is None else low.currency,
        None if high is None else high.minor, None if high is None else high.currency,
        None if c.purchase_deadline is None else c.purchase_deadline.isoformat(),
        to_json(rows.nested(c.key_dates)) if c.key_dates else "[]", c.notes,
        None if c.last_follow_up_at is None else iso(c.last_follow_up_at), c.follow_up_count,
        c.open_opportunities, None if c.contract_ends_on is None else c.contract_ends_on.isoformat(),
        c.has_receivables, c.pool_id, None if c.entered_pool_at is None else iso(c.entered_pool_at),
        None if c.owned_since is None else iso(c.owned_since),
        None if c.quiet_since is None else iso(c.quiet_since),
        None if c.stuck_since is None else iso(c.stuck_since),
        None if c.dealless_since is None else iso(c.dealless_since),
        None if c.protected_until is None else iso(c.protected_until),
        None if c.shared_until is None else iso(c.shared_until), c.transfer_pending,
        None if c.birth_date is None else c.birth_date.isoformat(), c.occupation, c.residence, c.emergency_contact,
        to_json(c.extra) if c.extra else "{}", rows.fold(c),
    )
    # fmt: on


def customer_of(row: Sequence[Any]) -> Customer:
    """The customer of one row."""
    # fmt: off
    (
        id, tenant, version, created_at, created_by, updated_at, updated_by, number, kind, name, industry,
        size, annual_revenue, annual_revenue_currency, founded_year, region_province, region_city,
        region_district, address, website, main_business, credit_code, parent_id, source, channel, level,
        lifecycle, tags, owner_id, collaborators, first_contact_at, first_contact_by, first_deal_at,
        last_deal_at, won_amount, won_amount_currency, products_bought, interests, preferences, core_needs,
        budget_low, budget_low_currency, budget_high, budget_high_currency, purchase_deadline, key_dates, notes,
        last_follow_up_at, follow_up_count, open_opportunities, contract_ends_on, has_receivables, pool_id,
        entered_pool_at, owned_since, quiet_since, stuck_since, dealless_since, protected_until, shared_until,
        transfer_pending, birth_date, occupation, residence, emergency_contact, extra,
    ) = row
    return Customer(
        id=id, tenant=tenant, version=version, created_at=datetime.fromisoformat(created_at),
        created_by=created_by, updated_at=datetime.fromisoformat(updated_at), updated_by=updated_by,
        number=number, kind=kind, name=name, industry=industry, size=size,
        annual_revenue=None if annual_revenue is None else Money(annual_revenue, annual_revenue_currency),
        founded_year=founded_year, region=Region(region_province, region_city, region_district),
        address=address, website=website, main_business=main_business, credit_code=credit_code,
        parent_id=parent_id, source=source, channel=channel, level=level, lifecycle=lifecycle,
        tags=() if tags == "[]" else tuple(json.loads(tags)), owner_id=owner_id,
        collaborators=tuple(map(rows.collaborator, json.loads(collaborators))) if collaborators != "[]" else (),
        first_contact_at=None if first_contact_at is None else datetime.fromisoformat(first_contact_at),
        first_contact_by=first_contact_by,
        first_deal_at=None if first_deal_at is None else datetime.fromisoformat(first_deal_at),
        last_deal_at=None if last_deal_at is None else datetime.fromisoformat(last_deal_at),
        won_amount=None if won_amount is None else Money(won_amount, won_amount_currency),
        products_bought=() if products_bought == "[]" else tuple(json.loads(products_bought)),
        interests=() if interests == "[]" else tuple(json.loads(interests)), preferences=preferences,
        core_needs=core_needs,
        budget_low=None if budget_low is None else Money(budget_low, budget_low_currency),
        budget_high=None if budget_high is None else Money(budget_high, budget_high_currency),
        purchase_deadline=None if purchase_deadline is None else date.fromisoformat(purchase_deadline),
        key_dates=tuple(map(rows.key_date, json.loads(key_dates))) if key_dates != "[]" else (), notes=notes,
        last_follow_up_at=None if last_follow_up_at is None else datetime.fromisoformat(last_follow_up_at),
        follow_up_count=follow_up_count, open_opportunities=open_opportunities,
        contract_ends_on=None if contract_ends_on is None else date.fromisoformat(contract_ends_on),
        has_receivables=bool(has_receivables), pool_id=pool_id,
        entered_pool_at=None if entered_pool_at is None else datetime.fromisoformat(entered_pool_at),
        owned_since=None if owned_since is None else datetime.fromisoformat(owned_since),
        quiet_since=None if quiet_since is None else datetime.fromisoformat(quiet_since),
        stuck_since=None if stuck_since is None else datetime.fromisoformat(stuck_since),
        dealless_since=None if dealless_since is None else datetime.fromisoformat(dealless_since),
        protected_until=None if protected_until is None else datetime.fromisoformat(protected_until),
        shared_until=None if shared_until is None else datetime.fromisoformat(shared_until),
        transfer_pending=bool(transfer_pending),
        birth_date=None if birth_date is None else date.fromisoformat(birth_date), occupation=occupation,
        residence=residence, emergency_contact=emergency_contact,
        extra=Extra(json.loads(extra)) if extra != "{}" else Extra(),
    )
    # fmt: on
