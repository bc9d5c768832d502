"""
How contenders are compared: in turns, round by round, each round's ratio to the first; never by absolute numbers.

A round gives every contender one chunk of the same work, in an order that rotates; what happens to the machine happens
to all of them.  The median of the rounds' ratios is the result.
"""

from __future__ import annotations

import gc
import resource
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from bench.clocks import Clock, wall_clock

__all__ = ["Chunk", "Ratio", "peak_megabytes", "race", "typical"]


@attrs.frozen
class Chunk:
    """One contender's share of a round: *run* is timed, *before* is not; *work* says how much of the work it does, *clock* finds what to time it by."""

    run: Callable[[], object]
    before: Callable[[], object] | None = None
    work: float = 1.0
    clock: Callable[[], Clock] = lambda: wall_clock


@attrs.frozen
class Ratio:
    """Time relative to the first contender: the median over the rounds, and the quartiles around it."""

    median: float
    low: float
    high: float
    #: The contender's own median time for one unit of work, in seconds; for orientation only.
    seconds: float


def race(contenders: Mapping[str, Chunk], *, rounds: int) -> dict[str, Ratio]:
    """Each contender's ratio to the first of *contenders*, over *rounds* rounds after one to warm up."""
    names = list(contenders)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            seconds = _timed(contenders[name]) / contenders[name].work
            if turn:
                times[name].append(seconds)
    first = times[names[0]]
    return {name: _ratio(times[name], first) for name in names}


def typical(chunk: Chunk, *, rounds: int) -> float:
    """The median time of one unit of *chunk*'s work, in seconds, after one round to warm up."""
    times = [_timed(chunk) / chunk.work for _ in range(rounds + 1)]
    return statistics.median(times[1:])


def peak_megabytes() -> float:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss begins with what the parent held when it forked.
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if "VmHWM" in line)
        return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _timed(chunk: Chunk) -> float:
    if chunk.before is not None:
        chunk.before()
    # What one contender left behind is not the next one's to clean up.
    gc.collect()
    clock = chunk.clock()
    start = clock()
    chunk.run()
    return clock() - start


def _ratio(times: list[float], first: list[float]) -> Ratio:
    ratios = sorted(mine / theirs for mine, theirs in zip(times, first, strict=True))
    quarter = len(ratios) // 4
    return Ratio(statistics.median(ratios), ratios[quarter], ratios[-1 - quarter], statistics.median(times))
