"""kill -9 at every statement boundary of a transfer: everything has moved, or nothing has, and the next run finishes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import salescrm

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def test_a_killed_transfer_leaves_all_or_nothing(url: str) -> None:
    with salescrm.connect(url) as crm:
        crm.migrate()
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.transferring", url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "" == run.stderr
    assert 0 == run.returncode

    *killed, finished = [json.loads(line) for line in run.stdout.splitlines()]
    assert finished["finished"]
    assert len(killed) >= 12  # the fuse was in the connections that the Work used
    nothing, whole = finished["before"], finished["after"]
    assert (["ann"] * 3, ["bo"] * 3, ["bo"] * 3, ["bo"] * 3, ["ann", "ann", "cy,ann"], 3, 1) == (
        nothing["customers"], whole["customers"], whole["deals"], whole["calls"], whole["shared"],
        whole["ledger"], whole["notices"],
    )  # fmt: skip
    for outcome in killed:
        assert nothing == outcome["before"]
        assert outcome["after"] in (nothing, whole), outcome
        assert whole == outcome["again"]
    assert nothing == killed[0]["after"]  # the control: the first ones died before the commit
    assert whole == finished["again"]  # nothing moves twice
