"""
The engines that every test may ask for, each as the URL of an empty database, and the count of what ran on which.

``engine_url`` runs a test once per engine; ``memory_url``, ``sqlite_url``, ``postgres_url``, ``mongodb_url`` and
``mariadb_url`` are one each.
``SALESCRM_REQUIRE_ENGINES=memory,sqlite,…`` makes an engine that can't start, or that no test passed on, a failure.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests import servers

# Timing decides no test: how fast examples are made says how busy this machine is.
settings.register_profile("salescrm", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("salescrm")

REQUIRED: Final = frozenset(filter(None, os.environ.get("SALESCRM_REQUIRE_ENGINES", "").split(",")))


@pytest.fixture
def memory_url(request: pytest.FixtureRequest) -> str:
    """The memory backend's URL; each connect() to it is a store of its own."""
    _ran_on(request.node, "memory")
    return "memory://"


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file that is not there yet, in the test's own folder."""
    _ran_on(request.node, "sqlite")
    return f"sqlite:///{tmp_path / 'crm.db'}"


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty PostgreSQL database, ``postgresql+psycopg://…``."""
    yield from _served(request, "postgresql", servers.postgres_url)


@pytest.fixture
def mongodb_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database over the MongoDB wire protocol, ``mongodb://…/name?replicaSet=…``."""
    yield from _served(request, "mongodb", servers.mongodb_url)


@pytest.fixture
def mariadb_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty MariaDB database, ``mysql+pymysql://…``."""
    yield from _served(request, "mariadb", servers.mariadb_url)


@pytest.fixture(params=servers.ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The engine's name: the test runs once on each that this machine has."""
    name: str = request.param
    return name


@pytest.fixture
def engine_url(request: pytest.FixtureRequest, engine: str) -> str:
    """The URL of an empty database, once per engine."""
    url: str = request.getfixturevalue({"postgresql": "postgres_url"}.get(engine, f"{engine}_url"))
    return url


def _ran_on(item: pytest.Item, engine: str) -> None:
    # Travels with the report, also from an xdist worker to the one that counts.
    if ("engine", engine) not in item.user_properties:
        item.user_properties.append(("engine", engine))


def _served(
    request: pytest.FixtureRequest, engine: str, fresh: Callable[[], AbstractContextManager[str]]
) -> Iterator[str]:
    _ran_on(request.node, engine)
    with ExitStack() as stack:
        try:
            url = stack.enter_context(fresh())
        except servers.Unavailable as lacking:
            if engine in REQUIRED:
                pytest.fail(f"{lacking}, and SALESCRM_REQUIRE_ENGINES asks for {engine}", pytrace=False)
            pytest.skip(str(lacking))
        yield url


class EngineCount:
    """How many tests passed on each engine; an engine that is required and has none fails the run."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()

    @property
    def untested(self) -> frozenset[str]:
        return REQUIRED - self.passed.keys()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.update(str(value) for name, value in report.user_properties if name == "engine")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.untested and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.passed:
            # The server of the tests speaks MongoDB's wire protocol; it is not MongoDB.
            given = os.environ.get(servers.GIVEN["mongodb"])
            names = {"mongodb": "MongoDB" if given else "MongoDB wire protocol (SecantusDB)"}
            counts = [f"{names.get(name, name)} {count}" for name, count in sorted(self.passed.items())]
            terminalreporter.write_line(f"passed by engine: {', '.join(counts)}")
        if self.untested:
            terminalreporter.write_line(
                f"required, but no test passed on: {', '.join(sorted(self.untested))}", red=True
            )


def pytest_configure(config: pytest.Config) -> None:
    # A worker of xdist sends its reports to the controller, which counts.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(EngineCount(), "salescrm-engine-count")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("engine"):
        _ran_on(item, marker.args[0])


def pytest_unconfigure() -> None:
    servers.stop_all()
