"""
W8: customers claimed by four processes at once, beside claims by hand.

The hand-written statement takes whatever has been there longest, and skips what others hold just now; it checks nothing,
and nobody can give it up afterwards, which is what the second one by hand has a transaction for.  Ours is told which customer,
as it stands on the member's screen, and checks what a pool's rules say; so does the third one by hand, in as many statements
as that takes.  Each process has customers of its own.  It is timed by its CPU and that of the server's process behind it.
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final, TypeAlias

import attrs

import salescrm
from bench import sameness
from bench.arena import clock_of
from bench.clocks import Clock
from bench.databases import Database
from bench.engines import Scale, new_database
from bench.handwritten.claiming import CheckedClaims, ClaimsInTransactions, PostgresClaims
from bench.material import OWNERS, POOL, clock, ids
from bench.measuring import Chunk, Ratio, race
from bench.results import Line
from salescrm.entities import Customer
from salescrm.labels import Label
from salescrm.policy import ClaimLimits, Policy, Pool
from salescrm.values import Id
from tests import servers

__all__ = ["in_batches", "together"]

_PROCESSES: Final = 4
_FIRST: Final = 40
_LIMITS: Final = ClaimLimits(cap=1_000_000, daily=1_000_000, cool_down=30)


def policy(limits: ClaimLimits) -> Policy:
    """One pool for everybody."""
    return Policy(pools=(Pool(key=POOL, label=Label("Sea", "公海"), everyone=True, claims=limits),))


class _Ours:
    """Claims through the service, of customers that are known beforehand."""

    def __init__(self, url: str, limits: ClaimLimits, seed: int) -> None:
        self.crm = salescrm.connect(url, policy=policy(limits), clock=_moving(), ids=ids(seed))

    def read(self, ids: Sequence[Id]) -> list[Customer]:
        """The customers *ids*, as a page shows them."""
        with self.crm.begin(by=OWNERS[0]) as work:
            found = work.repository(Customer).many(ids)
        return [found[id] for id in ids]

    def claim(self, member: str, *wanted: Customer | Id) -> None:
        """Takes *wanted* in one Work."""
        with self.crm.begin(by=member) as work:
            work.pools.claim(wanted, pool=POOL)

    def close(self) -> None:
        """Frees its connections."""
        self.crm.close()


Claimer: TypeAlias = PostgresClaims | _Ours
#: A claimer at an address, whose ids begin from a seed; it crosses over to another process.
Make: TypeAlias = Callable[[str, int], Claimer]


def _moving() -> Callable[[], Any]:
    """A clock that goes on from behind the moment at which the customers came into the pool."""
    now = clock()
    return lambda: now() + timedelta(days=400)


def _waiting(database: Database) -> list[Id]:
    """The ids of the pool's customers, longest there first."""
    found = database.execute(
        f"SELECT id FROM customers WHERE pool_id = '{POOL}' ORDER BY entered_pool_at, id"
    )
    return [Id(id) for (id,) in found]


def together(scale: Scale) -> Iterator[Line]:
    """W8, in pools without limits and with them."""
    each = max(10, round(100 * scale.share))
    count = _FIRST + each * _PROCESSES * (scale.rounds + 2)
    plain, limited = ClaimLimits(), _LIMITS
    works: dict[str, dict[str, Make]] = {
        "W8 claims by 4 processes": {
            "driver": partial(_by_hand, PostgresClaims),
            "by hand, in a transaction": partial(_by_hand, ClaimsInTransactions),
            "by hand, with the checks": partial(_checked, plain),
            "salescrm": partial(_ours, plain),
        },
        "W8 claims by 4 processes, cap, daily and cool-down": {
            "by hand, with the checks": partial(_checked, limited),
            "salescrm": partial(_ours, limited),
        },
    }
    with new_database("postgresql") as database:
        database.migrate()
        database.load_pooled(count)
        for work, contenders in works.items():
            for name, ratio in _raced(database, contenders, each, scale).items():
                yield Line.of(work, database.engine, name, ratio)


def _raced(
    database: Database, contenders: Mapping[str, Make], each: int, scale: Scale
) -> Mapping[str, Ratio]:
    databases = {name: database.copy() for name in contenders}
    for name, make in contenders.items():
        _claim_first(databases[name], make)
    _compare(databases)
    with ExitStack() as open_:
        teams = {
            name: open_.enter_context(_team(databases[name], make, each, by_wall=scale.by_wall))
            for name, make in contenders.items()
        }
        return race({name: team.chunk for name, team in teams.items()}, rounds=scale.rounds)


