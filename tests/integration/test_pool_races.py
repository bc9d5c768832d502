"""Many want the same customers at once: each has one owner, no limit is passed, nobody pays for a refusal, nothing falls twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

import salescrm
from salescrm import Crm, Customer, F, Work
from salescrm.entities import ChangeEntry, Notice, OutboxEvent, OwnershipEntry
from salescrm.errors import ClaimRefused, Transient
from salescrm.policy import ClaimLimits
from tests.integration.pool_racing import careless, compete, opened
from tests.work.pooling import policy, pool

_SCRIPT = Path(__file__).with_name("pool_racing.py")
#: Seconds; a machine that does other things too needs many times what a quiet one does.
_LONGEST = 500

pytestmark = pytest.mark.timeout(550)


def fill(work: Work, many: int, owner: str | None = None) -> None:
    work.customers.create_many(
        Customer(name=f"客户{n}", number=f"N{n:05}", owner_id=owner)  # type: ignore[arg-type]  # an id
        for n in range(many)
    )


def race(url: str, workers: int, how: str, cap: int = 100) -> dict[str, dict[str, Any]]:
    """What each of so many processes says, all let go at once."""
    run = subprocess.run(
        [sys.executable, str(_SCRIPT), url, how, str(workers), str(cap)],
        capture_output=True, text=True, timeout=_LONGEST, check=False,
    )  # fmt: skip
    assert (0, "") == (run.returncode, run.stderr)
    said: dict[str, dict[str, Any]] = json.loads(run.stdout)
    assert [] == [one["error"] for one in said.values() if "error" in one]
    assert workers == len(said)
    return said


def faults(crm: Crm) -> Iterator[str]:
    """Whatever is wrong with owners, ledger, log and limits after a race."""
    with crm.begin(by="witness") as work:
        customers = {one.id: one for one in work.customers.stream()}
        ledger = list(work.repository(OwnershipEntry).stream(order=[F.customer_id, F.id]))
        log = list(
            work.repository(ChangeEntry).stream(
                F.entity == "customers", order=[F.record_id, F.record_version]
            )
        )
        told = Counter(one.name for one in work.repository(OutboxEvent).stream(F.name != "CustomerCreated"))
    lines: defaultdict[str, list[OwnershipEntry]] = defaultdict(list)
    for entry in ledger:
        lines[entry.customer_id].append(entry)
    changes: defaultdict[str, list[list[Any]]] = defaultdict(list)
    first: dict[str, str | None] = {}
    for change in log:
        if change.kind == "added":
            first[change.record_id] = change.changes.get("owner_id", [None, None])[1]
        else:
            changes[change.record_id].append(change.changes["owner_id"])
    for id, customer in customers.items():
        owner = first[id]
        for was, now in changes[id]:
            if was != owner:
                yield f"{customer.number}: the log says that {was} had it, who was {owner}"
            owner = now
        if owner != customer.owner_id:
            yield f"{customer.number}: owned by {customer.owner_id}, and by {owner} in the log"
        if customer.version != 1 + len(changes[id]):
            yield f"{customer.number}: of version {customer.version} after {len(changes[id])} changes"
        moves = Counter((one.from_id, one.to_id) for one in lines[id])
        if moves != Counter((was, now) for was, now in changes[id]):
            yield f"{customer.number}: ledger and log differ"
        if (customer.owner_id is None) != (customer.pool_id == "north"):
            yield f"{customer.number}: neither owned nor in the pool, or both"
    limits, kinds = crm.policy.pools[0].claims, Counter(one.kind for one in ledger)
    cap, weekly = limits.cap or 0, limits.weekly or 0
    if (kinds["claimed"], kinds["released"]) != (told["CustomerClaimed"], told["CustomerReleased"]):
        yield f"the ledger has {kinds}, the events are {told}"
    for member, held in Counter(one.owner_id for one in customers.values() if one.owner_id).items():
        if held > cap:
            yield f"{member} has {held}"
    for claimer, many in Counter(one.to_id for one in ledger if one.kind == "claimed").items():
        if many > weekly:
            yield f"{claimer} has claimed {many}"


def agreed(crm: Crm, said: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Whatever is wrong with what each of them says to have got: nobody pays for a refusal, or wins and gets nothing."""
    with crm.begin(by="witness") as work:
        claims = work.repository(OwnershipEntry).stream(F.kind == "claimed")
        paid = Counter(one.to_id for one in claims)
    for worker, one in said.items():
        if one["claimed"] != paid[worker]:  # type: ignore[index]  # an id is text
            yield f"{worker} got {one['claimed']} and was counted {paid[worker]}"  # type: ignore[index]  # as said


@pytest.mark.parametrize(
    "which, workers, many, cap",
    [("sqlite_url", 16, 5_000, 320), ("postgres_url", 16, 5_000, 320), ("mongodb_url", 8, 100, 13)],
)
def test_processes_claim_at_once(
    which: str, workers: int, many: int, cap: int, request: pytest.FixtureRequest
) -> None:
    """Whatever comes between, each customer has one owner, and all that is written of it agrees."""
    url = request.getfixturevalue(which)
    with opened(url, cap=cap) as crm:
        crm.migrate()
        crm.run(fill, many, by="boss")
        said = race(url, workers, "claim", cap)
        assert [] == [*faults(crm), *agreed(crm, said)]
        assert many == crm.run(lambda work: work.customers.count(F.owner_id.is_set()), by="witness")
        assert many <= sum(one["claimed"] for one in said.values())


