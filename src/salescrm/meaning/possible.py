"""Whether a condition can hold for any record at all, told without one: for whoever writes rules that never fire."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

import attrs

from salescrm.kinds import Kind
from salescrm.plans import (
    After,
    AllOf,
    AnyOf,
    Cmp,
    Condition,
    Const,
    Includes,
    InSlot,
    ListHas,
    Negated,
    Null,
    Ref,
    Source,
    Starts,
)

__all__ = ["possible"]

#: So many ways are tried; beyond them the answer is that it can't be told.
_MOST_WAYS: Final = 20_000
#: What a value that is there has to pass, against another one.
_TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        "in": lambda value, among: value in among,
        "not in": lambda value, among: value not in among,
        "lt": operator.lt,
        "ge": operator.ge,
        "gt": operator.gt,
        "le": operator.le,
        "starts": lambda value, text: value.startswith(text),
        "starts not": lambda value, text: not value.startswith(text),
        "has": lambda value, part: part in value,
        "has not": lambda value, part: part not in value,
    }
)
#: What passes one of them when it fails the other.
_OPPOSITES: Final = (
    ("in", "not in"),
    ("lt", "ge"),
    ("gt", "le"),
    ("starts", "starts not"),
    ("has", "has not"),
)
_OPPOSITE: Final[Mapping[str, str]] = MappingProxyType(
    dict(_OPPOSITES) | {opposite: test for test, opposite in _OPPOSITES}
)


def possible(where: Condition, values: Sequence[Any]) -> bool:
    """
    Whether some record may be one that *where* holds for; *values* are those of its slots, None for one that is not known.

    False is certain.  True is said too where it can't be told: each value is looked at by itself, and not held against
    the others of its record.
    """
    return _Search(values).holds([(where, True)], [], {})


@attrs.frozen
class _Passes:
    """The value of *source* is there, and passes *test* against *other*; any value does where *test* is None."""

    source: Source
    test: str | None = None
    other: Any = None

    def opposite(self) -> _Passes:
        """The value is there and fails."""
        return self if self.test is None else attrs.evolve(self, test=_OPPOSITE[self.test])


#: What is to hold, or not to hold.
_Wanted: TypeAlias = tuple[Condition | _Passes, bool]


@attrs.frozen
class _Value:
    """What must be true of one value of a record: whether it is null, and what it has to pass otherwise."""

    null: bool | None = None
    tests: frozenset[tuple[str, Any]] = frozenset()

    @property
    def is_possible(self) -> bool:
        """Whether there may be such a value."""
        if self.null is None or self.null:
            return True
        among = next((other for test, other in self.tests if test == "in"), None)
        if among is not None:
            return any(all(_TESTS[test](one, other) for test, other in self.tests) for one in among)
        return not (self._is_empty_range() or self._contradicts_itself())

    def _is_empty_range(self) -> bool:
        lows, highs = list(self._bounds("ge", "gt", 1)), list(self._bounds("le", "lt", -1))
        if not lows or not highs:
            return False
        low, high = max(bound for bound, _ in lows), min(bound for bound, _ in highs)
        if low != high:
            return bool(low > high)
        barred = any(low in other for test, other in self.tests if test == "not in")
        return barred or (low, True) in lows or (high, True) in highs

    def _bounds(self, closed: str, open_: str, step: int) -> Iterator[tuple[Any, bool]]:
        """Each bound, and whether it is itself left out; a whole number has a next one, so that one never is."""
        for test, bound in self.tests:
            if test == closed:
                yield bound, False
            elif test == open_:
                yield (bound + step, False) if type(bound) is int else (bound, True)

    def _contradicts_itself(self) -> bool:
        starts = [text for test, text in self.tests if test == "starts"]
        longest = max(starts, key=len, default="")
        return (
            any((f"{test} not", other) in self.tests for test, other in self.tests)
            or any(not longest.startswith(text) for text in starts)
            or any(longest.startswith(text) for test, text in self.tests if test == "starts not")
        )


class _Search:
    """Looks for one way in which everything that is wanted can hold together."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self._ways = 0

    def holds(
        self, wanted: list[_Wanted], open_choices: list[list[_Wanted]], known: Mapping[Source, _Value]
    ) -> bool:
        """Whether all that is *wanted*, and one of each of *open_choices*, may hold beside what is *known*."""
        self._ways += 1
        if self._ways > _MOST_WAYS:
            return True
        found, choices, todo = dict(known), list(open_choices), list(wanted)
        while todo:
            one, is_to_hold = todo.pop()
            match one:
                case Const(value):
                    if value is not is_to_hold:
                        return False
                case Negated(part):
                    todo.append((part, not is_to_hold))
                case AllOf(parts) | AnyOf(parts):
                    each: list[_Wanted] = [(part, is_to_hold) for part in parts]
                    if isinstance(one, AllOf) is is_to_hold:
                        todo += each
                    else:
                        choices.append(each)
                case Null(source):
                    if not _learnt(found, source, null=is_to_hold):
                        return False
                case After():
                    pass  # of the place in a list nothing can be told
                case Cmp() | InSlot() | ListHas() | Starts() | Includes():
                    passes = self._passes(one)
                    if is_to_hold:
                        todo.append((passes, True))
                    else:  # it is null, or it is there and fails
                        choices.append([(Null(one.source), True), (passes.opposite(), True)])
                case _Passes():
                    if not _learnt(found, one.source, null=False, test=one):
                        return False
                case _:
                    assert_never(one)
        if not choices:
            return True
        # What holds for sure has been learnt first, so most ways end at once.
        first, *others = choices
        return any(self.holds([way], others, found) for way in first)

    def _passes(self, one: Cmp | InSlot | ListHas | Starts | Includes) -> _Passes:
        value = self._values[one.slot]
        if value is None:
            return _Passes(one.source)
        match one:
            case Cmp(source, "eq", _):
                return _Passes(source, "in", frozenset([value]))
            case Cmp(source, "ne", _):
                return _Passes(source, "not in", frozenset([value]))
            case Cmp(source, test, _):
                return _Passes(source, test, value)
            case InSlot(source, _):
                return _Passes(source, "in", frozenset(value))
            case ListHas(source, _) | Includes(source, _):
                return _Passes(source, "has", value)
            case Starts(source, _):
                return _Passes(source, "starts", value)
        assert_never(one)


def _learnt(known: dict[Source, _Value], source: Source, *, null: bool, test: _Passes | None = None) -> bool:
    """Adds to what is *known*; False where that can't be."""
    before = known.get(source) or _unknown(source)
    if before.null is not None and before.null is not null:
        return False
    tests = before.tests
    if test is not None and test.test is not None:
        tests |= {(test.test, test.other)}
    known[source] = after = _Value(null, tests)
    return after.is_possible


def _unknown(source: Source) -> _Value:
    """What is true of a value by what it is alone."""
    if not isinstance(source, Ref) or source.key is not None:
        return _Value()
    null = None if source.follow is not None or source.column.nullable else False
    if source.column.kind is Kind.FLAG:
        return _Value(null, frozenset({("in", frozenset({False, True}))}))
    if source.column.choices:
        return _Value(null, frozenset({("in", frozenset(source.column.choices))}))
    return _Value(null)
