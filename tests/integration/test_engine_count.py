"""What CI leans on: a run that was to cover an engine and did not is a failed run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
@pytest.mark.parametrize("required, code", [("memory", 0), ("memory,sqlite", 1)])
def test_required_engine_without_a_passed_test_fails_the_run(required: str, code: int, workers: str) -> None:
    """Counted by who ran, in one process or through xdist."""
    only = "tests/integration/test_servers.py::test_engine_url_names_its_engine[memory]"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["SALESCRM_REQUIRE_ENGINES"] = required
    command = [sys.executable, "-m", "pytest", workers, "-p", "no:cacheprovider", only]

    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert code == run.returncode, run.stdout
    assert "1 passed" in run.stdout
    assert ("no test passed on: sqlite" in run.stdout) == (code == 1)
