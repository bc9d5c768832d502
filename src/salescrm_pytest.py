"""
The pytest plugin that every pytest run of a host loads: it imports nothing of salescrm until a fixture is used.

Its fixtures are all named ``salescrm_*``: for a host's tests ``salescrm_memory``, ``salescrm_engines`` and
``salescrm_clock``; for those who hold a backend to `salescrm.testing.contract` the others.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from salescrm import Crm
    from salescrm.checking import Checker
    from salescrm.schema import Schema
    from salescrm.testing import Clock
    from salescrm.testing.contract import Run

#: Where the servers are that a host's tests may use, by the variable that names each.
_SERVERS: Final = {
    "postgresql": "SALESCRM_TEST_POSTGRES_URL",
    "mariadb": "SALESCRM_TEST_MARIADB_URL",
    "mongodb": "SALESCRM_TEST_MONGODB_URL",
}

# The contract's own asserts show both sides, as those of a test file do.
pytest.register_assert_rewrite("salescrm.testing")


@pytest.fixture
def salescrm_clock() -> Clock:
    """A clock that stands still until the test sets it: ``salescrm_clock.set(…)``, ``salescrm_clock.tick(days=3)``."""
    from salescrm.testing import Clock

    return Clock()


@pytest.fixture
def salescrm_memory(salescrm_clock: Clock) -> Crm:
    """An empty Crm in memory, on ``salescrm_clock``."""
    import salescrm

    return salescrm.connect("memory://", clock=salescrm_clock)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``salescrm_engines`` runs once on each."""
    if "salescrm_engines" in metafunc.fixturenames:
        names = [name for name, there in _engines().items() if there]
        metafunc.parametrize("salescrm_engines", names, indirect=True)


def _engines() -> dict[str, bool]:
    """The engines, and whether this machine has what they need."""
    return {
        "memory": True,
        "sqlite": importlib.util.find_spec("sqlalchemy") is not None,
        **{name: variable in os.environ for name, variable in _SERVERS.items()},
    }


@pytest.fixture
def salescrm_engines(request: pytest.FixtureRequest, tmp_path: Path, salescrm_clock: Clock) -> Iterator[Crm]:
    """
    An empty Crm, migrated, on ``salescrm_clock``: the test runs once on each engine that this machine has.

    Memory; SQLite, where SQLAlchemy is installed; the servers that ``SALESCRM_TEST_POSTGRES_URL``,
    ``SALESCRM_TEST_MARIADB_URL`` and ``SALESCRM_TEST_MONGODB_URL`` name.  On a server every test has a tenant of its
    own, in tables or collections called ``salescrm_test_…``, which stay.
    """
    import salescrm

    name: str = request.param
    own = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'salescrm.db'}"}
    url = own.get(name) or os.environ[_SERVERS[name]]
    options: dict[str, Any] = {} if name in own else {"prefix": "salescrm_test_"}
    tenant = f"t{uuid4().hex}"
    with salescrm.connect(url, clock=salescrm_clock, tenant=tenant, **options) as crm:
        crm.migrate()
        yield crm


@pytest.fixture(scope="session")
def salescrm_schemas() -> Mapping[str, Schema]:
    """The schemas that a backend under the contract suite is made for."""
    from salescrm.testing import contract_schemas

    return contract_schemas()


@pytest.fixture(scope="session")
def salescrm_checker(salescrm_schemas: Mapping[str, Schema]) -> Checker:
    """The checker that the contract's questions go through; plans are kept from test to test, as in a host."""
    from salescrm.checking import Checker
    from salescrm.checking.cursors import Cursors

    return Checker(salescrm_schemas, Cursors())


@pytest.fixture(scope="class")
def salescrm_run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Calls a function as the contract tests of this class are called: plainly, or on the class's event loop."""
    from salescrm.testing.contract.base import running

    with running(getattr(request.cls, "colour", "sync")) as run:
        yield run


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A contract test under asyncio runs, body and all, on the event loop that its backend lives on."""
    if getattr(pyfuncitem.cls, "colour", None) != "async" or "salescrm_run" not in pyfuncitem.funcargs:
        return None
    run = cast("Run", pyfuncitem.funcargs["salescrm_run"])
    names = pyfuncitem._fixtureinfo.argnames  # noqa: SLF001  # as pytest's own pytest_pyfunc_call does it
    run(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    return True