def test_a_hundred_threads_claim_at_once(memory_url: str) -> None:
    """In one process, in memory."""
    with opened(memory_url, cap=52) as crm:
        crm.run(fill, 5_000, by="boss")
        names = [f"thread{n}" for n in range(100)]
        with ThreadPoolExecutor(100) as threads:
            said = dict(zip(names, threads.map(lambda name: compete(crm, name), names), strict=True))
        assert [] == [*faults(crm), *agreed(crm, said)]
        assert 5_000 == crm.run(lambda work: work.customers.count(F.owner_id.is_set()), by="witness")


@pytest.mark.parametrize("which", ["memory_url", "sqlite_url", "postgres_url"])
def test_a_claim_without_compare_and_set_is_caught(which: str, request: pytest.FixtureRequest) -> None:
    """The control: whoever writes without looking again takes what somebody has, and the same eyes see it."""
    url = request.getfixturevalue(which)
    with opened(url) as crm:
        crm.migrate()
        crm.run(fill, 200, by="boss")
        if which == "memory_url":
            with ThreadPoolExecutor(16) as threads:
                list(threads.map(lambda n: careless(crm, f"thread{n}"), range(16)))
        else:
            race(url, 4, "careless")
        assert any(True for _ in faults(crm))


@pytest.mark.parametrize("which, workers", [("sqlite_url", 6), ("postgres_url", 6), ("mongodb_url", 3)])
def test_ticks_at_once_do_nothing_twice(which: str, workers: int, request: pytest.FixtureRequest) -> None:
    """Of several at once, one after missed nights: each customer falls once and each is warned once a rung."""
    url = request.getfixturevalue(which)
    many = 300 if which == "mongodb_url" else 1_000
    with opened(url) as crm:
        crm.migrate()
        crm.run(fill, many, "ann", by="boss")
        crm.tick()
    said = race(url, workers, "tick")
    with opened(url, days=12) as crm:
        assert [] == list(faults(crm))
        with crm.begin(by="witness") as work:
            lines = Counter(one.customer_id for one in work.repository(OwnershipEntry).stream())
            events = Counter(
                (one.name, one.record_id, one.data.get("rule"), one.data.get("days_left"))
                for one in work.repository(OutboxEvent).stream(F.name != "CustomerCreated")
            )
            notices = Counter(
                (one.record_id, one.kind, one.data.get("rule"), one.data.get("days_left"))
                for one in work.repository(Notice).stream()
            )
        # Ten days of quiet: warned seven, three and one before, on the way to the fall on the eleventh.
        assert {1} == {*lines.values()} == {*events.values()} == {*notices.values()}
        assert (many, 4 * many, 4 * many) == (len(lines), len(events), len(notices))
        assert (many, 3 * many, 12) == tuple(
            sum(one[what] for one in said.values()) for what in ("recycled", "warned", "nights")
        )


@pytest.mark.parametrize("first", [False, True], ids=["held before", "held for the first time"])
def test_a_host_that_sees_one_moment_passes_no_limit(postgres_url: str, first: bool) -> None:
    """Its transaction can't see what others claimed since it began, and is told to try again rather than to count."""
    engine = sa.create_engine(postgres_url, isolation_level="REPEATABLE READ")
    one = policy(pool(claims=ClaimLimits(cap=1)))
    with salescrm.connect(postgres_url, policy=one) as crm, salescrm.connect(engine, policy=one) as theirs:
        crm.migrate()
        crm.run(lambda work: fill(work, 3), by="li")
        a, b, c = crm.run(lambda work: [one.id for one in work.pools.find("north")], by="li")
        if not first:
            crm.run(lambda work: work.pools.claim([c]), by="ann")
            crm.run(lambda work: work.pools.release(c, reason="x"), by="ann")
        with Session(engine) as session:
            session.execute(sa.text("SELECT count(*) FROM customers"))  # from here on it sees this moment
            crm.run(lambda work: work.pools.claim([a]), by="ann")
            with pytest.raises(Transient):
                theirs.join(session, by="ann").pools.claim([b])
            session.rollback()
        assert 1 == crm.run(lambda work: work.customers.count(F.owner_id == "ann"), by="witness")
    engine.dispose()


@pytest.mark.parametrize("which", ["sqlite_url", "postgres_url"])
def test_a_host_that_goes_on_commits_nothing_that_was_made_up(
    which: str, request: pytest.FixtureRequest
) -> None:
    """In its transaction a customer in hand is read again: what was written there would be the host's to keep."""
    url = request.getfixturevalue(which)
    engine = sa.create_engine(url)
    reserved = policy(pool(claims=ClaimLimits(arrival=5, reserved_members=("bo",))))
    with salescrm.connect(url, policy=reserved) as crm, salescrm.connect(engine, policy=reserved) as theirs:
        crm.migrate()
        crm.run(lambda work: fill(work, 1), by="li")
        [fresh] = crm.run(lambda work: list(work.customers.stream()), by="li")
        with Session(engine) as session:
            with pytest.raises(ClaimRefused) as refused:
                theirs.join(session, by="ann").pools.claim([attrs.evolve(fresh, entered_pool_at=None)])
            session.commit()
        assert "arrival" == refused.value.code
        assert [fresh] == crm.run(lambda work: list(work.customers.stream()), by="li")
        assert 0 == crm.run(lambda work: work.repository(OwnershipEntry).count(), by="li")
    engine.dispose()
