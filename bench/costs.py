"""What a host pays once: the import of the package, the import of its data."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import salescrm
from bench.clocks import Clock, ProcessorClock, wall_clock
from bench.material import MEMBER
from bench.results import Line
from salescrm.imports import import_files, load_plan

__all__ = ["import_time", "maven", "stream"]

_ROOT: Final = Path(__file__).resolve().parent.parent
_LOADED: Final = (
    "import json, sys, salescrm; print(json.dumps(sorted({'sqlalchemy', 'pymongo'} & sys.modules.keys())))"
)


def import_time(rounds: int) -> Iterator[Line]:
    """How much longer an interpreter works until ``import salescrm`` is done, in milliseconds."""
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", _LOADED], check=True, capture_output=True).stdout
    )
    if loaded:
        raise AssertionError(f"import salescrm loads {', '.join(loaded)}")
    seconds = [_seconds_of("import salescrm") - _seconds_of("pass") for _ in range(rounds)]
    milliseconds = statistics.median(seconds) * 1e3
    yield Line(work="import salescrm", engine="-", contender="salescrm", value=milliseconds, unit="ms")


def _seconds_of(statement: str) -> float:
    """The processor's time for a whole interpreter that does *statement*."""
    before = _of_children()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def maven(*, by_wall: bool) -> Iterator[Line]:
    """Seconds for the 8,800 deals and all that they refer to, each row logged; nothing where the data is not at hand."""
    data = Path(os.environ.get("SALESCRM_DATA") or _ROOT.parent / "shared" / "data") / "maven_crm"
    if not data.is_dir():
        print("no Maven data: say where it is in SALESCRM_DATA", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder, salescrm.connect(f"sqlite:///{folder}/maven.db") as crm:
        crm.migrate()
        clock: Clock = wall_clock if by_wall else ProcessorClock()
        start = clock()
        result = import_files(crm, load_plan(_ROOT / "examples" / "maven" / "plan.toml"), data, by=MEMBER)
        seconds = clock() - start
    if result.records[-1].counts.added != 8_800 or result.refused:
        raise AssertionError(f"the Maven data did not come in whole: {result.records[-1].counts}")
    yield Line(
        work="import of the Maven data", engine="sqlite", contender="salescrm", value=seconds, unit="s"
    )


def stream(rows: int) -> Iterator[Line]:
    """The most memory that a process held while it imported a file of *rows* rows, and how long it took."""
    command = [sys.executable, "-m", "bench.streaming", str(rows)]
    done = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=_ROOT).stdout)
    if done["added"] != rows:
        raise AssertionError(f"{done['added']} of {rows} rows came in")
    yield Line(
        work="memory of a streamed import",
        engine="sqlite",
        contender="salescrm",
        value=done["megabytes"],
        unit="MB",
        microseconds=done["seconds"] / rows * 1e6,
    )
