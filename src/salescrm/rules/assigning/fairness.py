"""How even a distribution is, in numbers that a manager can compare."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import attrs

__all__ = ["Fairness", "evenness"]


@attrs.frozen(kw_only=True)
class Fairness:
    """
    How even it was before, and is after.

    Attributes:
        before: Jain's index of everybody's load, for their weight where the strategy gives by capacity; see `evenness`.
        after: The same, with what was given out.
        deviation: By how many items what ever came to somebody then differs from their fair share, at most: less than
            one. None where nothing was drawn by shares.
    """

    before: Fraction
    after: Fraction
    deviation: Fraction | None = None


def evenness(values: Iterable[Fraction | int]) -> Fraction:
    """
    Jain's fairness index of *values*, none of them below zero: 1 where all are equal, 1/n where one has everything.

    The square of the sum over n times the sum of the squares: R. Jain, D. Chiu, W. Hawe, "A quantitative measure of
    fairness and discrimination for resource allocation in shared computer systems", DEC-TR-301 (1984).  Of nothing, or
    nothing but zeros, it is 1.
    """
    known = [Fraction(one) for one in values]
    squares = sum((one * one for one in known), Fraction(0))
    return sum(known, Fraction(0)) ** 2 / (len(known) * squares) if squares else Fraction(1)
