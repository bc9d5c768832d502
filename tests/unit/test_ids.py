"""What ids promise: their form, their order, and that no two are the same."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescrm.errors import InvalidValue
from salescrm.values import IdMaker, moment, uuid7

NOON = datetime(2026, 3, 15, 12, 0, 0, 123000, tzinfo=UTC)


def counting(start: int = 0) -> Callable[[int], bytes]:
    """Bytes that no two calls share."""
    step = iter(range(start, 1 << 30))
    return lambda size: next(step).to_bytes(size)


def test_uuid7_is_a_version_7_uuid_of_that_millisecond() -> None:
    made = uuid.UUID(uuid7(NOON, lambda size: b"\xff" * size))

    assert (7, uuid.RFC_4122) == (made.version, made.variant)
    assert int(NOON.timestamp() * 1000) == made.int >> 80
    assert str(made) == uuid7(NOON, lambda size: b"\xff" * size)


def test_uuid7_uses_all_74_random_bits() -> None:
    none = uuid.UUID(uuid7(NOON, bytes)).int
    every = uuid.UUID(uuid7(NOON, lambda size: b"\xff" * size)).int

    assert 74 == (none ^ every).bit_count()


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31)), min_size=2))
def test_uuid7_sorts_as_its_moments_do(naive: list[datetime]) -> None:
    moments = sorted({moment(when.replace(tzinfo=UTC)) for when in naive})

    ids = [uuid7(when) for when in moments]

    assert ids == sorted(ids)


@pytest.mark.parametrize("now", [datetime(2026, 1, 1), datetime(1969, 12, 31, tzinfo=UTC)])
@pytest.mark.parametrize("make", [uuid7, IdMaker()])
def test_an_id_needs_an_aware_moment_since_1970(make: Callable[[datetime], str], now: datetime) -> None:
    with pytest.raises(InvalidValue):
        make(now)


@given(st.lists(st.integers(-3, 3), max_size=50))
def test_a_maker_only_ascends_though_the_clock_steps_back(steps: list[int]) -> None:
    make, now, ids = IdMaker(), NOON, []
    for step in steps:
        now += timedelta(milliseconds=step)
        ids.append(make(now))

    assert ids == sorted(set(ids))
    assert all(7 == uuid.UUID(made).version and uuid.RFC_4122 == uuid.UUID(made).variant for made in ids)


def test_a_maker_runs_ahead_when_a_millisecond_is_full() -> None:
    make = IdMaker(lambda size: b"\xff" * size)
    first = make(NOON)
    make._count = 0x3FF_FFFF - 1

    last, ahead, more = make(NOON), make(NOON), make(NOON)

    assert [first, last, ahead, more] == sorted({first, last, ahead, more})
    assert first[:13] == last[:13] < ahead[:13] == more[:13]


def test_the_time_in_a_maker_s_id_is_now() -> None:
    make = IdMaker()

    later = [uuid.UUID(make(NOON + timedelta(milliseconds=n))).int >> 80 for n in range(5)]

    assert list(range(later[0], later[0] + 5)) == later
    assert int(NOON.timestamp() * 1000) == later[0]


def test_threads_never_get_the_same_id_of_one_maker() -> None:
    # Zero noise: only the counter, under its lock, tells ids apart.
    make = IdMaker(bytes)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: [make(NOON) for _ in range(2000)], range(8)))

    assert 16000 == len({one for ids in made for one in ids})
    assert all(ids == sorted(ids) for ids in made)


def test_makers_with_one_counter_differ_by_chance() -> None:
    one, other = IdMaker(counting(1)), IdMaker(counting(1000))

    assert not {one(NOON) for _ in range(100)} & {other(NOON) for _ in range(100)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_of_a_fork_make_different_ids() -> None:
    make = IdMaker()
    make(NOON)
    read, write = os.pipe()

    child = os.fork()
    if not child:
        os.write(write, make(NOON).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert make(NOON) != os.read(read, 36).decode()
