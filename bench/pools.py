"""
W7: a night of recycling over a million customers, of which a twentieth falls, beside the same by hand.

Each round is a night of its own, so that nothing has to be put back: the customers have been quiet since any of twenty
days, and each night those of one more day fall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

import salescrm
from bench import sameness
from bench.arena import clock_of
from bench.databases import Database
from bench.engines import Scale, new_database
from bench.handwritten.recycling import PostgresNight, SqliteNight
from bench.handwritten.rows import iso
from bench.material import POOL, RULE, ZONE
from bench.measuring import Chunk, race
from bench.results import Line
from salescrm.calendars import start_of_day
from salescrm.labels import Label
from salescrm.policy import Policy, Pool, RecycleRule
from tests import servers

__all__ = ["FIRST", "an_hour_into", "falling", "load", "policy", "recycle"]

_LIMIT: Final = 30
_DAYS: Final = 20
#: The first night.
FIRST: Final = date(2026, 3, 2)
_DAY: Final = timedelta(days=1)
#: What a night writes, where, and in an order that two contenders share. We log the run itself too, a row a night.
_WRITTEN: Final = {
    "customers": ("WHERE pool_id IS NOT NULL", "id"),
    "ownership": ("", "customer_id"),
    "change_log": ("WHERE entity = 'customers'", "record_id"),
    "events": ("", "record_id"),
    "notices": ("", "record_id"),
}


def policy() -> Policy:
    """One pool that takes everything back after thirty days; nobody is warned before."""
    rule = RecycleRule(
        key=RULE, label=Label("quiet", "久未跟进"), anchor="no_follow_up", limit=_LIMIT, warnings=()
    )
    return Policy(pools=(Pool(key=POOL, label=Label("Sea", "公海"), everyone=True, rules=(rule,)),))


@attrs.define
class _Nights:
    """One contender's nights: each call of `run` is the next one."""

    night: Callable[[date], object]
    day: date = FIRST

    def run(self) -> None:
        self.night(self.day)
        self.day += _DAY


def recycle(engine: str, scale: Scale) -> Iterator[Line]:
    """W7 on *engine*."""
    with new_database(engine) as database:
        database.migrate()
        load(database, scale.quiet)
        databases = {name: database.copy() for name in ("driver", "salescrm")}
        now = [start_of_day(FIRST, ZONE)]
        hand = _by_hand(databases["driver"])
        crm = salescrm.connect(databases["salescrm"].url, policy=policy(), clock=lambda: now[0])

        def by_hand(day: date) -> None:
            begin = start_of_day(day, ZONE)
            hand.run(an_hour_into(day), begin, _safe_from(day), day)

        def ours(day: date) -> None:
            now[0] = an_hour_into(day)
            crm.tick()

        nights = {"driver": _Nights(by_hand), "salescrm": _Nights(ours)}
        for one in nights.values():
            one.run()
        _compare(databases)
        chunks = {
            name: Chunk(one.run, None, 1, partial(clock_of, databases[name], by_wall=scale.by_wall))
            for name, one in nights.items()
        }
        ratios = race(chunks, rounds=min(scale.rounds, 9))
        _compare_counts(databases)
        hand.close()
        crm.close()
        for name, ratio in ratios.items():
            yield Line.of("W7 recycle 5 % of 1,000,000", engine, name, ratio)


def load(database: Database, count: int) -> None:
    """*count* customers, of which as many fall in each of the first twenty nights."""
    # Those of the first day have their last safe day on the eve of the first night.
    database.load_quiet(count, start_of_day(FIRST - (_LIMIT + 1) * _DAY, ZONE), _DAYS)


def falling(engine: str) -> str:
    """SQL of who falls in the first night."""
    before = iso(_safe_from(FIRST))
    return f"quiet_since < '{before}'" if engine == "sqlite" else f"quiet_since < timestamptz '{before}'"


def _safe_from(day: date) -> datetime:
    """Who has been heard of since then is safe when *day* begins."""
    return start_of_day(day - _LIMIT * _DAY, ZONE)


def an_hour_into(day: date) -> datetime:
    """When the run of *day* happens."""
    return start_of_day(day, ZONE) + timedelta(hours=1)


def _by_hand(database: Database) -> Any:
    if database.engine == "sqlite":
        return SqliteNight(database.url.removeprefix("sqlite:///"))
    return PostgresNight(servers.driver_url(database.url))


def _compare(databases: dict[str, Database]) -> None:
    """Every customer that fell, and every row that tells of it."""
    for table, (where, order) in _WRITTEN.items():
        found = {
            name: [sameness.row(table, row) for row in one.rows(table, where=where, order=order)]
            for name, one in databases.items()
        }
        if not all(found.values()):
            raise sameness.Different(f"recycle, {table}: nothing was written")
        if order != "id":  # each contender draws its own ids
            for rows in found.values():
                for row in rows:
                    del row["id"]
        sameness.same(f"recycle, {table}", found)
    _compare_counts(databases)


def _compare_counts(databases: dict[str, Database]) -> None:
    """How many customers have an owner, and how many rows there are."""
    owned = "(SELECT count(*) FROM customers WHERE owner_id IS NOT NULL)"
    counts = [f"(SELECT count(*) FROM {table} {where})" for table, (where, _) in _WRITTEN.items()]
    counted = f"SELECT {', '.join([owned, *counts])}"
    sameness.same("recycle", {name: one.execute(counted) for name, one in databases.items()})
