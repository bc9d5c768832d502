"""Each example is run as a person would run it, and says what the documentation says that it says."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path

import pytest

from salescrm import connect
from salescrm.policy import findings, load
from salescrm.testing import Clock
from salescrm.values import Region

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str) -> list[str]:
    """The lines that *script* prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.splitlines()


ORDERED = ["declined: 0 orders, the deal is open", "1 orders, the deal is won"]
SUMMED = ["open: 6000.00 CNY", "inside: 15000.00 CNY", "afterwards: 6000.00 CNY"]


@pytest.mark.engine("sqlite")
def test_join_sqlalchemy_on_sqlite() -> None:
    """The order and the won deal are there together or not at all."""
    assert run("join_sqlalchemy.py") == ORDERED


def test_join_sqlalchemy_on_postgresql(postgres_url: str) -> None:
    """The same script on another engine of SQLAlchemy's."""
    assert run("join_sqlalchemy.py", postgres_url) == ORDERED


def test_join_mongodb(mongodb_url: str) -> None:
    """The same two things in one transaction of a MongoDB session."""
    assert run("join_mongodb.py", mongodb_url) == ORDERED


@pytest.mark.engine("sqlite")
def test_use_asyncio_on_sqlite() -> None:
    """Plain functions run on the event loop, and inside an AsyncSession's transaction."""
    assert run("use_asyncio.py") == SUMMED


def test_use_asyncio_on_postgresql(postgres_url: str) -> None:
    """The same over psycopg's asynchronous side."""
    assert run("use_asyncio.py", postgres_url) == SUMMED


@pytest.mark.engine("memory")
def test_hooks_plugin() -> None:
    """A plugin changes, refuses, adds to the transaction, and hears of what was committed."""
    assert run("hooks_plugin.py") == [
        "industry: other",
        "refused: a deal of more than a million is closed by finance",
        "planned: ['say thank you']",
        "told of the small one: True",
    ]


@pytest.mark.engine("memory")
def test_two_pools() -> None:
    """The policy of two pools means what its comments say: by region and level, in days and in working days."""
    rules = load(EXAMPLES / "pools" / "policy.toml")
    clock = Clock(datetime(2026, 3, 2, 4, tzinfo=UTC))
    found: dict[tuple[str | None, str | None], tuple[str, str | None, date | None]] = {}
    with connect("memory://", policy=rules, clock=clock) as crm, crm.begin(by="li") as work:
        for province, level in product(("山东省", "广东省", None), ("A", "B", None)):
            region = Region(province=province)
            customer = work.customers.create(name="云帆科技", region=region, level=level, owner_id="ann")
            why = work.pools.why(customer.id)
            assert why.pool is not None
            found[province, level] = (why.pool.key, why.rule, why.falls_on)

    assert () == findings(rules)
    a_month = date(2026, 4, 2)
    assert {
        ("山东省", "A"): ("north", "quiet-a", date(2026, 3, 18)),
        ("山东省", "B"): ("north", "quiet-b", a_month),
        ("山东省", None): ("north", "quiet-unrated", date(2026, 3, 17)),
        ("广东省", "A"): ("south", None, None),
        ("广东省", "B"): ("south", "quiet", a_month),
        ("广东省", None): ("south", "quiet", a_month),
        (None, "A"): ("south", None, None),
        (None, "B"): ("south", "quiet", a_month),
        (None, None): ("south", "quiet", a_month),
    } == found


def test_every_example_is_run() -> None:
    """An example that no test runs is a promise that nobody keeps; a backend is run by the contract suite."""
    run_here = set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*run_here, "json_file_backend.py"}
