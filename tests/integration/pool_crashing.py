"""
A process that dies while a pool is at work: ``python -m tests.integration.pool_crashing URL WHAT``, from the root.

WHAT is ``claim`` or ``recycle``.  It forks once per statement boundary and kills the fork there; then it looks at what is
left, does the same again undisturbed, and looks once more.  A line of JSON for each boundary.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import salescrm
from salescrm import Crm, F, Policy, Work
from salescrm.backends.sql import SqlBackend
from salescrm.entities import ChangeEntry, Notice, OutboxEvent, OwnershipEntry, PoolRun
from salescrm.labels import Label
from salescrm.policy import ClaimLimits, Pool, PoolWarning, RecycleRule
from salescrm.services.ticking import tick
from salescrm.testing import Clock
from salescrm.values import Id
from tests.integration.crashing import Fuse, lay

START = datetime(2026, 3, 15, 2, tzinfo=UTC)
TODAY = START + timedelta(days=11)
#: So many fall in a transaction; there are more of them.
BATCH = 2
POLICY = Policy(
    pools=(
        Pool(
            key="north",
            label=Label("North", "北区公海"),
            everyone=True,
            opportunities="follow",
            claims=ClaimLimits(cap=10, daily=10, cool_down=3),
            rules=(
                RecycleRule(
                    key="quiet",
                    label=Label("Quiet", "久未跟进"),
                    anchor="no_follow_up",
                    limit=10,
                    warnings=(PoolWarning(days=1),),
                ),
            ),
        ),
    )
)


def prepare(crm: Crm, clock: Clock, what: str) -> None:
    """Five customers that fall on the twelfth day and one that is warned then, or three in the pool; one with a deal."""

    def fill(work: Work) -> None:
        for n in range(5 if what == "recycle" else 3):
            owner = "ann" if what == "recycle" or n == 0 else None
            made = work.customers.create(name=f"客户{n}", owner_id=owner)
            if n == 0:
                work.opportunities.create(name="deal", customer_id=made.id)
                if what == "claim":
                    work.pools.release(made.id, reason="换人")

    clock.set(START)
    crm.run(fill, by="ann")
    if what == "recycle":
        clock.set(START + timedelta(days=1))
        crm.run(lambda work: work.customers.create(name="明天", owner_id="ann").id, by="ann")
    clock.set(START + timedelta(days=10))
    crm.tick()
    clock.set(TODAY)


def act(crm: Crm, what: str) -> None:
    """What is interrupted, and done again."""
    if what == "recycle":
        tick(crm.kit, Id(crm.tenant or ""), batch=BATCH)
        return

    def claim(work: Work) -> list[str]:
        # Those that are left, for whoever was killed behind the commit had them all.
        free = (F.pool_id == "north") & F.name.starts_with("客户")
        return [one.id for one in work.pools.claim(list(work.pools.find("north", free))).customers]

    crm.run(claim, by="bo")


def found(crm: Crm) -> dict[str, Any]:
    """By customer who owns it and what was written of that; who owns the deal; and how far the pool has come."""

    def look(work: Work) -> dict[str, Any]:
        customers = list(work.customers.stream(order=[F.name]))
        ledger = list(work.repository(OwnershipEntry).stream(F.kind != "released"))
        log = list(work.repository(ChangeEntry).stream((F.entity == "customers") & (F.kind == "saved")))
        names = ["CustomerRecycled", "CustomerClaimed", "CustomerFallsSoon"]
        events = list(work.repository(OutboxEvent).stream(F.name.one_of(names)))
        notices = list(work.repository(Notice).stream(F.created_at >= TODAY))
        return {
            "customers": {
                one.name: {
                    "owner": one.owner_id,
                    "pool": one.pool_id,
                    "ledger": [
                        [line.kind, line.from_id, line.to_id, line.rule]
                        for line in ledger
                        if line.customer_id == one.id
                    ],
                    "log": sum(e.record_id == one.id and e.created_at >= TODAY for e in log),
                    "events": sorted(
                        e.name for e in events if e.record_id == one.id and e.created_at >= TODAY
                    ),
                    "notices": sorted(e.kind for e in notices if e.record_id == one.id),
                }
                for one in customers
            },
            "deals": [one.owner_id for one in work.opportunities.find()],
            "through": [run.through.isoformat() for run in work.repository(PoolRun).stream()],
        }

    return crm.run(look, by="witness")


def main(url: str, what: str) -> None:
    clock = Clock(START)
    # One for all, so that each statement is put together once.
    shared = salescrm.connect(url, policy=POLICY, clock=clock, multi_tenant=True)
    backend = shared.kit.backend
    assert isinstance(backend, SqlBackend)  # says it to mypy
    boundary = 0
    while True:
        crm = shared.for_tenant(f"{what}{boundary}")
        prepare(crm, clock, what)
        backend.engine.dispose()  # no fork inherits a connection
        child = os.fork()
        if child == 0:
            lay(Fuse(boundary))
            act(crm, what)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        finished = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        if not finished and not os.WIFSIGNALED(status):
            sys.exit(f"the fork failed by itself at boundary {boundary}: {status}")
        left = found(crm)
        act(crm, what)
        told = {"boundary": boundary, "finished": finished, "left": left, "after": found(crm)}
        print(json.dumps(told), flush=True)
        if finished:
            return
        boundary += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