def in_batches(engine: str, scale: Scale) -> Iterator[Line]:
    """Claims of ten customers at a time beside claims one by one, in a pool with limits: time per customer."""
    size, each = 10, max(1, round(20 * scale.share))
    with new_database(engine) as database:
        database.migrate()
        database.load_pooled(2 * size * each * (scale.rounds + 2))
        waiting = iter(_waiting(database))
        with closing(_Ours(database.url, _LIMITS, 1)) as ours:

            def run(at_once: int) -> None:
                for _ in range(size * each // at_once):
                    ours.claim(OWNERS[3], *itertools.islice(waiting, at_once))

            def chunk(at_once: int) -> Chunk:
                clock = partial(clock_of, database, by_wall=scale.by_wall)
                return Chunk(partial(run, at_once), None, size * each, clock)

            ratios = race({"one by one": chunk(1), "salescrm": chunk(size)}, rounds=scale.rounds)
    for name, ratio in ratios.items():
        yield Line.of("claims ten at a time, to one by one", engine, name, ratio)


def _claim_first(database: Database, make: Make) -> None:
    """The first of them, one after the other, by members in turn."""
    wanted = _in_hand(make, database.url, _waiting(database)[:_FIRST])
    with closing(make(database.url, 1)) as claimer:
        for n, one in enumerate(wanted):
            claimer.claim(OWNERS[n % 7], one)


def _compare(databases: dict[str, Database]) -> None:
    """All that was written of the first claims; ids are each contender's own."""
    orders = {"customers": "id", "ownership": "customer_id", "change_log": "record_id", "events": "record_id"}
    for table, order in orders.items():
        where = "WHERE owner_id IS NOT NULL" if table == "customers" else ""
        found = {
            name: [sameness.row(table, row) for row in one.rows(table, where=where, order=order)]
            for name, one in databases.items()
        }
        for name, rows in found.items():
            if len(rows) != _FIRST:
                raise sameness.Different(f"claim, {table}: {name} wrote {len(rows)} rows")
            for row in rows if table != "customers" else ():
                del row["id"]
        sameness.same(f"claim, {table}", found)


@attrs.frozen
class _Team:
    """Processes that claim at the same time from *database*."""

    database: Database
    doors: Sequence[Connection]
    each: int
    by_wall: bool

    @property
    def chunk(self) -> Chunk:
        """All of them claim their share; it takes what it costs them and the server together."""
        spent = [0.0]

        def run() -> None:
            for door in self.doors:
                door.send(self.each)
            spent[0] += sum(door.recv() for door in self.doors)

        def clock() -> Clock:
            timer = clock_of(self.database, by_wall=self.by_wall)
            return timer if self.by_wall else lambda: timer() + spent[0]

        return Chunk(run, None, self.each * len(self.doors), clock)


@contextmanager
def _team(database: Database, make: Make, each: int, *, by_wall: bool) -> Iterator[_Team]:
    spawn = multiprocessing.get_context("spawn")
    doors, processes = [], []
    waiting = _waiting(database)
    for n in range(_PROCESSES):
        here, there = spawn.Pipe()
        process = spawn.Process(target=_work, args=(there, database.url, make, waiting[n::_PROCESSES], n))
        process.start()
        doors.append(here)
        processes.append(process)
    try:
        for door in doors:
            door.recv()  # it has read what stands on its member's screen
        yield _Team(database, doors, each, by_wall)
    finally:
        for door in doors:
            door.send(0)
        for process in processes:
            process.join()


def _work(door: Connection, url: str, make: Make, mine: list[Id], number: int) -> None:
    """A process: claims as many as it is told, and says how long it was on a CPU for them."""
    # As many as a member may well have; to count the customers of one who has thousands is all that one would measure.
    wanted = _in_hand(make, url, mine)
    rest = ((f"{OWNERS[number]}{n // 100}", one) for n, one in enumerate(wanted))
    with closing(make(url, number + 10)) as claimer:
        door.send(True)
        while count := door.recv():
            start = time.process_time()
            for member, one in itertools.islice(rest, count):
                claimer.claim(member, one)
            door.send(time.process_time() - start)


def _in_hand(make: Make, url: str, ids: list[Id]) -> list[Any]:
    """What is claimed by: of ours the customers as a page shows them, read by another, since each look at a clock moves it on."""
    with closing(make(url, 0)) as reader:
        return reader.read(ids) if isinstance(reader, _Ours) else ids


def _ours(limits: ClaimLimits, url: str, seed: int) -> _Ours:
    return _Ours(url, limits, seed)


def _by_hand(kind: type[PostgresClaims], url: str, seed: int) -> PostgresClaims:
    return kind(servers.driver_url(url), _moving(), ids(seed))


def _checked(limits: ClaimLimits, url: str, seed: int) -> CheckedClaims:
    return CheckedClaims(servers.driver_url(url), _moving(), ids(seed), limits)
