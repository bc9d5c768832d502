"""
Where a page goes on, as ranges that an index can serve; pure rewriting of one condition, no SQL.

"Behind this record" over keys that may be null is an OR, and an OR makes an engine read a list from its beginning. Told
apart by where the nulls stand it is one to three ranges, each of which starts where the index says.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from salescrm.plans import After, Cmp, Condition, Negated, Null, Ref, SortKey

__all__ = ["Segment", "segments"]


@attrs.frozen
class Segment:
    """
    One range: the *conditions*, and behind the values in *slots* on *keys*.

    The keys run one way and the values are not null, so ``(a, b, id) > (?, ?, ?)`` says it: a null in the record makes
    that not true.
    """

    conditions: tuple[Condition, ...] = ()
    keys: tuple[SortKey, ...] = ()
    slots: tuple[int, ...] = ()

    def within(self, *conditions: Condition) -> Segment:
        """The part of this range where *conditions* hold too."""
        return attrs.evolve(self, conditions=(*conditions, *self.conditions))


def segments(after: After) -> Iterator[Segment]:
    """The disjoint ranges that together say *after*."""
    keys, slots, nulls = after.keys, after.slots, after.nulls
    if not keys:
        return
    first = Null(Ref(keys[0].column))
    if nulls[0]:
        for rest in segments(After(keys[1:], slots[1:], nulls[1:])):
            yield rest.within(first)
        if not keys[0].descending:
            yield Segment((Negated(first),))
        return
    run = 1
    while run < len(keys) and not nulls[run] and keys[run].descending == keys[0].descending:
        run += 1
    level = [Cmp(Ref(key.column), "eq", slot) for key, slot in zip(keys[:run], slots[:run], strict=True)]
    for rest in segments(After(keys[run:], slots[run:], nulls[run:])):
        yield rest.within(*level)
    yield Segment((), keys[:run], slots[:run])
    for at in range(run):
        if keys[at].descending and keys[at].column.nullable:
            yield Segment((*level[:at], Null(Ref(keys[at].column))))
