"""
What time is: of the processor, the database server's share included, or of the clock on the wall.

On a machine that does other things too only the first is steady.  On an idle one the two agree where client and server
share one CPU, as `python -m bench` pins them, but for waiting on a disk, which is nobody's code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import attrs

__all__ = ["Clock", "ProcessorClock", "wall_clock"]

#: Seconds since whenever.
Clock: TypeAlias = Callable[[], float]

wall_clock: Clock = time.perf_counter


@attrs.frozen
class ProcessorClock:
    """The seconds that this process and the processes *server* have been on a CPU."""

    server: tuple[int, ...] = ()

    def __call__(self) -> float:
        return time.process_time() + sum(map(_seconds, self.server))

    @classmethod
    def with_server(cls, pids: Iterable[int]) -> ProcessorClock:
        """Of this process and of those."""
        return cls(tuple(pids))


def _seconds(pid: int) -> float:
    # The kernel's own count, to the nanosecond; /proc/PID/stat counts ticks of ten milliseconds.
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
