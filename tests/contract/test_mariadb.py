"""MariaDB or MySQL keeps the contract, where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from salescrm.backends.sql import SqlBackend
from salescrm.schema import Schema
from salescrm.testing.contract import StoreContract

pytestmark = pytest.mark.engine("mariadb")


@pytest.fixture(scope="class")
def backend(class_mariadb_url: str, salescrm_schemas: Mapping[str, Schema]) -> Iterator[SqlBackend]:
    backend = SqlBackend(class_mariadb_url, tuple(salescrm_schemas.values()))
    backend.migrate()
    yield backend
    backend.close()


class TestMariadb(StoreContract):
    pass
