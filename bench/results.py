"""The table: a line per work, engine and contender, with the limit that an issue sets and the goal that we have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from bench.measuring import Ratio

__all__ = ["LIMITS", "Limit", "Line", "as_json", "as_markdown"]


@attrs.frozen
class Limit:
    """What a figure may be *at most*, and what we want it to be."""

    at_most: float
    goal: float | None = None


@attrs.frozen(kw_only=True)
class Line:
    """One figure: a ratio to the bare driver (then *unit* is ``×``), or an absolute one."""

    work: str
    engine: str
    contender: str
    value: float
    unit: str = "×"
    #: The quartiles around the median, where there are several rounds.
    low: float | None = None
    high: float | None = None
    #: The contender's own time for one unit of the work.
    microseconds: float | None = None

    @classmethod
    def of(cls, work: str, engine: str, contender: str, ratio: Ratio) -> Line:
        """The line of a race."""
        return cls(
            work=work,
            engine=engine,
            contender=contender,
            value=ratio.median,
            low=ratio.low,
            high=ratio.high,
            microseconds=ratio.seconds * 1e6,
        )

    @property
    def limit(self) -> Limit | None:
        """Only salescrm has one."""
        return LIMITS.get((self.work, self.engine)) if self.contender == "salescrm" else None

    @property
    def met(self) -> bool | None:
        """Whether it is within its limit; None where it has none."""
        return None if self.limit is None else self.value <= self.limit.at_most


_W: Final = {
    "W1 create with log and event": ((1.4, 1.35), (1.1, 0.75)),
    "W2 bulk create with log and events": ((1.25, 1.0), (1.25, 1.0)),
    "W3 get, from the pool": ((1.6, 1.6), (1.4, 1.4)),
    "W3 get, in an open Work": ((1.2, 1.15), (1.2, 1.15)),
    "W4 page of 50 of 200,000": ((1.2, 1.15), (1.2, 1.15)),
    "W5 update one field with log and event": ((1.4, 1.4), (1.1, 0.75)),
    "W6 funnel over 1,000,000": ((1.1, 1.1), (1.1, 1.1)),
    "W7 recycle 5 % of 1,000,000": ((1.5, 1.1), (1.5, 1.15)),
    "claims ten at a time, to one by one": ((1 / 3, None), (1 / 3, None)),
    "outlook for 500 customers": ((50.0, None), (50.0, None)),
    "memory of a night simulated over 1,000,000": ((250.0, None), (250.0, None)),
}

#: By work and engine: "How good" in issues 2 and 3, and the goal column of the design's speed page.
LIMITS: Final = {
    (work, engine): Limit(*pair)
    for work, pairs in _W.items()
    for engine, pair in zip(("sqlite", "postgresql"), pairs, strict=True)
} | {
    ("page of 50 of 200,000 from a declared index", "memory"): Limit(0.2),
    ("create with log, to a dict with a sorted index", "memory"): Limit(1.6),
    ("W8 claims by 4 processes", "postgresql"): Limit(1.5, 1.3),
    ("outlook for 500 customers", "memory"): Limit(50.0),
    ("import salescrm", "-"): Limit(150.0),
    ("import of the Maven data", "sqlite"): Limit(10.0),
    ("memory of a streamed import", "sqlite"): Limit(250.0),
}


def as_markdown(lines: Sequence[Line]) -> str:
    """The table for people."""
    head = ["work", "engine", "contender", "figure", "quartiles", "own time", "limit", "goal", "met"]
    rows = [head, ["---"] * len(head), *map(_cells, lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(line: Line) -> list[str]:
    limit = line.limit
    return [
        line.work,
        line.engine,
        line.contender,
        f"{line.value:.2f} {line.unit}",
        "" if line.low is None else f"{line.low:.2f}-{line.high:.2f}",
        "" if line.microseconds is None else f"{line.microseconds:,.1f} µs",
        "" if limit is None else f"{limit.at_most:.3g}",
        "" if limit is None or limit.goal is None else f"{limit.goal:g}",
        {None: "", True: "yes", False: "NO"}[line.met],
    ]


def as_json(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The table for programs."""
    return [
        attrs.asdict(line)
        | {
            "limit": line.limit and line.limit.at_most,
            "goal": line.limit and line.limit.goal,
            "met": line.met,
        }
        for line in lines
    ]
