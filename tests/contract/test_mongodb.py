"""MongoDB keeps the contract, through both of PyMongo's clients; the tests' own server speaks its wire protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from salescrm.backends.mongo import MongoBackend
from salescrm.schema import Schema
from salescrm.testing.contract import Run, StoreContract

pytestmark = pytest.mark.engine("mongodb")


@pytest.fixture(scope="class")
def backend(
    request: pytest.FixtureRequest,
    class_mongodb_url: str,
    salescrm_schemas: Mapping[str, Schema],
    salescrm_run: Run,
) -> Iterator[MongoBackend]:
    schemas, asynchronous = tuple(salescrm_schemas.values()), request.cls.colour == "async"

    def made() -> MongoBackend:
        return MongoBackend(class_mongodb_url, schemas, asynchronous=asynchronous)

    backend = salescrm_run(made)
    salescrm_run(backend.migrate)
    yield backend
    salescrm_run(backend.close)


class TestMongo(StoreContract):
    pass


class TestAsyncMongo(StoreContract):
    colour = "async"
