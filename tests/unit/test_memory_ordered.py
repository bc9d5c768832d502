"""The sorted list that the memory backend's indexes are."""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain
from random import Random
from typing import Any

import pytest

from salescrm.backends.memory.ordered import TOP, Entry, Ordered
from tests.unit.deals import NOON


def between(entries: Ordered, low: Entry, high: Entry, *, descending: bool = False) -> list[Entry]:
    """All entries of that range."""
    return list(chain.from_iterable(entries.parts(low, high, descending=descending)))


@pytest.mark.parametrize("seed", range(4))
def test_ordered_is_a_sorted_list(seed: int) -> None:
    """Through thousands of additions and removals, singly and in bulk, and back down to nothing."""
    random = Random(seed)
    pool = [(random.choice("abc"), n) for n in range(12_000)]
    random.shuffle(pool)
    model = sorted(pool[:3000])
    entries = Ordered(pool[:3000])
    for batch in (pool[3000:3005], pool[3005:9000], *[[one] for one in pool[9000:]]):
        entries.update(batch)
        model = sorted(model + batch) if len(batch) > 1 else model
        if len(batch) == 1:
            model.insert(bisect_left(model, batch[0]), batch[0])
    assert model == between(entries, (), (TOP,))

    for entry in random.sample(pool, 11_000):
        entries.remove(entry)
        del model[bisect_left(model, entry)]
    assert len(model) == len(entries)
    ranges: list[tuple[Entry, Entry]] = [
        (("a",), ("b",)),
        (("b", 500), ("b", 9000)),
        (("c", TOP), (TOP,)),
        (("b",), ("a",)),
    ]
    for low, high in ranges:
        expected = [entry for entry in model if low <= entry < high]
        assert expected == between(entries, low, high)
        assert expected[::-1] == between(entries, low, high, descending=True)

    for entry in model:
        entries.remove(entry)
    assert [] == between(entries, (), (TOP,))
    entries.add(("z", 1))
    assert [("z", 1)] == between(entries, (), (TOP,))


def test_top_stands_behind_every_value() -> None:
    """Also behind another tuple's longer continuation, whatever the types."""
    values: list[Any] = ["", "\U0010ffff", 2**60, True, NOON, NOON.date()]
    for value in values:
        shorter: Entry = ("a", TOP)
        longer: Entry = ("a", value, "z")
        assert longer < shorter
        assert shorter > longer
        assert max(longer, shorter, longer) is shorter
        assert min(shorter, longer) is longer
        assert not (TOP,) < (TOP,)
