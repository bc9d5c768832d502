"""The tables as a DBA meets them: native types, code-point order, readable and stable names, comments."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from salescrm.backends.sql import SqlBackend, tables
from salescrm.backends.sql.tables import index_name, key_name, table_name
from salescrm.schema import Index
from tests.integration.sql_lab import SCHEMAS, TENANT, lab, own

CUSTOMERS = SCHEMAS["customers"]
DIALECTS: dict[str, sa.Dialect] = {
    "sqlite": sqlite.base.SQLiteDialect(),
    "postgresql": postgresql.base.PGDialect(),  # type: ignore[no-untyped-call]  # as SQLAlchemy ships it
    "mysql": mysql.base.MySQLDialect(),
}


def _ddl(name: str, dialect: sa.Dialect) -> str:
    table = tables(SCHEMAS.values())[name]
    return " ".join(str(CreateTable(table).compile(dialect=dialect)).split())


@pytest.mark.parametrize(
    "dialect, said",
    [
        (
            "postgresql",
            [
                'number VARCHAR(64) COLLATE "C" NOT NULL',
                "updated_at TIMESTAMP WITH TIME ZONE NOT NULL",
                "annual_revenue BIGINT",
                'annual_revenue_currency VARCHAR(3) COLLATE "C"',
                "tags TEXT[] NOT NULL",
                "extra JSONB NOT NULL",
                "birth_date DATE",
                "CONSTRAINT pk_customers PRIMARY KEY (tenant, id)",
            ],
        ),
        (
            "sqlite",
            [
                "updated_at VARCHAR(29) NOT NULL",
                "tags TEXT NOT NULL",
                "PRIMARY KEY (tenant, id)",
                "WITHOUT ROWID",
            ],
        ),
        (
            "mysql",
            [
                "number VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL",
                "updated_at DATETIME(3) NOT NULL",
                "notes MEDIUMTEXT",
                "tags JSON NOT NULL",
                "CHARSET=utf8mb4",
            ],
        ),
    ],
)
def test_each_kind_has_the_type_that_its_engine_has_for_it(dialect: str, said: list[str]) -> None:
    ddl = _ddl("customers", DIALECTS[dialect])
    assert [] == [part for part in said if part not in ddl], ddl


def test_postgres_indexes_stand_as_our_orders_run() -> None:
    """Nulls first, so that one index gives a list both ways; what a tally needs rides along beside the key."""
    made = tables(SCHEMAS.values())
    said = {}
    for table in made.values():
        for index in table.indexes:
            if index._ddl_if is None or index._ddl_if.dialect == "postgresql":
                said[str(index.name)] = " ".join(
                    str(CreateIndex(index).compile(dialect=DIALECTS["postgresql"])).split()
                )
    assert said["ix_customers_owner_id_updated_at"].endswith(
        "(tenant, owner_id ASC NULLS FIRST, updated_at, id)"
    )
    assert "INCLUDE (amount)" in said["ix_opportunities_pipeline_stage_amount_currency"]
    assert (
        said["uq_customers_number"] == "CREATE UNIQUE INDEX uq_customers_number ON customers (tenant, number)"
    )


def test_names_fit_every_engine_and_stay_apart() -> None:
    long = Index(tuple(f"a_rather_long_column_{n}" for n in range(5)))
    longer = Index((*long.columns, "and_one_more"))
    names = [index_name(CUSTOMERS, one, "host_prefix_") for one in (long, longer)]
    names += [key_name(CUSTOMERS, "p" * 80), table_name(CUSTOMERS, "p" * 80)]
    assert max(map(len, names)) <= 63
    assert len(set(names)) == len(names)
    assert names[0] == index_name(CUSTOMERS, long, "host_prefix_")


def test_money_and_time_are_explained_where_they_lie(postgres_url: str) -> None:
    with lab(postgres_url) as at:
        columns = {one["name"]: one for one in sa.inspect(at.backend.engine).get_columns("customers")}
        at.backend.engine.dispose()
    assert "minor units" in str(columns["annual_revenue"]["comment"])
    assert "UTC" in str(columns["updated_at"]["comment"])


def test_prefix_and_schema_put_the_tables_elsewhere(postgres_url: str) -> None:
    with lab(postgres_url, prefix="crm_", schema="sales") as at:
        at.seed(CUSTOMERS, *(at.make.customer() for _ in range(60)))  # COPY knows the way, too
        at.seed(CUSTOMERS, at.make.customer())
        assert 61 == len(at.open().find(at.asked(CUSTOMERS, limit=100)))
        channel = at.backend.open(TENANT)._channel
        assert [(61,)] == channel.rows("SELECT count(*) FROM sales.crm_customers", ())
        channel.rollback()


def test_a_host_may_hold_the_tables_in_its_own_metadata_and_read_them(sqlite_url: str) -> None:
    engine = sa.create_engine(sqlite_url)
    metadata = sa.MetaData()
    ours = tables(SCHEMAS.values(), metadata, prefix="crm_")
    assert ours["customers"] is metadata.tables["crm_customers"]
    backend = SqlBackend(engine, tuple(SCHEMAS.values()), prefix="crm_")
    backend.migrate()
    with lab(engine, prefix="crm_") as at:
        customer = own(CUSTOMERS, at.make.customer(tags=("a", "b")))
        at.seed(CUSTOMERS, customer)
        with engine.connect() as connection:
            columns = ours["customers"].c
            row = connection.execute(sa.select(columns.updated_at, columns.tags, columns.birth_date)).one()
    engine.dispose()
    assert (customer.updated_at, ["a", "b"], None) == tuple(row)
