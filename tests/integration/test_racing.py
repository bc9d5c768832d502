"""Four processes, and sixteen threads, race for the same change() and the same numbers: no double, none lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import salescrm
from salescrm import Crm, Customer, F, Work

_READY = 90


def fill(work: Work, many: int) -> None:
    work.customers.create_many(Customer(name=f"客户{n}", number=f"N{n:03}") for n in range(many))


def owners(crm: Crm) -> dict[str, str | None]:
    """Who owns each of the customers that were there before the race, and that log and record agree on it."""

    def look(work: Work) -> dict[str, str | None]:
        customers = list(work.customers.stream(F.number.starts_with("N")))
        for customer in customers:
            last = work.history.of(customer)[-1]
            assert [None, customer.owner_id] == last.changes["owner_id"]
            assert customer.version == last.record_version == 2
        return {customer.id: customer.owner_id for customer in customers}

    return crm.run(look, by="witness")


@pytest.mark.parametrize("which", ["sqlite_url", "postgres_url", "mongodb_url"])
def test_four_processes(which: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(which)
    script = Path(__file__).with_name("racing.py")
    with salescrm.connect(url) as crm:
        crm.migrate()
        crm.run(fill, 60, by="boss")
        workers = [
            subprocess.Popen(
                [sys.executable, str(script), url, f"worker{n}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for n in range(4)
        ]
        for worker in workers:
            assert worker.stdout is not None
            assert "ready\n" == worker.stdout.readline()
        told = [json.loads(worker.communicate("go\n", timeout=_READY)[0]) for worker in workers]

        assert [0] * 4 == [worker.returncode for worker in workers]
        claimed = [id for one in told for id in one["claimed"]]
        numbers = [number for one in told for number in one["numbers"]]
        assert (60, 60) == (len(claimed), len(set(claimed)))
        assert len(numbers) == len(set(numbers))
        by_worker = {f"worker{n}": sorted(one["claimed"]) for n, one in enumerate(told)}
        found = owners(crm)
        assert by_worker == {name: sorted(i for i, o in found.items() if o == name) for name in by_worker}


def test_sixteen_threads(engine_url: str) -> None:
    with salescrm.connect(engine_url) as crm:
        crm.migrate()
        crm.run(fill, 48, by="boss")
        claimed: dict[str, list[str]] = {f"thread{n}": [] for n in range(16)}

        def claim(work: Work) -> list[str]:
            free = F.owner_id.is_null()
            return [
                one.id for one in work.repository(Customer).change(free, {"owner_id": work.member}, limit=2)
            ]

        def compete(name: str) -> None:
            while got := crm.run(claim, by=name, attempts=500):
                claimed[name] += got

        run_all([lambda name=name: compete(name) for name in claimed])  # type: ignore[misc]  # bound now
        taken = [id for ids in claimed.values() for id in ids]
        assert (48, 48) == (len(taken), len(set(taken)))
        found = owners(crm)
        assert claimed_sorted(claimed) == {
            name: sorted(i for i, owner in found.items() if owner == name) for name in claimed
        }


def test_a_claim_without_compare_and_set_is_caught(memory_url: str) -> None:
    """The control: read, think, write without looking again gives one customer to two."""
    with salescrm.connect(memory_url) as crm:
        crm.run(fill, 1, by="boss")
        both_read = threading.Barrier(2)
        got: list[str] = []

        def careless(name: str) -> None:
            with crm.begin(by=name) as work:
                [free] = work.customers.find(F.owner_id.is_null())
            both_read.wait()
            crm.run(lambda work: work.customers.edit(free.id, owner_id=name), by=name)
            got.append(free.id)

        run_all([lambda: careless("one"), lambda: careless("two")])
        assert (2, 1) == (len(got), len(set(got)))


def claimed_sorted(claimed: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted(ids) for name, ids in claimed.items()}


def run_all(tasks: list[Callable[[], None]]) -> None:
    """All of *tasks* at once, each in a thread; the first error is raised."""
    errors: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as problem:  # noqa: BLE001  # raised again below, in the test's own thread
            errors.append(problem)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
