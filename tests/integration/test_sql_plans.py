"""What the engines' planners make of our statements: each declared index serves its list, from any page, in order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from salescrm.kinds import Kind
from salescrm.query import EVERYTHING, F, Field, Order, Tally, Where, count, highest, total
from salescrm.query.nodes import Compare, Literal_
from salescrm.schema import Index, Schema
from salescrm.testing import START
from tests.integration.sql_lab import SCHEMAS, Lab, lab

LISTS = [
    pytest.param(schema, index, id=f"{schema.collection}-{'-'.join(index.columns)}")
    for schema in SCHEMAS.values()
    for index in schema.indexes
    if not index.unique
]
SAMPLES: dict[Kind, Literal_] = {Kind.MOMENT: START, Kind.DAY: START.date(), Kind.WHOLE: 1, Kind.FLAG: True}


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'crm.db'}") as made:
        yield made


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[Lab]:
    with lab(postgres_url) as made:
        yield made


def _prefix(schema: Schema, index: Index) -> Where:
    """Equality on all columns of *index* but the last."""
    where: Where = EVERYTHING
    for name in index.columns[:-1]:
        column = schema.by_column[name]
        if name not in schema.fields:  # half of a money field
            continue
        value = column.choices[0] if column.choices else SAMPLES.get(column.kind, "x")
        where = where & Compare(name, "eq", value)
    return where


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("schema, index", LISTS)
def test_sqlite_reads_a_list_from_its_index_without_sorting(
    on_sqlite: Lab, schema: Schema, index: Index, descending: bool
) -> None:
    if index.columns[-1] not in schema.fields:
        pytest.skip("nothing is ordered by half of a money field")
    order = (Order(index.columns[-1], descending),)
    said = on_sqlite.explain(on_sqlite.asked(schema, _prefix(schema, index), order))
    assert f"USING INDEX ix_{schema.collection}_{'_'.join(index.columns)}" in said
    assert "TEMP B-TREE" not in said


@pytest.mark.engine("sqlite")
def test_sqlite_goes_on_from_where_the_last_page_ended(on_sqlite: Lab) -> None:
    """Also behind a date in a column that has none in some records, where the rest is another range."""
    schema, lab_ = SCHEMAS["follow_ups"], on_sqlite
    last = lab_.make.follow_up(planned_at=START)
    where = (F.assignee_id == "li") & (F.status == "planned")
    said = lab_.explain(lab_.asked(schema, where, (Order("planned_at"),), behind=last))
    assert "(tenant=? AND assignee_id=? AND status=? AND (planned_at,id)>(?,?))" in said
    assert "TEMP B-TREE" not in said


@pytest.mark.engine("sqlite")
def test_sqlite_counts_a_funnel_in_its_index_alone(on_sqlite: Lab) -> None:
    tally = Tally(by=["stage", "amount.currency"], measures=[count(), total(Field("amount.minor"))])
    said = on_sqlite.explain(on_sqlite.tallied(SCHEMAS["opportunities"], tally))
    assert "USING COVERING INDEX ix_opportunities_pipeline_stage_amount_currency" in said


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    "where",
    [
        F.number.starts_with("C2026"),
        F.number.one_of(["C1", "C2"]),
        F.updated_at.one_of([START, START + timedelta(days=1)]),
        (F.owner_id == "li") & ~(F.industry == "rail"),
    ],
    ids=["prefix", "one of", "moments", "negation beside"],
)
def test_sqlite_finds_by_index(on_sqlite: Lab, where: Where) -> None:
    said = on_sqlite.explain(on_sqlite.asked(SCHEMAS["customers"], where))
    assert " USING INDEX " in said, said


def test_postgres_reads_lists_from_their_indexes(on_postgres: Lab) -> None:
    """On tables of some size; on an empty one any plan is as good as another."""
    at, customers = on_postgres, SCHEMAS["customers"]
    at.seed(
        customers,
        *(
            at.make.customer(owner_id=f"m{n % 40}", updated_at=START + timedelta(minutes=n * 7 % 5000))
            for n in range(5_000)
        ),
    )
    channel = at.backend.open("acme")._channel
    channel.run("VACUUM ANALYZE customers")
    channel.commit()
    newest = (Order("updated_at", descending=True),)
    first = at.explain(at.asked(customers, F.owner_id == "m1", newest))
    assert "ix_customers_owner_id_updated_at" in first
    assert "Sort" not in first
    last = at.open().find(at.asked(customers, F.owner_id == "m1", newest, limit=30))[-1]
    deep = at.explain(at.asked(customers, F.owner_id == "m1", newest, behind=last))
    assert "ix_customers_owner_id_updated_at" in deep
    assert "Sort" not in deep
    assert "ROW(updated_at" in deep  # in the index condition, not in a filter
    by_number = at.explain(at.asked(customers, F.number.starts_with("C00001")))
    assert "uq_customers_number" in by_number
    newest_of_all = at.explain(at.tallied(customers, Tally(measures=[highest(F.updated_at)])))
    assert "Index Only Scan" in newest_of_all


def test_postgres_looks_once_for_what_it_changes_even_before_the_first_analyze(on_postgres: Lab) -> None:
    """It then takes a tenant for a handful of records, and would read all of them again for each one that is changed."""
    at, customers = on_postgres, SCHEMAS["customers"]
    at.backend.open("acme")._channel.run("ALTER TABLE customers SET (autovacuum_enabled = false)")
    many = [at.make.customer() for _ in range(1_500)]
    at.seed(customers, *many)
    asked = at.asked(customers, F.id.one_of([one.id for one in many[:20]]) & F.owner_id.is_null(), limit=20)
    for said in (at.explain_change(asked, {"owner_id": "li"}), at.explain_sweep(asked, {"owner_id": "li"})):
        assert "Update on customers" in said
        assert "Nested Loop" not in said, said
