"""How many statements the SQL backend sends, and when it begins a transaction: what its speed rests on."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from salescrm.entities import ChangeEntry
from salescrm.errors import StaleWrite
from salescrm.query import F, contains_text
from salescrm.storage import Delete, Insert, Replace
from salescrm.values import Id
from tests.integration.sql_lab import SCHEMAS, TENANT, Lab, lab, overhearing, own

CUSTOMERS, LOG = SCHEMAS["customers"], SCHEMAS["change_log"]


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Iterator[Lab]:
    with lab(sqlite_url) as made:
        yield made


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Lab]:
    with lab(postgres_url) as made:
        yield made


def _entry(at: Lab, record_id: Id) -> ChangeEntry:
    entry = ChangeEntry(
        id=at.make.id(),
        version=1,
        entity="Customer",
        record_id=record_id,
        kind="saved",
        record_version=1,
        changes={},
    )
    return attrs.evolve(entry, tenant=Id(TENANT))


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_reading_begins_nothing(engine: str, request: pytest.FixtureRequest) -> None:
    at: Lab = request.getfixturevalue(f"on_{engine}")
    with overhearing(at.backend) as said:
        store = at.open()
        store.get(CUSTOMERS, "none")
        store.find(at.asked(CUSTOMERS, F.owner_id == "li"))
        store.commit()
    assert ["SELECT", "SELECT"] == said


def test_postgres_writes_a_record_with_its_log_in_one_statement(on_postgres: Lab) -> None:
    at = on_postgres
    customer = own(CUSTOMERS, at.make.customer())
    with overhearing(at.backend) as said:
        store = at.open()
        store.write(Insert(CUSTOMERS, [customer]), Insert(LOG, [_entry(at, customer.id)]))
        store.commit()
    assert ["BEGIN", "WITH", "COMMIT"] == said


def test_sqlite_writes_one_after_the_other_with_the_lock_taken_first(on_sqlite: Lab) -> None:
    at = on_sqlite
    customer = own(CUSTOMERS, at.make.customer())
    with overhearing(at.backend) as said:
        store = at.open()
        store.write(Insert(CUSTOMERS, [customer]), Insert(LOG, [_entry(at, customer.id)]))
        store.write(Delete(CUSTOMERS, customer.id, 1))
        store.commit()
    assert ["BEGIN", "INSERT", "INSERT", "DELETE", "COMMIT"] == said


def test_postgres_changes_many_in_one_statement(on_postgres: Lab) -> None:
    at = on_postgres
    at.seed(CUSTOMERS, *(at.make.customer() for _ in range(20)))
    with overhearing(at.backend) as said:
        store = at.open()
        changed = store.change(at.asked(CUSTOMERS, F.owner_id.is_null()), {"owner_id": "li"})
        store.commit()
    assert ["BEGIN", "WITH", "COMMIT"] == said
    assert 20 == len(changed)


def test_records_in_bulk_go_by_copy_on_postgres_and_by_one_executemany_on_sqlite(
    on_postgres: Lab, on_sqlite: Lab
) -> None:
    for at, words in ((on_postgres, ["BEGIN", "COMMIT"]), (on_sqlite, ["BEGIN", "INSERT many", "COMMIT"])):
        many = [own(CUSTOMERS, at.make.customer()) for _ in range(200)]
        with overhearing(at.backend) as said:
            store = at.open()
            store.write(Insert(CUSTOMERS, many))
            store.commit()
        assert words == said  # COPY has a cursor of its own
        assert 200 == len(at.open().find(at.asked(CUSTOMERS, limit=500)))


def test_a_stale_write_leaves_no_log_behind_even_if_the_host_goes_on(on_postgres: Lab) -> None:
    """In one statement what follows a replace hangs on it; a host's transaction may be committed all the same."""
    at = on_postgres
    customer = own(CUSTOMERS, at.make.customer())
    at.seed(CUSTOMERS, customer)
    with at.backend.engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
        store = at.backend.join(connection, customer.tenant)
        newer = attrs.evolve(customer, version=3, name="newer")
        with pytest.raises(StaleWrite):
            store.write(Replace(CUSTOMERS, newer, 2), Insert(LOG, [_entry(at, customer.id)]))
    assert [] == at.open().find(at.asked(LOG))


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_replace_that_names_its_columns_writes_these_and_the_stamps(
    engine: str, request: pytest.FixtureRequest
) -> None:
    """The search shadow goes along with what it is made of."""
    at: Lab = request.getfixturevalue(f"on_{engine}")
    customer = own(CUSTOMERS, at.make.customer(name="Old", industry="rail"))
    at.seed(CUSTOMERS, customer)
    store = at.open()
    said = attrs.evolve(customer, version=2, name="ＮＥＷ name", industry="not said")
    store.write(Replace(CUSTOMERS, said, 1, ("name",)))
    assert attrs.evolve(said, industry="rail") == store.get(CUSTOMERS, customer.id)
    assert [customer.id] == [one.id for one in store.find(at.asked(CUSTOMERS, contains_text("new")))]
    store.rollback()


def test_postgres_prepares_one_statement_whatever_is_null(on_postgres: Lab) -> None:
    """Typed parameters would make one for each pattern of nulls, and so hardly ever meet a prepared one."""
    at = on_postgres
    for number in range(32):
        given = {
            "industry": "rail" if number & 1 else None,
            "founded_year": number * 999 if number & 2 else None,
        }
        at.seed(CUSTOMERS, at.make.customer(**given))
    channel = at.backend.open("acme")._channel
    prepared = channel.rows("SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'INSERT%'", ())
    assert 1 == len(prepared)
    channel.commit()
