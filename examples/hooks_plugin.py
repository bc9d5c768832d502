"""
A plugin with a say before, after and once it is committed: ``python examples/hooks_plugin.py``.

Installed with the entry point ``[project.entry-points."salescrm.plugins"]``, it would be found by itself.
"""

from __future__ import annotations

import attrs

import salescrm
from salescrm import (
    Customer,
    F,
    HookRefused,
    Money,
    Opportunity,
    OutboxEvent,
    Record,
    Refuse,
    Work,
    hookimpl,
)
from salescrm.events import Event, OpportunityWon


class HouseRules:
    """What this company wants beside what ships."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @hookimpl
    def adding_record(self, record: Record) -> Record | None:
        """Before: change what is about to be added."""
        if isinstance(record, Customer) and record.industry is None:
            return attrs.evolve(record, industry="other")
        return None

    @hookimpl
    def moving_opportunity(self, opportunity: Opportunity, to: str) -> None:
        """Before: refuse."""
        if to == "paid" and (opportunity.amount or Money.zero("CNY")) > Money.of(1_000_000, "CNY"):
            raise Refuse("a deal of more than a million is closed by finance")

    @hookimpl
    def event_happened(self, work: Work, event: Event) -> None:
        """After, in the same transaction: what this writes is rolled back with the rest."""
        if isinstance(event, OpportunityWon):
            deal = work.opportunities.get(event.record_id)
            work.follow_ups.plan(
                customer_id=deal.customer_id, planned_at=work.now(), purpose="say thank you", priority="high"
            )

    @hookimpl
    def event_committed(self, event: OutboxEvent) -> None:
        """Once it is safe, at least once: tell the outside world."""
        if event.name == "OpportunityWon":
            self.told.append(event.record_id)


def main() -> None:
    rules = HouseRules()
    crm = salescrm.connect("memory://", plugins=[rules])
    with crm.begin(by="li") as work:
        acme = work.customers.create(name="Acme")
        print("industry:", acme.industry)
        big, small = (
            work.opportunities.create(name=name, customer_id=acme.id, amount=Money.of(yuan, "CNY"))
            for name, yuan in (("a factory", 2_000_000), ("a machine", 90_000))
        )
    try:
        with crm.begin(by="li") as work:
            work.opportunities.win(big)
    except HookRefused as refusal:
        print("refused:", refusal.reason)
    with crm.begin(by="li") as work:
        work.opportunities.win(small)
        print("planned:", [one.purpose for one in work.follow_ups.find(F.customer_id == acme.id)])
    print("told of the small one:", rules.told == [small.id])


if __name__ == "__main__":
    main()
