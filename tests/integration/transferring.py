"""
A child process that dies in the middle of a transfer: run as ``python transferring.py URL``, as `crashing`.

For each statement boundary it prints a line of JSON: whether the fork finished, what a fresh connection then finds, and
what it finds once the next run has done it again.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

import salescrm
from salescrm import Crm, F, OutboxEvent, Work
from salescrm.entities import ChangeEntry, Notice, OwnershipEntry
from tests.integration.crashing import Fuse, lay


def prepare(work: Work) -> None:
    """Three customers of ann's, one of them shared, each with a deal and a call."""
    for one in ("ann", "bo", "cy"):
        work.members.add(one, name=one.capitalize())
    for n in range(3):
        customer = work.customers.create(name=f"客户{n}", owner_id="ann")
        work.opportunities.create(name="200 seats", customer_id=customer.id, owner_id="ann")
        tomorrow = work.now() + timedelta(days=1)
        work.follow_ups.plan(customer_id=customer.id, assignee_id="ann", planned_at=tomorrow)
        if n == 0:
            work.customers.share(customer.id, salescrm.Id("cy"))


def transfer(work: Work) -> None:
    """All that ann has goes to bo; nothing, where it has gone already."""
    work.transfers.transfer(of="ann", to="bo", reason="换区", keep_access="read")


def found(crm: Crm) -> dict[str, Any]:
    """Who has what, and what is written of it."""

    def look(work: Work) -> dict[str, Any]:
        return {
            "customers": sorted(str(one.owner_id) for one in work.customers.stream()),
            "shared": sorted(
                ",".join(other.member_id for other in one.collaborators) for one in work.customers.stream()
            ),
            "deals": sorted(str(one.owner_id) for one in work.opportunities.stream()),
            "calls": sorted(one.assignee_id for one in work.follow_ups.stream()),
            "ledger": work.repository(OwnershipEntry).count(F.kind == "transferred"),
            "notices": work.repository(Notice).count(),
            "log": work.repository(ChangeEntry).count(F.entity != "counters"),
            "events": work.repository(OutboxEvent).count(),
        }

    return crm.run(look, by="witness")


def main(url: str) -> None:
    boundary = 0
    # One for all, so that questions are compiled once; nothing of it is open while a fork lives.
    crm = salescrm.connect(url, multi_tenant=True)
    while True:
        mine = crm.for_tenant(f"t{boundary}")
        mine.run(prepare, by="boss")
        before = found(mine)
        crm.close()
        child = os.fork()
        if child == 0:
            lay(Fuse(boundary))
            mine.run(transfer, by="boss")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        finished = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        if not finished and not os.WIFSIGNALED(status):
            sys.exit(f"the fork failed by itself at boundary {boundary}: {status}")
        after = found(mine)
        mine.run(transfer, by="boss")
        told = {"finished": finished, "before": before, "after": after, "again": found(mine)}
        print(json.dumps(told), flush=True)
        if finished:
            return
        boundary += 1


if __name__ == "__main__":
    main(sys.argv[1])
