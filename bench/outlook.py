"""What falls when, of a member with 500 customers: on every engine, in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Final

import attrs

import salescrm
from bench.arena import clock_of
from bench.clocks import ProcessorClock, wall_clock
from bench.engines import Scale, new_database
from bench.material import OWNERS, START, TENANT, customers
from bench.measuring import Chunk, typical
from bench.results import Line
from salescrm.entities import Customer
from salescrm.labels import Label
from salescrm.policy import Policy, Pool, RecycleRule
from salescrm.policy.pools import Anchor
from salescrm.query import F, Where
from salescrm.storage import Insert
from salescrm.values import Region

__all__ = ["measure"]

_MINE: Final = 500
#: So many customers there are for each one of the member's.
_SHARE: Final = 20


def policy() -> Policy:
    """Two pools of three rules each, which between them ask for level, source, follow-ups and deals."""

    def rule(key: str, anchor: Anchor, limit: int, where: Where) -> RecycleRule:
        return RecycleRule(key=key, label=Label(key, key), anchor=anchor, limit=limit, where=where)

    rules = (
        rule("key", "no_follow_up", 35, F.level == "A"),
        rule("other", "no_follow_up", 30, F.level != "A"),
        rule("deal", "no_deal", 60, F.source != "referral"),
    )
    north = Pool(key="north", label=Label("North", "北区"), where=F.region.province == "浙江省", rules=rules)
    return Policy(pools=(north, Pool(key="sea", label=Label("Sea", "公海"), rules=rules)))


def measure(engine: str, scale: Scale) -> Iterator[Line]:
    """The line of *engine*, which may be ``memory``."""
    with ExitStack() as open_:
        if engine == "memory":
            url, clock = "memory://", lambda: wall_clock if scale.by_wall else ProcessorClock()
        else:
            database = open_.enter_context(new_database(engine))
            url, clock = database.url, partial(clock_of, database, by_wall=scale.by_wall)
        crm = open_.enter_context(salescrm.connect(url, policy=policy(), clock=lambda: START))
        crm.migrate()
        store = crm.kit.backend.open(TENANT)
        store.write(Insert(crm.kit.schemas["customers"], list(_customers())))
        store.commit()

        def run() -> None:
            with crm.begin(by=OWNERS[0]) as work:
                found = work.pools.outlook(member=OWNERS[0])
            if len(found) != _MINE:
                raise AssertionError(f"{len(found)} of {_MINE} fall")

        seconds = typical(Chunk(run, clock=clock), rounds=scale.rounds)
        yield Line(
            work="outlook for 500 customers",
            engine=engine,
            contender="salescrm",
            value=seconds * 1e3,
            unit="ms",
        )


def _customers() -> Iterator[Customer]:
    """All of the member's have been quiet long enough to fall soon, and no longer."""
    for n, one in enumerate(customers(_MINE * _SHARE)):
        quiet = START - timedelta(days=10 + n % 17)
        yield attrs.evolve(
            one,
            owner_id=OWNERS[1 + n % 49] if n % _SHARE else OWNERS[0],
            region=one.region if n % 3 else Region("浙江省", "杭州市"),
            owned_since=quiet - timedelta(days=5),
            quiet_since=quiet,
            stuck_since=quiet,
            dealless_since=quiet,
        )
