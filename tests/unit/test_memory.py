"""The memory backend from inside: who sees what, who waits for whom, how a transaction ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from threading import Barrier, Event, Thread
from typing import Final

import pytest

from salescrm.backends.memory import MemoryBackend
from salescrm.errors import Duplicate, Misconfigured, Transient, WorkEnded
from salescrm.kinds import Extra
from salescrm.plans import Asked, Cmp, FindPlan, Null
from salescrm.storage import Delete, Insert, Replace
from tests.unit.deals import DEALS, EVERY, NOON, deal, ids, put, ref, sort_keys

BY_STAGE: Final = FindPlan(DEALS, Cmp(ref("stage"), "eq", 0), sort_keys("opened_at", "id"))


@pytest.fixture
def backend() -> MemoryBackend:
    """An engine that nobody waits for long."""
    return MemoryBackend(lock_timeout=0.05)


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


# Who sees what.


def test_nobody_sees_what_is_not_committed(backend: MemoryBackend) -> None:
    """The writer sees its own writes at once, others with the commit, whichever began first."""
    put(backend, Insert(DEALS, [deal("1"), deal("2"), deal("3")]))
    reader, writer = backend.open("t"), backend.open("t")

    writer.write(
        Insert(DEALS, [deal("4")]), Delete(DEALS, "2", 1), Replace(DEALS, deal("3", score=9, version=2), 1)
    )

    assert ["1", "3", "4"] == ids(writer)
    assert writer.get(DEALS, "2") is None
    assert ["1", "2", "3"] == ids(reader)
    assert deal("3") == reader.get(DEALS, "3")
    writer.commit()
    assert ["1", "3", "4"] == ids(reader)
    assert deal("3", score=9, version=2) == reader.get(DEALS, "3")


def test_rollback_leaves_no_trace(backend: MemoryBackend) -> None:
    """Neither records nor keys nor a lock."""
    store = backend.open("t")
    store.write(Insert(DEALS, [deal("1", number="C1")]))
    store.rollback()

    put(backend, Insert(DEALS, [deal("2", number="C1")]))
    assert ["2"] == ids(backend.open("t"))


def test_record_comes_back_as_it_went_in(backend: MemoryBackend) -> None:
    """Frozen, so no copy."""
    record = deal("1", extra=Extra(grade="A"))
    put(backend, Insert(DEALS, [record]))

    assert record is backend.open("t").get(DEALS, "1")


def test_tenants_do_not_meet(backend: MemoryBackend) -> None:
    """Same ids and same unique keys in each."""
    for tenant in ("t", "u"):
        store = backend.open(tenant)
        store.write(Insert(DEALS, [deal("1", number="C1", tenant=tenant)]))
        store.commit()
    store = backend.open("u")
    store.write(Delete(DEALS, "1", 1))
    store.commit()

    assert ["1"] == ids(backend.open("t"))
    assert [] == ids(backend.open("u"))


@pytest.mark.usefixtures("hurried")
def test_read_never_meets_half_a_commit() -> None:
    """Two records always change together; a reader beside the writer sees them equal in every read."""
    backend = MemoryBackend()
    put(backend, Insert(DEALS, [deal(f"{n:03d}", stage="a", score=0) for n in range(100)]))
    torn: list[set[int | None]] = []
    done = Event()

    def read() -> None:
        while not done.is_set():
            scores = {one.score for one in backend.open("t").find(Asked(BY_STAGE, ["a"]))}
            if len(scores) != 1:
                torn.append(scores)

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for score in range(1, 60):
        store = backend.open("t")
        store.change(Asked(BY_STAGE, ["a"]), {"score": score})
        store.commit()
    done.set()
    for reader in readers:
        reader.join()

    assert [] == torn


# Who waits for whom.


def test_second_writer_waits_its_turn_and_gives_up(backend: MemoryBackend) -> None:
    """A reader waits for nobody; whoever gave up can only roll back."""
    first, second = backend.open("t"), backend.open("t")
    first.write(Insert(DEALS, [deal("1")]))

    assert [] == ids(second)
    with pytest.raises(Transient):
        second.write(Insert(DEALS, [deal("2")]))
    with pytest.raises(WorkEnded):
        second.get(DEALS, "1")
    second.rollback()
    first.commit()
    assert ["1"] == ids(backend.open("t"))


def test_second_writer_goes_on_when_the_first_ends() -> None:
    """And builds on what it left."""
    backend = MemoryBackend(lock_timeout=30)
    first = backend.open("t")
    first.write(Insert(DEALS, [deal("1", score=1)]))
    began = Event()

    def add() -> None:
        store = backend.open("t")
        began.set()
        store.change(Asked(EVERY, []), {"score": 2})
        store.commit()

    thread = Thread(target=add)
    thread.start()
    assert began.wait(10)
    first.commit()
    thread.join(30)

    assert deal("1", score=2, version=2) == backend.open("t").get(DEALS, "1")


@pytest.mark.usefixtures("hurried")
def test_racing_claims_take_each_record_once() -> None:
    """Sixteen threads, three hundred records, seven at a time."""
    backend = MemoryBackend(lock_timeout=60)
    put(backend, Insert(DEALS, [deal(f"{n:03d}", opened_at=NOON) for n in range(300)]))
    free = FindPlan(DEALS, Null(ref("stage")), sort_keys("opened_at", "id"), limit_slot=0)
    barrier = Barrier(16)
    claimed: list[str] = []

    def claim(name: str) -> None:
        barrier.wait()
        while True:
            store = backend.open("t")
            got = store.change(Asked(free, [7]), {"stage": name})
            store.commit()
            if not got:
                return
            assert all(one.stage is None for one in got)
            claimed.extend(one.id for one in got)

    threads = [Thread(target=claim, args=(f"m{n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [f"{n:03d}" for n in range(300)] == sorted(claimed)
    assert {2} == {one.version for one in backend.open("t").find(Asked(EVERY, []))}


# How it ends.


def test_failed_write_allows_nothing_but_rollback(backend: MemoryBackend) -> None:
    """What was written before it is gone with it."""
    store = backend.open("t")
    store.write(Insert(DEALS, [deal("1")]))
    with pytest.raises(Duplicate):
        store.write(Insert(DEALS, [deal("2"), deal("1")]))

    attempts: list[Callable[[], object]] = [
        lambda: store.get(DEALS, "1"),
        lambda: store.find(Asked(EVERY, [])),
        lambda: store.write(Insert(DEALS, [deal("3")])),
        lambda: store.change(Asked(EVERY, []), {}),
        store.commit,
    ]
    for attempt in attempts:
        with pytest.raises(WorkEnded):
            attempt()
    store.rollback()

    assert [] == ids(backend.open("t"))


def test_ended_transaction_stays_ended(backend: MemoryBackend) -> None:
    """By commit or by rollback; another rollback does no harm and lets nobody else's lock go."""
    committed, rolled_back = backend.open("t"), backend.open("t")
    committed.write(Insert(DEALS, [deal("1")]))
    committed.commit()
    rolled_back.rollback()
    third = backend.open("t")
    third.write(Insert(DEALS, [deal("3")]))

    for store, how in ((committed, "committed"), (rolled_back, "rolled back")):
        store.rollback()
        with pytest.raises(WorkEnded, match=how):
            store.find(Asked(EVERY, []))
    with pytest.raises(Transient):
        put(backend, Insert(DEALS, [deal("2")]))
    third.commit()
    assert ["1", "3"] == ids(backend.open("t"))


