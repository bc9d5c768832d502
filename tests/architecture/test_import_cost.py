"""What `import salescrm` brings along and costs, seen from a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import pytest

#: Packages of the extras: whoever does not use one must not pay for it, nor have it.
HEAVY: Final = frozenset(
    {
        "aiosqlite",
        "alembic",
        "altair",
        "asyncmy",
        "babel",
        "bson",
        "click",
        "email_validator",
        "greenlet",
        "holidays",
    }
    | {
        "icalendar",
        "narwhals",
        "numpy",
        "opencc",
        "pandas",
        "phonenumbers",
        "polars",
        "psycopg",
        "pyarrow",
        "pymongo",
    }
    | {"pymysql", "pypinyin", "pytest", "python_calamine", "rapidfuzz", "rich", "sqlalchemy", "xlsxwriter"}
)

MOST_SECONDS: Final = 0.150

LOADS: Final[Mapping[str, str]] = {
    "the package": "import salescrm",
    "a memory store": "import salescrm; salescrm.connect('memory://')",
    "the pytest plugin": "import salescrm_pytest",
}


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("what", LOADS)
def test_no_extra_is_loaded(what: str) -> None:
    """Neither a driver, nor a frame library, nor a command line toolkit."""
    loaded = set(_run(f"import sys\n{LOADS[what]}\nprint(*sys.modules)").split())
    assert {"salescrm", "salescrm_pytest"} & loaded
    # The plugin is pytest's, so pytest is there.
    heavy = HEAVY - {"pytest"} if "pytest" in what else HEAVY
    assert set() == heavy & {name.split(".")[0] for name in loaded}


def test_pytest_plugin_loads_nothing_of_ours() -> None:
    """Every pytest run of a host loads the plugin; who uses no fixture pays for none."""
    loaded = _run("import salescrm_pytest, sys\nprint(*sys.modules)").split()
    assert [] == [name for name in loaded if name.split(".")[0] == "salescrm"]


def test_import_is_quick() -> None:
    """Under 150 ms of this process's own time, in the best of five tries: a neighbour's load is not ours."""
    code = "import time; began = time.process_time(); import salescrm; print(time.process_time() - began)"
    _run("import salescrm")  # writes the byte code
    assert min(float(_run(code)) for _ in range(5)) < MOST_SECONDS
