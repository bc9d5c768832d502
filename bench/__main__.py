"""
``python -m bench``: one table of ratios to hand-written code on the bare driver, and the other figures we promise.

Without options it takes half an hour on two cores, most of it for the millions of W6 and W7; ``--quick`` two minutes, on less
data, to see that all runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import claims, costs, memory, outlook, pools, simulating
from bench.arena import PEERS
from bench.engines import Scale, run_engine
from bench.results import Line, as_json, as_markdown

_ENGINES = ("sqlite", "postgresql")
_WORKS = ("W1", "W2", "W3", "W4", "W5", "W6")
_POOLS = ("W7", "W8", "claims", "outlook", "simulate")
_OTHERS = ("memory", "import", "maven", "stream")


def main(arguments: list[str] | None = None) -> int:
    """Runs what was asked for; 1 if a limit was missed."""
    options = _parser().parse_args(arguments)
    only = options.only.split(",") if options.only else [*_WORKS, *_POOLS, *_OTHERS]
    if unknown := set(only) - {*_WORKS, *_POOLS, *_OTHERS}:
        _parser().error(f"no work is called {', '.join(sorted(unknown))}")
    if hasattr(os, "sched_setaffinity") and not options.unpinned:
        # Client and server share one CPU, which a server started from here inherits.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    lines: list[Line] = []
    start = time.monotonic()
    for line in _lines(only, options):
        lines.append(line)
        print(f"{time.monotonic() - start:6.0f} s  {_short(line)}", file=sys.stderr, flush=True)
    print(as_markdown(lines))
    if options.json:
        Path(options.json).write_text(json.dumps(as_json(lines), indent=2) + "\n", encoding="utf-8")
    return 1 if any(line.met is False for line in lines) else 0


def _short(line: Line) -> str:
    return f"{line.work} | {line.engine} | {line.contender} | {line.value:.2f} {line.unit}"


def _lines(only: list[str], options: argparse.Namespace) -> Iterator[Line]:
    peers = PEERS if options.peers else ()
    scale = Scale(rounds=options.rounds or 15, peers=peers, by_wall=options.clock == "wall")
    if options.quick:
        scale = Scale(
            customers=5_000,
            deals=20_000,
            quiet=20_000,
            share=0.1,
            rounds=options.rounds or 5,
            peers=peers,
            by_wall=scale.by_wall,
        )
    works = [one for one in only if one in _WORKS]
    for engine in options.engine.split(","):
        yield from run_engine(engine, works, scale)
        if "W7" in only:
            yield from pools.recycle(engine, scale)
        if "W8" in only and engine == "postgresql":
            yield from claims.together(scale)
        if "claims" in only:
            yield from claims.in_batches(engine, scale)
        if "outlook" in only:
            yield from outlook.measure(engine, scale)
        if "simulate" in only:
            yield from simulating.measure(engine, scale)
    if "outlook" in only:
        yield from outlook.measure("memory", scale)
    if "memory" in only:
        yield from memory.measure(count=scale.customers, rounds=scale.rounds, by_wall=scale.by_wall)
    if "import" in only:
        yield from costs.import_time(scale.rounds)
    if "maven" in only:
        yield from costs.maven(by_wall=scale.by_wall)
    if "stream" in only:
        yield from costs.stream(options.rows or (10_000 if options.quick else 200_000))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--only", help=f"works to run, by comma: {','.join([*_WORKS, *_POOLS, *_OTHERS])}")
    parser.add_argument("--engine", default=",".join(_ENGINES), help="engines, by comma")
    parser.add_argument("--rounds", type=int, help="rounds of each race (at least 5 mean something)")
    parser.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, default=True, help="the other libraries"
    )
    parser.add_argument(
        "--clock", choices=("cpu", "wall"), default="cpu", help="what to time by; see bench/clocks.py"
    )
    parser.add_argument("--unpinned", action="store_true", help="leave client and server to any CPU")
    parser.add_argument("--quick", action="store_true", help="little data, to see that everything runs")
    parser.add_argument(
        "--rows",
        type=int,
        help="rows of the file that is streamed; 200,000 if not given, a million takes some minutes",
    )
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
