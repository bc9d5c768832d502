"""kill -9 at every statement boundary of a claim and of a night's run: each transaction is there or not, and the next run ends the job."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import salescrm

_ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(550)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


def outcomes(url: str, what: str) -> list[dict[str, Any]]:
    """What was left at each boundary, and what the next run made of it; the last one was not disturbed."""
    with salescrm.connect(url) as crm:
        crm.migrate()
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.pool_crashing", url, what],
        capture_output=True, text=True, timeout=500, check=False, cwd=_ROOT,
    )  # fmt: skip
    assert (0, "") == (run.returncode, run.stderr)
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_claim_is_there_or_not(url: str) -> None:
    """All three customers with all that is written of them, and the deal that comes along; or nothing."""
    *killed, whole = outcomes(url, "claim")
    assert whole["finished"]
    assert whole["left"] == whole["after"]
    claimed = {
        "owner": "bo", "pool": None, "ledger": [["claimed", None, "bo", None]], "log": 1,
        "events": ["CustomerClaimed"], "notices": [],
    }  # fmt: skip
    assert ([claimed] * 3, ["bo"]) == ([*whole["after"]["customers"].values()], whole["after"]["deals"])
    nothing = killed[0]["left"]
    assert {"north"} == {one["pool"] for one in nothing["customers"].values()}
    assert [[]] * 3 == [one["ledger"] for one in nothing["customers"].values()]
    assert len(killed) >= 8  # the fuse was in the connections that the Work used
    for one in killed:
        assert one["left"] in (nothing, whole["after"]), one["boundary"]
        assert whole["after"] == one["after"], one["boundary"]


def test_a_night_is_finished_by_the_next_run(url: str) -> None:
    """Two customers a transaction: each has fallen with all that is written of it, or not at all; at last all have."""
    *killed, whole = outcomes(url, "recycle")
    assert whole["finished"]
    assert whole["left"] == whole["after"]
    before, after = killed[0]["left"], whole["after"]
    fallen = {
        "owner": None, "pool": "north", "ledger": [["recycled", "ann", None, "quiet"]], "log": 1,
        "events": ["CustomerRecycled"], "notices": ["recycled"],
    }  # fmt: skip
    warned = {
        "owner": "ann", "pool": None, "ledger": [], "log": 0, "events": ["CustomerFallsSoon"],
        "notices": ["falls-soon"],
    }  # fmt: skip
    assert {"明天": warned, **{f"客户{n}": fallen for n in range(5)}} == after["customers"]
    assert ([None], ["2026-03-26"]) == (after["deals"], after["through"])
    counts = set()
    for one in killed:
        left = one["left"]
        for name, customer in left["customers"].items():
            assert customer in (before["customers"][name], after["customers"][name]), one["boundary"]
        many = sum(customer == fallen for customer in left["customers"].values())
        counts.add(many)
        # The deal goes with the customer, in its transaction; the warning with the night's end, after all have fallen.
        assert (left["deals"] == [None]) == (left["customers"]["客户0"] == fallen), one["boundary"]
        done = left["customers"]["明天"] == warned
        assert done == (left["through"] == after["through"]), one["boundary"]
        assert not done or many == 5, one["boundary"]
        assert after == one["after"], one["boundary"]
    # The control: it was killed between the transactions too.
    assert {0, 2, 4, 5} == counts
    assert len(killed) >= 20
