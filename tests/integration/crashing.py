"""
A child process that dies: run as ``python crashing.py URL``, it forks once per statement boundary and kills the fork there.

For each boundary it prints a line of JSON: how many statements the fork was let do, whether it finished, and what a
fresh connection then finds.  SIGKILL leaves no handler, no ``finally`` and no rollback of ours a chance.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import psycopg
import sqlalchemy as sa

import salescrm
from salescrm import Crm, F, Money, OutboxEvent, StageChange, Work
from salescrm.entities import ChangeEntry


class Fuse:
    """Kills this process before statement number *at*."""

    def __init__(self, at: int) -> None:
        self.left = at

    def burn(self, *_: object) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def lay(fuse: Fuse) -> None:
    """Puts *fuse* before every statement that this process sends from now on."""
    wait = psycopg.Connection.wait

    def burn_and_wait(self: psycopg.Connection[Any], *arguments: Any, **options: Any) -> Any:
        fuse.burn()
        return wait(self, *arguments, **options)

    # Whatever kind of cursor runs a statement, and for BEGIN and COMMIT too, the driver then waits for the server here.
    psycopg.Connection.wait = burn_and_wait  # type: ignore[method-assign]  # in this process, which is about to die

    def connected(connection: Any, record: object) -> None:
        if not isinstance(connection, psycopg.Connection):
            connection.set_trace_callback(fuse.burn)

    sa.event.listen(sa.pool.Pool, "connect", connected)


def create_and_move(work: Work) -> None:
    """A customer with a contact, a deal, and its first move."""
    customer = work.customers.create(name="云帆科技", contacts=[{"name": "王芳", "mobile": "13812345678"}])
    deal = work.opportunities.create(name="deal", customer_id=customer.id, amount=Money.of("5", "CNY"))
    work.opportunities.move(deal, work.policy.pipeline().path[1].key)


def found(crm: Crm) -> dict[str, Any]:
    """What is there: records, and for each record touched its log entries and events."""

    def look(work: Work) -> dict[str, Any]:
        deal = work.opportunities.find(limit=1)
        return {
            "customers": work.customers.count(),
            "contacts": work.contacts.count(),
            "deals": [(one.stage, one.version) for one in deal],
            "moves": work.repository(StageChange).count(),
            "log": work.repository(ChangeEntry).count(F.entity != "counters"),
            "events": work.repository(OutboxEvent).count(),
        }

    return crm.run(look, by="witness")


def main(url: str) -> None:
    boundary = 0
    while True:
        tenant = f"t{boundary}"
        child = os.fork()
        if child == 0:
            lay(Fuse(boundary))
            crm = salescrm.connect(url, tenant=tenant)
            crm.run(create_and_move, by="li")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        finished = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        if not finished and not os.WIFSIGNALED(status):
            sys.exit(f"the fork failed by itself at boundary {boundary}: {status}")
        with salescrm.connect(url, tenant=tenant) as crm:
            print(json.dumps({"boundary": boundary, "finished": finished, **found(crm)}), flush=True)
        if finished:
            return
        boundary += 1


if __name__ == "__main__":
    main(sys.argv[1])
