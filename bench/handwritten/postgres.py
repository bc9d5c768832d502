"""The limit on PostgreSQL: hand-written code on psycopg 3, one open connection in autocommit, our tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import attrs
import psycopg

from bench.handwritten import rows
from bench.handwritten.rows import CUSTOMER_COLUMNS, EVENT_COLUMNS, LOG_COLUMNS, to_json
from bench.material import MEMBER, PIPELINE, TENANT, ZONE, Fields, Ids, owned
from salescrm.entities import Customer
from salescrm.kinds import Extra
from salescrm.money import Money
from salescrm.values import Region

__all__ = ["PostgresDriver"]

_READ: Final = ", ".join(CUSTOMER_COLUMNS[:-1])
_INSERT_CUSTOMER: Final = rows.insert("customers", CUSTOMER_COLUMNS, "%s")
_INSERT_LOG: Final = rows.insert("change_log", LOG_COLUMNS, "%s")
_INSERT_EVENT: Final = rows.insert("events", EVENT_COLUMNS, "%s")
_GET: Final = f"SELECT {_READ} FROM customers WHERE tenant = %s AND id = %s"
_FIRST_PAGE: Final = f"SELECT {_READ} FROM customers WHERE tenant = %s AND owner_id = %s ORDER BY updated_at DESC, id DESC LIMIT 50"
_NEXT_PAGE: Final = (
    f"SELECT {_READ} FROM customers WHERE tenant = %s AND owner_id = %s AND (updated_at, id) < (%s, %s) "
    "ORDER BY updated_at DESC, id DESC LIMIT 50"
)
_EDIT: Final = (
    "UPDATE customers SET level = %s, version = %s, updated_at = %s, updated_by = %s "
    "WHERE tenant = %s AND id = %s AND version = %s"
)
_TAKE_BLOCK: Final = (
    "INSERT INTO counters (id, tenant, version, created_at, created_by, updated_at, updated_by, upcoming) "
    "VALUES (%s, %s, 1, %s, %s, %s, %s, %s) ON CONFLICT (tenant, id) DO UPDATE SET upcoming = counters.upcoming + %s, "
    "version = counters.version + 1, updated_at = excluded.updated_at, updated_by = excluded.updated_by RETURNING upcoming"
)
_FUNNEL: Final = (
    "SELECT stage, amount_currency, count(*), sum(amount) FROM opportunities WHERE tenant = %s AND pipeline = %s "
    "GROUP BY stage, amount_currency ORDER BY stage, amount_currency"
)


class PostgresDriver:
    """A contender on psycopg."""

    name = "driver"

    def __init__(self, url: str, clock: Callable[[], datetime], ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._numbers: Iterator[int] = iter(())
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET TIME ZONE 'UTC'")
        self._execute = self._connection.execute

    def _number(self, now: datetime) -> str:
        running = next(self._numbers, None)
        if running is None:
            self._numbers = iter(self._take(now, 20))
            running = next(self._numbers)
        return f"C{now.astimezone(ZONE):%Y%m%d}{running:03}"

    def _take(self, now: datetime, count: int) -> range:
        """The next *count* running numbers of the day."""
        at = now
        series = f"C{now.astimezone(ZONE):%Y%m%d}"
        parameters = (series, TENANT, at, MEMBER, at, MEMBER, 1 + count, count)
        upcoming = self._execute(_TAKE_BLOCK, parameters).fetchall()[0][0]
        return range(upcoming - count, upcoming)

    def create(self, fields: Fields) -> Customer:
        now = self._clock()
        customer = Customer(
            id=self._ids(now),
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
        with self._connection.transaction():
            self._execute(_INSERT_CUSTOMER, customer_row(customer))
            self._tell(
                now, customer, "added", rows.changes(customer), "CustomerCreated", rows.created(customer)
            )
        return customer

    def _tell(
        self, now: datetime, customer: Customer, kind: str, changes: object, event: str, data: object
    ) -> None:
        self._execute(_INSERT_LOG, self._log_row(now, self._ids(now), customer, kind, changes))
        self._execute(_INSERT_EVENT, self._event_row(now, self._ids(now), customer, event, data))

    def _log_row(
        self, at: datetime, id: str, customer: Customer, kind: str, changes: object
    ) -> tuple[Any, ...]:
        stamps = (id, TENANT, 1, at, MEMBER, at, MEMBER)
        return (*stamps, "customers", customer.id, kind, customer.version, to_json(changes))

    def _event_row(
        self, at: datetime, id: str, customer: Customer, event: str, data: object
    ) -> tuple[Any, ...]:
        stamps = (id, TENANT, 1, at, MEMBER, at, MEMBER)
        return (*stamps, event, "customers", customer.id, to_json(data), "pending", at, None, 0, None)

    def create_many(self, drafts: Sequence[Fields]) -> None:
        now = self._clock()
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
            log.append(self._log_row(now, self._ids(now), customer, "added", rows.changes(customer)))
            created = rows.created(customer)
            events.append(self._event_row(now, self._ids(now), customer, "CustomerCreated", created))
        with self._connection.transaction():
            self._copy("customers", CUSTOMER_COLUMNS, customers)
            self._copy("change_log", LOG_COLUMNS, log)
            self._copy("events", EVENT_COLUMNS, events)

    def _copy(self, table: str, columns: list[str], made: Sequence[tuple[Any, ...]]) -> None:
        text = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self._connection.cursor().copy(text) as copy:
            for row in made:
                copy.write_row(row)

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
            found = self._execute(_NEXT_PAGE, (TENANT, owner, last.updated_at, last.id)).fetchall()

    def edit(self, customer: Customer, level: str) -> Customer:
        now = self._clock()
        after = attrs.evolve(
            customer, level=level, version=customer.version + 1, updated_at=now, updated_by=MEMBER
        )
        new = (level, after.version, now, MEMBER)
        with self._connection.transaction():
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
        c.id, c.tenant, c.version, c.created_at, c.created_by, c.updated_at, c.updated_by, c.number,
        c.kind, c.name, c.industry, c.size,
        None if revenue is None else revenue.minor, None if revenue is None else revenue.currency,
        c.founded_year, c.region.province, c.region.city, c.region.district, c.address, c.website, c.main_business,
        c.credit_code, c.parent_id, c.source, c.channel, c.level, c.lifecycle, list(c.tags), c.owner_id,
        to_json(rows.nested(c.collaborators)) if c.collaborators else "[]",
        c.first_contact_at, c.first_contact_by, c.first_deal_at, c.last_deal_at,
        None if won is None else won.minor, None if won is None else won.currency,
        list(c.products_bought), list(c.interests), c.preferences, c.core_needs,
        None if low is None else low.minor, None if low is None else low.currency,
        None if high is None else high.minor, None if high is None else high.currency,
        c.purchase_deadline, to_json(rows.nested(c.key_dates)) if c.key_dates else "[]", c.notes,
        c.last_follow_up_at, c.follow_up_count, c.open_opportunities, c.contract_ends_on, c.has_receivables,
        c.pool_id, c.entered_pool_at, c.owned_since, c.quiet_since, c.stuck_since, c.dealless_since,
        c.protected_until, c.shared_until, c.transfer_pending,
        c.birth_date, c.occupation, c.residence, c.emergency_contact,
        to_json(c.extra) if c.extra else "{}", rows.fold(c),
    )
    # fmt: on


def customer_of(row: Any) -> Customer:
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
        id=id, tenant=tenant, version=version, created_at=created_at, created_by=created_by,
        updated_at=updated_at, updated_by=updated_by, number=number, kind=kind, name=name, industry=industry,
        size=size,
        annual_revenue=None if annual_revenue is None else Money(annual_revenue, annual_revenue_currency),
        founded_year=founded_year, region=Region(region_province, region_city, region_district),
        address=address, website=website, main_business=main_business, credit_code=credit_code,
        parent_id=parent_id, source=source, channel=channel, level=level, lifecycle=lifecycle,
        tags=tuple(tags), owner_id=owner_id,
        collaborators=tuple(map(rows.collaborator, collaborators)) if collaborators else (),
        first_contact_at=first_contact_at, first_contact_by=first_contact_by, first_deal_at=first_deal_at, last_deal_at=last_deal_at,
        won_amount=None if won_amount is None else Money(won_amount, won_amount_currency),
        products_bought=tuple(products_bought), interests=tuple(interests), preferences=preferences,
        core_needs=core_needs,
        budget_low=None if budget_low is None else Money(budget_low, budget_low_currency),
        budget_high=None if budget_high is None else Money(budget_high, budget_high_currency),
        purchase_deadline=purchase_deadline, key_dates=tuple(map(rows.key_date, key_dates)) if key_dates else (),
        notes=notes,
        last_follow_up_at=last_follow_up_at, follow_up_count=follow_up_count,
        open_opportunities=open_opportunities, contract_ends_on=contract_ends_on, has_receivables=has_receivables,
        pool_id=pool_id, entered_pool_at=entered_pool_at, owned_since=owned_since, quiet_since=quiet_since,
        stuck_since=stuck_since, dealless_since=dealless_since, protected_until=protected_until,
        shared_until=shared_until, transfer_pending=transfer_pending, birth_date=birth_date,
        occupation=occupation, residence=residence, emergency_contact=emergency_contact, extra=Extra(extra),
    )
    # fmt: on