def test_effects_follow_the_commit_and_may_write_themselves(backend: MemoryBackend) -> None:
    """In their order, once, with nothing locked; never after a rollback."""
    told: list[str] = []
    store, other = backend.open("t"), backend.open("t")
    other.after_commit(lambda: told.append("rolled back"))
    other.rollback()
    store.after_commit(lambda: told.append(f"first sees {ids(backend.open('t'))}"))
    store.after_commit(lambda: put(backend, Insert(DEALS, [deal("2")])))
    store.write(Insert(DEALS, [deal("1")]))
    assert [] == told

    store.commit()

    assert ["first sees ['1']"] == told
    assert ["1", "2"] == ids(backend.open("t"))


def test_joined_store_shares_the_transaction_and_does_not_end_it(backend: MemoryBackend) -> None:
    """One may join for another tenant, and join what has joined."""
    told: list[str] = []
    host = backend.open("t")
    host.write(Insert(DEALS, [deal("1")]))
    joined = backend.join(backend.join(host, "t"), "t")
    neighbour = backend.join(joined, "u")

    joined.write(Insert(DEALS, [deal("2")]))
    neighbour.write(Insert(DEALS, [deal("1")]))
    joined.after_commit(lambda: told.append("done"))
    joined.commit()
    joined.rollback()

    assert ["1", "2"] == ids(host) == ids(joined)
    assert ["1"] == ids(neighbour)
    assert [] == ids(backend.open("t")) == told
    host.commit()
    assert ["1", "2"] == ids(backend.open("t"))
    assert ["1"] == ids(backend.open("u"))
    assert ["done"] == told
    with pytest.raises(WorkEnded):
        joined.get(DEALS, "1")
    with pytest.raises(WorkEnded):
        backend.join(host, "t")


def test_failure_in_a_joined_store_fails_the_host(backend: MemoryBackend) -> None:
    """Nobody commits half of a write."""
    host = backend.open("t")
    host.write(Insert(DEALS, [deal("1")]))
    with pytest.raises(Duplicate):
        backend.join(host, "t").write(Insert(DEALS, [deal("1")]))

    with pytest.raises(WorkEnded):
        host.commit()
    host.rollback()
    assert [] == ids(backend.open("t"))


def test_only_a_store_of_the_same_backend_can_be_joined(backend: MemoryBackend) -> None:
    """Anything else is a mistake in setting up."""
    for handle in (object(), MemoryBackend().open("t")):
        with pytest.raises(Misconfigured):
            backend.join(handle, "t")
