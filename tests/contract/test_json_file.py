"""The backend of docs/howto/write-a-backend.md keeps the contract, and its file outlives it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

import pytest

import salescrm
from examples.json_file_backend import JsonFileBackend
from salescrm.catalog import schemas
from salescrm.errors import EngineError, SchemaOutdated
from salescrm.schema import Schema
from salescrm.testing.contract import StoreContract


@pytest.fixture
def backend(salescrm_schemas: Mapping[str, Schema], tmp_path: Path) -> JsonFileBackend:
    # A file per test, not per class: a commit writes all of it.
    backend = JsonFileBackend(tmp_path / "crm.json", salescrm_schemas)
    backend.migrate()
    return backend


class TestJsonFile(StoreContract):
    pass


def test_file_outlives_the_backend(tmp_path: Path) -> None:
    """What was committed is there for the next process; what was rolled back is not."""
    path = tmp_path / "crm.json"
    first = salescrm.connect(JsonFileBackend(path, schemas()))
    first.migrate()
    with first.begin(by="li") as work:
        acme = work.customers.create(
            name="Acme", annual_revenue=salescrm.Money.of("12.50", "CNY"), tags=["vip"]
        )
    with pytest.raises(ZeroDivisionError), first.begin(by="li") as work:
        work.customers.create(name="Nobody")
        1 / 0  # noqa: B018  # anything that fails

    second = salescrm.connect(JsonFileBackend(path, schemas()))

    with second.begin(by="li") as work:
        assert [acme] == list(work.customers.find())
        assert ["added"] == [entry.kind for entry in work.history.of(acme)]


def test_file_that_is_not_there_is_outdated(tmp_path: Path) -> None:
    """Until migrate() has made it."""
    backend = JsonFileBackend(tmp_path / "crm.json", schemas())
    with pytest.raises(SchemaOutdated):
        backend.verify()

    backend.migrate()

    backend.verify()


def test_file_that_cannot_be_written_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an EngineError, and what was committed before stands."""
    crm = salescrm.connect(JsonFileBackend(tmp_path / "crm.json", schemas()))
    crm.migrate()
    with crm.begin(by="li") as work:
        work.customers.create(name="Acme")

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(EngineError), crm.begin(by="li") as work:
        work.customers.create(name="Zeta")
    monkeypatch.undo()

    with crm.begin(by="li") as work:
        assert ["Acme"] == [customer.name for customer in work.customers.find()]
