"""A small Chinese sales team at work, to look at: sample data of our own making, brought in through the services."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from importlib import resources
from typing import Any, Final

from salescrm.crm import Crm, Work
from salescrm.errors import StateRefused
from salescrm.services.fields import FollowUpFields
from salescrm.values import Id, Money, Region

__all__ = ["load_sample"]

#: The member who sets up the rest; that they are there says that the sample is.
_LEADER: Final = Id("demo-wang")


def load_sample(crm: Crm) -> bool:
    """
    Brings the sample into *crm*'s store, days counted back from now; whether it was not there before.

    Raises:
        StateRefused: There are other customers: a sample does not belong among them.
    """
    sample = tomllib.loads(
        resources.files("salescrm.demo").joinpath("sample.toml").read_text(encoding="utf-8")
    )
    if not crm.run(_people, sample, by=_LEADER):
        return False
    for deal in sample["deals"]:
        crm.run(_deal, deal, by=deal["owner"])
    for follow_up in sample["follow_ups"]:
        crm.run(_follow_up, follow_up, by=follow_up["by"])
    return True


def _people(work: Work, sample: Mapping[str, Any]) -> bool:
    """Members, products and customers; nothing where they are there."""
    if work.members.peek(_LEADER) is not None:
        return False
    if others := work.customers.find(limit=1):
        raise StateRefused("Customer", others[0].number, "there already", "be joined by sample data")
    for team in sample["teams"]:
        work.teams.add(**team)
    for member in sample["members"]:
        work.members.add(**member)
    for product in sample["products"]:
        price = Money.of(product["price"], "CNY")
        work.products.create(id=product["id"], name=product["name"], unit=product["unit"], list_price=price)
    for customer in sample["customers"]:
        given = dict(customer)
        province, city = given.pop("place")
        work.customers.create(region=Region(province, city), contacts=[given.pop("contact")], **given)
    return True


def _deal(work: Work, sample: Mapping[str, Any]) -> None:
    """One deal, with the way it has gone: each step so many days ago."""
    now = work.now()
    deal = work.opportunities.create(
        id=sample["id"],
        name=sample["name"],
        customer_id=sample["customer"],
        source=sample.get("source"),
        next_step=sample.get("next_step"),
        opened_at=now - timedelta(days=sample["opened"]),
        expected_close=(now + timedelta(days=sample.get("closes_in", 30))).astimezone(work.zone).date(),
        lines=[{"product_id": product, "quantity": many} for product, many in sample["lines"].items()],
    )
    for stage, ago in sample.get("way", []):
        deal = work.opportunities.move(deal, stage, at=now - timedelta(days=ago))
    if "lost" in sample:
        reason, ago = sample["lost"]
        work.opportunities.lose(deal, reason=reason, at=now - timedelta(days=ago))


def _follow_up(work: Work, sample: Mapping[str, Any]) -> None:
    """One follow-up: done some days ago, or planned for a day to come."""
    now = work.now()
    fields: FollowUpFields = {
        "opportunity_id": sample["deal"],
        "kind": sample["kind"],
        "purpose": sample["purpose"],
        "priority": sample.get("priority", "medium"),
    }
    if "done" in sample:
        done = now - timedelta(days=sample["done"])
        work.follow_ups.record(result=sample["result"], done_at=done, **fields)
    else:
        fields["planned_at"] = now + timedelta(days=sample["in"])
        work.follow_ups.plan(**fields)
