"""
The pytest plugin that every pytest run of a host loads: it imports nothing of salescrm until a fixture is used.

The fixtures themselves, all named ``salescrm_*``, hand over to :mod:`salescrm.testing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from salescrm.checking import Checker
    from salescrm.schema import Schema
    from salescrm.testing import Clock
    from salescrm.testing.contract import Run

# The contract's own asserts show both sides, as those of a test file do.
pytest.register_assert_rewrite("salescrm.testing")


@pytest.fixture
def salescrm_clock() -> Clock:
    """A clock that stands still until the test sets it: ``salescrm_clock.set(…)``, ``salescrm_clock.tick(days=3)``."""
    from salescrm.testing import Clock

    return Clock()


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
