"""PostgreSQL keeps the contract, through both sides of psycopg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from salescrm.backends.sql import SqlBackend
from salescrm.schema import Schema
from salescrm.testing.contract import Run, StoreContract

pytestmark = pytest.mark.engine("postgresql")


@pytest.fixture(scope="class")
def backend(
    request: pytest.FixtureRequest,
    class_postgres_url: str,
    salescrm_schemas: Mapping[str, Schema],
    salescrm_run: Run,
) -> Iterator[SqlBackend]:
    engine: str | AsyncEngine = class_postgres_url
    if request.cls.colour == "async":
        engine = create_async_engine(class_postgres_url, pool_size=20)
    backend = SqlBackend(engine, tuple(salescrm_schemas.values()))
    salescrm_run(backend.migrate)
    yield backend
    salescrm_run(backend.close)
    salescrm_run(backend.engine.dispose)


class TestPostgres(StoreContract):
    pass


class TestAsyncPostgres(StoreContract):
    colour = "async"
