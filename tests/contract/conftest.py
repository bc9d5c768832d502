"""A database of its own for each class of contract tests: its tests are kept apart by their tenants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests import servers
from tests.conftest import REQUIRED


def _served(engine: str, fresh: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    try:
        context = fresh()
        url = context.__enter__()
    except servers.Unavailable as lacking:
        if engine in REQUIRED:
            pytest.fail(f"{lacking}, and SALESCRM_REQUIRE_ENGINES asks for {engine}", pytrace=False)
        pytest.skip(str(lacking))
    yield url
    context.__exit__(None, None, None)


@pytest.fixture(scope="class")
def sqlite_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that is not there yet."""
    return str(tmp_path_factory.mktemp("sqlite") / "crm.db")


@pytest.fixture(scope="class")
def class_postgres_url() -> Iterator[str]:
    """An empty PostgreSQL database."""
    yield from _served("postgresql", servers.postgres_url)


@pytest.fixture(scope="class")
def class_mongodb_url() -> Iterator[str]:
    """An empty database over the MongoDB wire protocol."""
    yield from _served("mongodb", servers.mongodb_url)


@pytest.fixture(scope="class")
def class_mariadb_url() -> Iterator[str]:
    """An empty MariaDB database."""
    yield from _served("mariadb", servers.mariadb_url)
