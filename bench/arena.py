"""Where contenders meet: each on a database that suits it, all with the same content, the same clock and the same ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs

from bench.clocks import Clock, ProcessorClock, wall_clock
from bench.contender import Contender
from bench.databases import Database
from bench.material import clock, ids
from bench.ours import Ours

__all__ = ["PEERS", "Arena", "arena", "clock_of"]

#: Whom else one might ask to do it.
PEERS = ("SQLAlchemy ORM", "Django", "advanced-alchemy")


def clock_of(database: Database, *, by_wall: bool) -> Clock:
    """What to time work on *database* by just now."""
    return wall_clock if by_wall else ProcessorClock.with_server(database.backends())


@attrs.frozen
class Arena:
    """Contenders and their databases by name, the driver first."""

    engine: str
    contenders: dict[str, Contender]
    databases: dict[str, Database]
    by_wall: bool

    def clock_of(self, name: str) -> Clock:
        """What to time a contender by just now: this process, and the server's processes that it is connected to."""
        return clock_of(self.databases[name], by_wall=self.by_wall)


@contextmanager
def arena(database: Database, *, peers: Sequence[str], writing: bool, by_wall: bool) -> Iterator[Arena]:
    """
    The contenders on *database* and its copies.

    Those who write have a database each; those who only read share one, but for the spelling of moments on SQLite.
    """
    databases = {name: database.copy() if writing else database for name in ("driver", "salescrm")}
    if peers:
        theirs = database.copy_for_peers()
        databases |= {name: theirs.copy() if writing else theirs for name in peers}
    contenders: dict[str, Contender] = {
        "driver": databases["driver"].driver(clock(), ids()),
        "salescrm": Ours(databases["salescrm"].url, clock(), ids()),
    }
    contenders |= {name: _peer(name, databases[name].url) for name in peers}
    try:
        yield Arena(database.engine, contenders, databases, by_wall)
    finally:
        for contender in contenders.values():
            contender.close()


def _peer(name: str, url: str) -> Contender:
    # Imported here: a run without peers needs none of them.
    match name:
        case "SQLAlchemy ORM":
            from bench.peers.orm import OrmPeer

            return OrmPeer(url, clock(), ids())
        case "Django":
            from bench.peers.django import DjangoPeer

            return DjangoPeer(url, clock(), ids())
        case "advanced-alchemy":
            from bench.peers.alchemy import AlchemyPeer

            return AlchemyPeer(url, clock(), ids())
        case _:
            raise ValueError(f"no peer is called {name}; there are {', '.join(PEERS)}")
