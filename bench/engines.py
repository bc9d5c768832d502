"""Runs the workloads on an engine: its databases are made, loaded and thrown away here."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from bench.arena import arena
from bench.databases import Database, PostgresDatabase, SqliteDatabase
from bench.measuring import race
from bench.results import Line
from bench.workloads import WORKLOADS, Workload
from tests import servers

__all__ = ["Scale", "new_database", "run_engine"]


@attrs.frozen(kw_only=True)
class Scale:
    """How much is done: rows to read from, the share of a workload's size, rounds."""

    customers: int = 200_000
    deals: int = 1_000_000
    quiet: int = 1_000_000
    share: float = 1.0
    rounds: int = 15
    peers: tuple[str, ...] = ()
    by_wall: bool = False

    @property
    def peer_rounds(self) -> int:
        """The peers are far off: fewer rounds tell."""
        return max(5, self.rounds // 3)


def run_engine(engine: str, keys: Sequence[str], scale: Scale) -> Iterator[Line]:
    """The lines of the workloads *keys* on *engine*, each as soon as it is known."""
    chosen = [one for one in WORKLOADS if one.key in keys]
    for needs in ("empty", "customers", "deals"):
        workloads = [one for one in chosen if one.needs == needs]
        if not workloads:
            continue
        with new_database(engine) as database:
            database.migrate()
            if needs == "customers":
                database.load_customers(scale.customers)
            elif needs == "deals":
                database.load_deals(scale.deals)
            for workload in workloads:
                yield from _race(workload, database, scale)


def _race(workload: Workload, database: Database, scale: Scale) -> Iterator[Line]:
    """Us against the driver, then the peers against the driver."""
    fields: list[tuple[tuple[str, ...], int, int]] = [((), workload.size, scale.rounds)]
    if scale.peers:
        fields.append((scale.peers, workload.peers_size, scale.peer_rounds))
    for peers, size, rounds in fields:
        share = max(1, round(size * scale.share)) if size > 1 else size
        writing = workload.needs == "empty"
        with arena(database, peers=peers, writing=writing, by_wall=scale.by_wall) as here:
            chunks = workload.prepare(here, share)
            if peers:
                del chunks["salescrm"]
            # What stands by now stays: the collector need not walk over it in the middle of a race.
            gc.freeze()
            ratios = race(chunks, rounds=_fewer(rounds, workload))
            gc.unfreeze()
        for name, ratio in ratios.items():
            if not (peers and name == "driver"):
                yield Line.of(workload.name, database.engine, name, ratio)


def _fewer(rounds: int, workload: Workload) -> int:
    """A chunk of 50,000 is long enough to be steady in five rounds."""
    return min(rounds, 5) if workload.size >= 10_000 else rounds


@contextmanager
def new_database(engine: str) -> Iterator[Database]:
    """An empty database, gone at the end with all its copies."""
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield SqliteDatabase(Path(folder) / "bench.db")
        return
    with servers.postgres_url() as url:
        yield PostgresDatabase(url)
