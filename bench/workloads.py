"""
W1 to W6: what every contender does, checked to be the same before it is timed.

Each function takes an `Arena` and gives the chunks of its race, after it has compared what the contenders have written or
read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import attrs

from bench import sameness
from bench.arena import Arena
from bench.contender import Contender
from bench.material import OWNERS, drafts
from bench.measuring import Chunk

__all__ = ["WORKLOADS", "Workload"]

Chunks: TypeAlias = dict[str, Chunk]

#: So many at the start, to be compared, and to have every path warm.
_FIRST: Final = 60
_TABLES: Final = ("customers", "change_log", "events")


@attrs.frozen(kw_only=True)
class Workload:
    """
    One line of the table.

    *needs* is the database that it runs on: ``empty``, ``customers`` or ``deals``; *size* how much of it a chunk does, and
    *peers_size* in the race with the peers.
    """

    key: str
    name: str
    needs: str
    size: int
    peers_size: int
    prepare: Callable[[Arena, int], Chunks]


def _chunks(
    arena: Arena, work: Callable[[Contender], Callable[[], object]], size: float, before: Any = None
) -> Chunks:
    return {
        name: Chunk(work(one), before and before(one), size, partial(arena.clock_of, name))
        for name, one in arena.contenders.items()
    }


def _compare_rows(arena: Arena, what: str, *, ignored: Mapping[str, Iterable[str]] | None = None) -> None:
    """Compares all that was written."""
    for table in _TABLES:
        found = {
            name: [sameness.row(table, row) for row in database.rows(table)]
            for name, database in arena.databases.items()
        }
        for rows in found.values():
            for name in (ignored or {}).get(table, ()):
                for row in rows:
                    del row[name]
            if ignored:
                rows.sort(key=repr)
        sameness.same(f"{what}, {table}", found)


def create(arena: Arena, size: int) -> Chunks:
    """W1."""
    for one in arena.contenders.values():
        for fields in itertools.islice(drafts(1), _FIRST):
            one.create(fields)
    _compare_rows(arena, "create")
    endless = {name: drafts(2) for name in arena.contenders}

    def work(one: Contender) -> Callable[[], object]:
        def run() -> None:
            for fields in itertools.islice(endless[one.name], size):
                one.create(fields)

        return run

    return _chunks(arena, work, size)


def create_many(arena: Arena, size: int) -> Chunks:
    """W2."""
    few, all_ = list(itertools.islice(drafts(1), _FIRST)), list(itertools.islice(drafts(3), size))
    for one in arena.contenders.values():
        arena.databases[one.name].clear()
        one.create_many(few)
    # Ids are drawn per batch here, per record there, and numbers come from where W1 left them.
    same_by = {"customers": ["id", "number", "search_text"], "change_log": ["id", "record_id", "changes"]}
    _compare_rows(arena, "bulk create", ignored=same_by | {"events": ["id", "record_id", "data"]})
    return _chunks(
        arena,
        lambda one: lambda: one.create_many(all_),
        size,
        before=lambda one: arena.databases[one.name].clear,
    )


def _known(arena: Arena, count: int) -> list[str]:
    """The ids of *count* customers anywhere in the table."""
    found = arena.databases["driver"].execute(
        f"SELECT id FROM customers WHERE id IN (SELECT id FROM customers ORDER BY number LIMIT {count * 7}) ORDER BY name"
    )
    return [id for (id,) in found[::7]]


def get_pooled(arena: Arena, size: int) -> Chunks:
    """W3, a unit of work each."""
    wanted = _known(arena, size)
    sameness.same(
        "get", {n: [sameness.record(c.get(id)) for id in wanted] for n, c in arena.contenders.items()}
    )

    def work(one: Contender) -> Callable[[], object]:
        def run() -> None:
            for id in wanted:
                one.get(id)

        return run

    return _chunks(arena, work, size)


def get_open(arena: Arena, size: int) -> Chunks:
    """W3, in one open unit of work."""
    wanted = _known(arena, size)

    def work(one: Contender) -> Callable[[], object]:
        def run() -> None:
            with one.reading() as get:
                for id in wanted:
                    get(id)

        return run

    return _chunks(arena, work, size)


def page(arena: Arena, size: int) -> Chunks:
    """W4: the first *size* pages of an owner, another one each time."""
    owner = OWNERS[7]
    found = {
        name: [[sameness.record(one) for one in page] for page in itertools.islice(contender.pages(owner), 5)]
        for name, contender in arena.contenders.items()
    }
    sameness.same("page", found)
    turns = {name: itertools.cycle(OWNERS) for name in arena.contenders}

    def work(one: Contender) -> Callable[[], object]:
        def run() -> None:
            for _ in itertools.islice(one.pages(next(turns[one.name])), size):
                pass

        return run

    return _chunks(arena, work, size)


def edit(arena: Arena, size: int) -> Chunks:
    """W5: the same customers over and over, each time in another level."""
    held: dict[str, list[Any]] = {}
    for name, one in arena.contenders.items():
        held[name] = [one.create(fields) for fields in itertools.islice(drafts(5), size)]
        held[name] = [one.edit(customer, "S") for customer in held[name]]
    _compare_rows(arena, "edit")
    levels = {name: itertools.count(1) for name in arena.contenders}

    def work(one: Contender) -> Callable[[], object]:
        def run() -> None:
            level = f"A{next(levels[one.name])}"
            held[one.name] = [one.edit(customer, level) for customer in held[one.name]]

        return run

    return _chunks(arena, work, size)


def funnel(arena: Arena, size: int) -> Chunks:
    """W6."""
    found = {name: [sameness.group(one) for one in c.funnel()] for name, c in arena.contenders.items()}
    # Null comes first for us, and where it likes elsewhere.
    sameness.same("funnel", {name: sorted(groups, key=repr) for name, groups in found.items()})
    return _chunks(arena, lambda one: one.funnel, size)


WORKLOADS: Final = (
    Workload(
        key="W1", name="W1 create with log and event", needs="empty", size=200, peers_size=50, prepare=create
    ),
    Workload(
        key="W5",
        name="W5 update one field with log and event",
        needs="empty",
        size=200,
        peers_size=50,
        prepare=edit,
    ),
    Workload(
        key="W2",
        name="W2 bulk create with log and events",
        needs="empty",
        size=50_000,
        peers_size=2_000,
        prepare=create_many,
    ),
    Workload(
        key="W3",
        name="W3 get, from the pool",
        needs="customers",
        size=1_000,
        peers_size=200,
        prepare=get_pooled,
    ),
    Workload(
        key="W3",
        name="W3 get, in an open Work",
        needs="customers",
        size=1_000,
        peers_size=200,
        prepare=get_open,
    ),
    Workload(
        key="W4", name="W4 page of 50 of 200,000", needs="customers", size=40, peers_size=10, prepare=page
    ),
    Workload(key="W6", name="W6 funnel over 1,000,000", needs="deals", size=1, peers_size=1, prepare=funnel),
)
