"""
Processes that compete for a pool: ``python pool_racing.py URL HOW WORKERS CAP`` says what each of its children got.

HOW is ``claim``, the real thing; ``careless``, which looks, thinks and writes without looking again; or ``tick``.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import Any

import salescrm
from salescrm import Crm, Customer, F, Policy, Work
from salescrm.entities import OwnershipEntry
from salescrm.errors import ClaimRefused
from salescrm.labels import Label
from salescrm.policy import ClaimLimits, Pool, RecycleRule
from salescrm.testing import Clock
from salescrm.values import Id

__all__ = ["careless", "compete", "main", "opened", "ticked"]

START = datetime(2026, 3, 15, 2, tzinfo=UTC)
_QUIET = RecycleRule(key="quiet", label=Label("Quiet", "久未跟进"), anchor="no_follow_up", limit=10)
_UNDEALT = RecycleRule(key="undealt", label=Label("No deal", "未成交"), anchor="no_deal", limit=20)


def opened(url: str, *, days: int = 0, cap: int = 100) -> Crm:
    """A Crm *days* after the start, whose members may own *cap* customers and claim a quarter more in a week."""
    pool = Pool(
        key="north",
        label=Label("North", "北区公海"),
        everyone=True,
        claims=ClaimLimits(cap=cap, weekly=cap + cap // 4),
        rules=(_QUIET, _UNDEALT),
    )
    return salescrm.connect(url, policy=Policy(pools=(pool,)), clock=Clock(START + timedelta(days=days)))


def drawn(work: Work, dice: random.Random, many: int) -> list[Id]:
    """Some of the customers that are in the pool, by chance: others draw from the same ones."""
    free = [id for (id,) in work.customers.select([F.id], F.pool_id == "north", limit=many * 4)]
    return dice.sample(free, min(many, len(free)))


def give_back(work: Work, customer: Id) -> None:
    """Into the pool again."""
    work.pools.release(customer, reason="试试")


def shown(work: Work, customer: Id) -> Customer:
    """As it stands on a member's screen."""
    return work.customers.get(customer)


def compete(crm: Crm, worker: str, many: int = 40) -> dict[str, Any]:
    """Claims, and now and then gives back, until the pool is empty or a limit is reached; what came of it."""
    dice = random.Random(worker)  # no secret
    claimed = refused = 0
    while True:
        ids = crm.run(drawn, dice, many, by=worker)
        if not ids:
            break
        wanted: list[Customer | Id] = [*ids]
        if dice.random() < 0.2:
            # By the time that it is claimed somebody else may well have what stands on this one's screen.
            wanted = [crm.run(shown, ids[0], by=worker)]
        try:
            taken = crm.run(
                lambda work, wanted=wanted: work.pools.claim(wanted, partial=dice.random() < 0.8),  # type: ignore[misc]  # bound now
                by=worker,
                attempts=500,
            )
        except ClaimRefused as refusal:
            refused += 1
            if {"cap", "weekly-limit"} & {one.verdict for one in refusal.decisions}:
                many = max(1, many // 2)
                if many == 1 and refused > 40:
                    break
            continue
        claimed += len(taken.customers)
        limits = {one.verdict for one in taken.refused} & {"cap", "weekly-limit"}
        if limits and not taken.customers:
            break
        if taken.customers and dice.random() < 0.1:
            crm.run(give_back, dice.choice(taken.customers).id, by=worker, attempts=500)
    return {"claimed": claimed, "refused": refused}


def careless(crm: Crm, worker: str) -> dict[str, Any]:
    """The control: who is free is read, and taken without looking again and without a turn."""
    dice, claimed = random.Random(worker), 0  # no secret

    def take(work: Work, wanted: list[Id]) -> int:
        values = {"owner_id": worker, "pool_id": None, "owned_since": work.now()}

        def follow(before: Customer, after: Customer) -> list[OwnershipEntry]:
            return [
                OwnershipEntry(
                    customer_id=before.id, kind="claimed", at=work.now(), to_id=Id(worker), pool="north"
                )
            ]

        return len(
            work.unscoped(Customer).change(F.id.one_of(wanted), values, follow=follow, skip_locked=False)
        )

    while wanted := crm.run(drawn, dice, 5, by=worker):
        claimed += crm.run(take, wanted, by=worker, attempts=500)
    return {"claimed": claimed, "refused": 0}


def ticked(crm: Crm) -> dict[str, Any]:
    """What a tick came to here."""
    ran = crm.tick()
    return {"recycled": ran.recycled, "warned": ran.warned, "nights": ran.nights}


def _run(url: str, worker: str, how: str, cap: int, ready: Barrier, said: SimpleQueue[Any]) -> None:
    """One of the children."""
    found: dict[str, Any] = {}
    try:
        with opened(url, days=12 if how == "tick" else 0, cap=cap) as crm:
            ready.wait(60)
            match how:
                case "claim":
                    found = compete(crm, worker)
                case "careless":
                    found = careless(crm, worker)
                case _:
                    found = ticked(crm)
    except BaseException as problem:  # noqa: BLE001  # the parent tells of it
        found = {"error": repr(problem)}
    said.put((worker, found))


def main(url: str, how: str, workers: str, cap: str) -> None:
    # Forked before any of them has a connection: what they share is what was imported.
    forking = multiprocessing.get_context("fork")
    ready, said = forking.Barrier(int(workers)), forking.SimpleQueue()
    children = [
        forking.Process(target=_run, args=(url, f"worker{n}", how, int(cap), ready, said))
        for n in range(int(workers))
    ]
    for child in children:
        child.start()
    found = dict(said.get() for _ in children)
    for child in children:
        child.join()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
