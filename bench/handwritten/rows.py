"""
What both drivers' code shares: the columns as the tables have them, the log entry and the event of a customer.

Written as one writes it without a library: column lists once, a row as a tuple in that order.
"""

from __future__ import annotations

import json
import unicodedata
from datetime import date, datetime
from typing import Any, Final

from salescrm.entities import Collaborator, Customer, KeyDate
from salescrm.money import Money

__all__ = [
    "CUSTOMER_COLUMNS",
    "EVENT_COLUMNS",
    "LOG_COLUMNS",
    "changes",
    "collaborator",
    "created",
    "fold",
    "insert",
    "iso",
    "key_date",
    "nested",
    "to_json",
]

CUSTOMER_COLUMNS: Final = (  # noqa: SIM905  # words read better without quotes
    "id tenant version created_at created_by updated_at updated_by number kind name industry size annual_revenue "
    "annual_revenue_currency founded_year region_province region_city region_district address website main_business "
    "credit_code parent_id source channel level lifecycle tags owner_id collaborators first_contact_at "
    "first_contact_by first_deal_at last_deal_at won_amount won_amount_currency products_bought interests preferences core_needs "
    "budget_low budget_low_currency budget_high budget_high_currency purchase_deadline key_dates notes "
    "last_follow_up_at follow_up_count open_opportunities contract_ends_on has_receivables pool_id entered_pool_at "
    "owned_since quiet_since stuck_since dealless_since protected_until shared_until transfer_pending birth_date "
    "occupation residence emergency_contact extra search_text"
).split()
LOG_COLUMNS: Final = (  # noqa: SIM905
    "id tenant version created_at created_by updated_at updated_by entity record_id kind record_version changes"
).split()
EVENT_COLUMNS: Final = (  # noqa: SIM905
    "id tenant version created_at created_by updated_at updated_by name entity record_id data status due_at lease "
    "attempts error"
).split()


def insert(table: str, columns: list[str], mark: str) -> str:
    """The INSERT of one row; *mark* is how the driver spells a parameter."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(mark for _ in columns)})"


def to_json(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def iso(moment: datetime) -> str:
    """As SQLite and the log keep it."""
    return moment.isoformat(timespec="milliseconds")


def fold(customer: Customer) -> str:
    """What caseless search looks into."""
    text = f"{customer.name or ''}\n{customer.number or ''}\n{customer.credit_code or ''}"
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def nested(values: tuple[Collaborator | KeyDate, ...]) -> list[dict[str, Any]]:
    """Collaborators and key dates as JSON."""
    return [
        {"name": one.name, "on": one.on.isoformat(), "yearly": one.yearly}
        if isinstance(one, KeyDate)
        else {"member_id": one.member_id, "access": one.access, "until": one.until and iso(one.until)}
        for one in values
    ]


def collaborator(data: Any) -> Collaborator:
    """Of `nested`."""
    until = data["until"]
    return Collaborator(
        member_id=data["member_id"],
        access=data["access"],
        until=None if until is None else datetime.fromisoformat(until),
    )


def key_date(data: Any) -> KeyDate:
    """Of `nested`."""
    return KeyDate(name=data["name"], on=date.fromisoformat(data["on"]), yearly=data["yearly"])


def created(customer: Customer) -> dict[str, Any]:
    """What the event of a new customer tells."""
    return {
        "number": customer.number,
        "customer_name": customer.name,
        "owner_id": customer.owner_id,
    }


def changes(c: Customer) -> dict[str, list[Any]]:
    """What the log entry of a new customer tells: every column that it fills."""
    filled = {
        "number": c.number,
        "kind": c.kind,
        "name": c.name,
        "industry": c.industry,
        "size": c.size,
        "annual_revenue": _minor(c.annual_revenue),
        "annual_revenue_currency": _currency(c.annual_revenue),
        "founded_year": c.founded_year,
        "region_province": c.region.province,
        "region_city": c.region.city,
        "region_district": c.region.district,
        "address": c.address,
        "website": c.website,
        "main_business": c.main_business,
        "credit_code": c.credit_code,
        "parent_id": c.parent_id,
        "source": c.source,
        "channel": c.channel,
        "level": c.level,
        "lifecycle": c.lifecycle,
        "tags": c.tags or None,
        "owner_id": c.owner_id,
        "collaborators": nested(c.collaborators) if c.collaborators else None,
        "first_contact_at": _iso(c.first_contact_at),
        "first_contact_by": c.first_contact_by,
        "first_deal_at": _iso(c.first_deal_at),
        "last_deal_at": _iso(c.last_deal_at),
        "won_amount": _minor(c.won_amount),
        "won_amount_currency": _currency(c.won_amount),
        "products_bought": c.products_bought or None,
        "interests": c.interests or None,
        "preferences": c.preferences,
        "core_needs": c.core_needs,
        "budget_low": _minor(c.budget_low),
        "budget_low_currency": _currency(c.budget_low),
        "budget_high": _minor(c.budget_high),
        "budget_high_currency": _currency(c.budget_high),
        "purchase_deadline": _day(c.purchase_deadline),
        "key_dates": nested(c.key_dates) if c.key_dates else None,
        "notes": c.notes,
        "last_follow_up_at": _iso(c.last_follow_up_at),
        "follow_up_count": c.follow_up_count,
        "open_opportunities": c.open_opportunities,
        "contract_ends_on": _day(c.contract_ends_on),
        "has_receivables": c.has_receivables,
        "pool_id": c.pool_id,
        "entered_pool_at": _iso(c.entered_pool_at),
        "owned_since": _iso(c.owned_since),
        "quiet_since": _iso(c.quiet_since),
        "stuck_since": _iso(c.stuck_since),
        "dealless_since": _iso(c.dealless_since),
        "protected_until": _iso(c.protected_until),
        "shared_until": _iso(c.shared_until),
        "transfer_pending": c.transfer_pending,
        "birth_date": _day(c.birth_date),
        "occupation": c.occupation,
        "residence": c.residence,
        "emergency_contact": c.emergency_contact,
        "extra": c.extra or None,
    }
    return {name: [None, value] for name, value in filled.items() if value is not None}


def _minor(money: Money | None) -> int | None:
    return None if money is None else money.minor


def _currency(money: Money | None) -> str | None:
    return None if money is None else money.currency


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
