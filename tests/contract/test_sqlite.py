"""SQLite keeps the contract, through the standard library's driver and through aiosqlite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from salescrm.backends.sql import SqlBackend
from salescrm.schema import Schema
from salescrm.testing.contract import Run, StoreContract

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture(scope="class")
def backend(
    request: pytest.FixtureRequest,
    sqlite_path: str,
    salescrm_schemas: Mapping[str, Schema],
    salescrm_run: Run,
) -> Iterator[SqlBackend]:
    driver = "sqlite+aiosqlite" if request.cls.colour == "async" else "sqlite"
    backend = SqlBackend(f"{driver}:///{sqlite_path}", tuple(salescrm_schemas.values()))
    salescrm_run(backend.migrate)
    yield backend
    salescrm_run(backend.close)


class TestSqlite(StoreContract):
    pass


class TestAiosqlite(StoreContract):
    colour = "async"
