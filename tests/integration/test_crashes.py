"""kill -9 at every statement boundary of create and move: record, log and event are all there, or none is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import salescrm


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def test_a_killed_process_leaves_all_or_nothing(url: str) -> None:
    with salescrm.connect(url) as crm:
        crm.migrate()
    script = Path(__file__).with_name("crashing.py")
    run = subprocess.run(
        [sys.executable, str(script), url], capture_output=True, text=True, timeout=150, check=False
    )
    assert "" == run.stderr
    assert 0 == run.returncode

    outcomes = [json.loads(line) for line in run.stdout.splitlines()]
    *killed, finished = outcomes
    assert finished["finished"]
    assert len(killed) >= 6  # the fuse was in the connections that the Work used

    whole = {name: finished[name] for name in ("customers", "contacts", "deals", "moves", "log", "events")}
    assert (1, 1, 2) == (whole["customers"], whole["contacts"], whole["moves"])
    nothing = {"customers": 0, "contacts": 0, "deals": [], "moves": 0, "log": 0, "events": 0}
    for outcome in killed:
        left = {name: outcome[name] for name in whole}
        assert left in (whole, nothing), outcome
    assert nothing == {
        name: killed[0][name] for name in whole
    }  # the control: the first ones died before the commit
