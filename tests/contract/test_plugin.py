"""The pytest plugin gives a host's tests what docs/howto/test-your-host.md says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salescrm import Crm
from salescrm.testing import START, Clock
from tests import servers

pytest_plugins = ["pytester"]


def test_memory_stands_on_the_clock(salescrm_memory: Crm, salescrm_clock: Clock) -> None:
    """Time passes when the test says so."""
    with salescrm_memory.begin(by="li") as work:
        assert START == work.now()
        assert 0 == work.customers.count()
    salescrm_clock.tick(days=7)
    with salescrm_memory.begin(by="li") as work:
        assert START + timedelta(days=7) == work.now()


def test_each_engine_is_empty_and_works(salescrm_engines: Crm) -> None:
    """Migrated, and nobody else's records in it."""
    with salescrm_engines.begin(by="li") as work:
        assert 0 == work.customers.count()
        acme = work.customers.create(name="Acme")
    with salescrm_engines.begin(by="li") as work:
        assert [acme] == list(work.customers.find())


HOST = """
def test_own(salescrm_engines):
    with salescrm_engines.begin(by="li") as work:
        assert not work.customers.count()
        work.customers.create(name="Acme")
"""


@pytest.mark.parametrize("engine", ["postgresql", "mongodb"])
def test_host_names_its_servers(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, engine: str
) -> None:
    """A variable per server; two runs on one database do not meet."""
    url = request.getfixturevalue({"postgresql": "postgres_url"}.get(engine, f"{engine}_url"))
    for variable in servers.GIVEN.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(servers.GIVEN[engine], url)
    pytester.makepyfile(HOST)

    for _ in range(2):
        outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v")
        outcome.assert_outcomes(passed=3)
        outcome.stdout.fnmatch_lines([f"*test_own?{engine}?*PASSED*"])


def test_nothing_is_imported_before_a_fixture_is_used(pytester: pytest.Pytester) -> None:
    """A host that has salescrm installed and tests something else pays for nothing."""
    pytester.makepyfile(
        """
        import sys

        def test_other():
            assert not [name for name in sys.modules if name.split(".")[0] in ("salescrm", "sqlalchemy", "pymongo")]
        """
    )

    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
