"""An import of any size takes the same memory; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_MANY: Final = """
name = "many"
[[records]]
name = "customers"
file = "customers.csv"
entity = "Customer"
key = "no"
fields.name = "name"
fields.founded_year = "founded"
"""
_MEASURED: Final = """
import re, resource, sys
from pathlib import Path
import salescrm
from salescrm.imports import import_files, load_plan

def held():
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts in ru_maxrss what the parent held when it forked
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) >> 10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1 << 20 if sys.platform == "darwin" else 1 << 10)

seen = {}
url, folder = sys.argv[1:]
with salescrm.connect(url) as crm:
    crm.migrate()
    plan = load_plan(folder + "/plan.toml")
    done = import_files(crm, plan, folder, by="host", progress=lambda now: seen.setdefault(now.rows, held()))
print(seen[10_000], seen[40_000], done.counts.added)
"""


@pytest.mark.engine("sqlite")
def test_memory_does_not_grow_with_the_file(sqlite_url: str, tmp_path: Path) -> None:
    """What a process holds after ten thousand rows is what it holds after forty thousand."""
    pytest.importorskip("resource", reason="the most memory that was held is asked of the system")
    (tmp_path / "plan.toml").write_text(_MANY, encoding="utf-8")
    with (tmp_path / "customers.csv").open("w", encoding="utf-8") as file:
        file.write("no,name,founded\n")
        # Some rows are refused: these are told as they come.
        file.writelines(f"{n},Customer {n},{'x' if n % 20 == 0 else 1999}\n" for n in range(40_000))
    child = subprocess.run(
        [sys.executable, "-c", _MEASURED, sqlite_url, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    early, late, added = map(int, child.stdout.split())

    assert 38_000 == added
    assert late - early < 16, f"{early} MB after 10,000 rows, {late} MB after 40,000"
    assert late < 250
