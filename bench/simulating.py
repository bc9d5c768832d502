"""
The most memory that a process holds while it simulates a night over a million customers, of which a twentieth falls.

``python -m bench.simulating URL`` is that process: it has nothing else to do, so that its peak is that of the simulation;
prints it as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import salescrm
from bench import pools
from bench.engines import Scale, new_database
from bench.material import MEMBER
from bench.measuring import peak_megabytes
from bench.results import Line

__all__ = ["measure"]

_ROOT = Path(__file__).resolve().parent.parent


def measure(engine: str, scale: Scale) -> Iterator[Line]:
    """The line of *engine*."""
    with new_database(engine) as database:
        database.migrate()
        pools.load(database, scale.quiet)
        command = [sys.executable, "-m", "bench.simulating", database.url]
        done = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=_ROOT).stdout)
        ((quiet,),) = database.execute(
            f"SELECT count(*) FROM customers WHERE {pools.falling(database.engine)}"
        )
    if done["falls"] != quiet:
        raise AssertionError(f"{done['falls']} of {quiet} customers fall")
    yield Line(
        work="memory of a night simulated over 1,000,000",
        engine=engine,
        contender="salescrm",
        value=done["megabytes"],
        unit="MB",
        microseconds=done["seconds"] * 1e6,
    )


def main(url: str) -> None:
    """Simulates the first night, from the evening before."""
    night = pools.an_hour_into(pools.FIRST)
    with salescrm.connect(url, policy=pools.policy(), clock=lambda: night - timedelta(hours=3)) as crm:
        start = time.perf_counter()
        with crm.begin(by=MEMBER) as work:
            falls = sum(1 for _ in work.pools.simulate(at=night).falls)
        seconds = time.perf_counter() - start
    print(json.dumps({"falls": falls, "seconds": seconds, "megabytes": peak_megabytes()}))


if __name__ == "__main__":
    main(sys.argv[1])
