"""Pools, policies and small acts that the tests of the pools share."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from salescrm import Crm, Customer, Policy
from salescrm.entities import OwnershipEntry
from salescrm.labels import Label
from salescrm.policy import Pool, RecycleRule
from salescrm.values import Id

__all__ = ["QUIET", "create", "ledger", "look", "policy", "pool", "rule", "shanghai"]


def rule(key: str = "quiet", **given: Any) -> RecycleRule:
    """A rule that counts thirty days from the last follow-up."""
    fields: dict[str, Any] = {"key": key, "label": Label(key, key), "anchor": "no_follow_up", "limit": 30}
    return RecycleRule(**(fields | given))


QUIET = rule()


def pool(key: str = "north", **given: Any) -> Pool:
    """A pool for everybody, with the rule `QUIET`."""
    fields: dict[str, Any] = {"key": key, "label": Label(key, key), "everyone": True, "rules": [QUIET]}
    return Pool(**(fields | given))


def policy(*pools: Pool, **given: Any) -> Policy:
    """A policy with these pools, in Shanghai."""
    return Policy(pools=pools or (pool(),), **given)


def create(crm: Crm, name: str = "云帆科技", owner: str | None = None, **given: Any) -> Customer:
    """A new customer."""
    return crm.run(lambda work: work.customers.create(name=name, owner_id=owner, **given), by="li")


def look(crm: Crm, customer: Customer) -> Customer:
    """The customer as it is now."""
    return crm.run(lambda work: work.customers.get(customer.id), by="li")


def ledger(crm: Crm, customer: Customer | Id) -> tuple[OwnershipEntry, ...]:
    """Who had it."""
    return crm.run(lambda work: work.pools.ledger(customer), by="li")


def shanghai(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    """That moment of 2026 in Shanghai."""
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai"))
