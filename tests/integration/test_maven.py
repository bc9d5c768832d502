"""The main job on real input: a company's four files in, its funnel and performance out, the same on every engine."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

import salescrm
from salescrm import (
    ChangeEntry,
    Crm,
    Customer,
    F,
    Member,
    Opportunity,
    OpportunityLine,
    Product,
    StageChange,
    Team,
)
from salescrm.imports import import_files, load_plan, recall
from salescrm.reports import Dimension

ROOT: Final = Path(__file__).parents[2]
DATA: Final = Path(os.environ.get("SALESCRM_DATA", ROOT.parent / "shared" / "data")) / "maven_crm"
PLAN: Final = ROOT / "examples" / "maven" / "plan.toml"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the Maven files are not at {DATA}; SALESCRM_DATA says where"
)

#: Our dimension, the expected figures' own, and the figures that both have, with the decimals they are given in.
BY: Final[dict[Dimension, str]] = {
    "manager": "by_manager",
    "team": "by_regional_office",
    "product": "by_product",
    "industry": "by_sector",
    "close_quarter": "closed_by_quarter",
}
FIGURES: Final = (
    ("total", "total", None),
    ("won", "won", None),
    ("lost", "lost", None),
    ("revenue", "revenue", None),
    ("win_rate_closed", "win_rate_closed", 6),
    ("win_rate_all", "won_share_of_all", 6),
    ("cycle_days_mean", "won_cycle_mean_days", 4),
    ("cycle_days_median", "won_cycle_median_days", 4),
)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """The figures that others have computed from the same files."""
    figures: dict[str, Any] = json.loads((DATA / "expected.public.json").read_text(encoding="utf-8"))[
        "figures"
    ]
    return figures


@pytest.mark.timeout(900)  # the stand-in for MongoDB writes a few hundred records a second
def test_the_figures_are_those_of_the_files(engine_url: str, expected: dict[str, Any]) -> None:
    """Funnel and performance by every dimension, to the last digit that is given."""
    with salescrm.connect(engine_url) as crm:
        crm.migrate()
        result = import_files(crm, load_plan(PLAN), DATA, by="host")
        assert (3 * 35 + 7 + 85 + 8800, 0) == (result.counts.rows, result.counts.refused)
        crm = recall(crm, by="host")
        _funnel(crm, expected)
        _performance(crm, expected)


@pytest.mark.timeout(600)
def test_a_second_import_changes_nothing(engine_url: str, tmp_path: Path) -> None:
    """No record, no line, no history, no log; a part of the deals is enough to tell."""
    files = tmp_path / "files"
    shutil.copytree(DATA, files, ignore=shutil.ignore_patterns("derived"))
    deals = files / "sales_pipeline.csv"
    deals.write_text(
        "".join(deals.read_text(encoding="utf-8").splitlines(keepends=True)[:601]), encoding="utf-8"
    )
    with salescrm.connect(engine_url) as crm:
        crm.migrate()
        first = import_files(crm, load_plan(PLAN), files, by="host").counts
        before = _everything(crm)
        again = import_files(crm, load_plan(PLAN), files, by="host").counts
        after = _everything(crm)

    assert (3 + 6 + 35 + 7 + 85 + 600, 0) == (first.added, first.refused)
    assert (0, 0, 0, 0, first.rows) == (
        again.added,
        again.updated,
        again.refused,
        again.linked,
        again.unchanged,
    )
    assert before == after


def _everything(crm: Crm) -> dict[str, list[tuple[str, int]]]:
    """By entity, every record's id and version."""
    with crm.begin(by="host") as work:
        return {
            kind.__name__: sorted((one.id, one.version) for one in work.repository(kind).stream())
            for kind in (
                Team,
                Member,
                Product,
                Customer,
                Opportunity,
                OpportunityLine,
                StageChange,
                ChangeEntry,
            )
        }


def _funnel(crm: Crm, expected: dict[str, Any]) -> None:
    with crm.begin(by="host") as work:
        funnel = work.reports.funnel("maven").to_plain()
    stages = {stage["stage"]: stage for stage in funnel["stages"]}
    reached = expected["funnel_reached"]
    assert ["prospecting", "engaging", "won", "lost"] == list(stages)
    assert expected["stage_counts"] == {name.capitalize(): stage["count"] for name, stage in stages.items()}
    assert [reached["Prospecting"], reached["Engaging"], reached["Won"], None] == [
        stage["reached"] for stage in stages.values()
    ]
    assert [reached["prospecting_to_engaging"], reached["engaging_to_won"], None, None] == [
        stage["conversion_to_next"] for stage in stages.values()
    ]
    assert (reached["overall"], reached["engaging_to_won"]) == (
        stages["prospecting"]["conversion_to_won"],
        stages["engaging"]["conversion_to_won"],
    )
    assert (expected["revenue_won"], "USD") == (stages["won"]["amount"], funnel["currency"])
    assert (4238, 2473, 2089, 8800) == (funnel["won"], funnel["lost"], funnel["open"], funnel["total"])
    assert expected["win_rate_closed"]["value"] == funnel["win_rate_closed"]
    assert expected["won_share_of_all_opportunities"]["value"] == funnel["win_rate_all"]
    cycle = expected["cycle_days_won"]
    assert (cycle["mean"], cycle["median"]) == (
        round(funnel["cycle_days"]["mean"], 4),
        funnel["cycle_days"]["median"],
    )


def _performance(crm: Crm, expected: dict[str, Any]) -> None:
    for by, name in BY.items():
        with crm.begin(by="host") as work:
            rows = {row["key"]: row for row in work.reports.performance(by).to_plain()["rows"]}
        assert expected[name].keys() == rows.keys(), by
        for key, figures in expected[name].items():
            for ours, theirs, places in FIGURES:
                if theirs in figures:
                    found = rows[key][ours]
                    told = found if found is None or places is None else round(found, places)
                    assert figures[theirs] == told, (by, key, ours)
    with crm.begin(by="host") as work:
        owners = work.reports.performance("owner").to_plain()["rows"]
    idle = [row for row in owners if not row["total"]]
    assert (35, expected["agents_without_opportunities"]) == (len(owners), sorted(row["key"] for row in idle))
    assert {(0, 0, None, None, None)} == {
        (row["won"], row["revenue"], row["win_rate_closed"], row["win_rate_all"], row["cycle_days_mean"])
        for row in idle
    }
    assert (8800, 4238, 10005534) == tuple(
        sum(row[name] for row in owners) for name in ("total", "won", "revenue")
    )


@pytest.mark.engine("memory")
def test_what_was_imported_is_a_crm(memory_url: str) -> None:
    """Deals have their lines and their history, customers what they bought, and all of it goes on from there."""
    with salescrm.connect(memory_url) as crm:
        import_files(crm, load_plan(PLAN), DATA, by="host")
        crm = recall(crm, by="host")
        with crm.begin(by="Moses Frase") as work:
            won = work.opportunities.find(F.number == "1C1I7A6R")[0]
            stays = work.opportunities.history(won)
            lines = work.opportunities.lines.of(won.id)
            cancity = work.customers.get(won.customer_id or salescrm.Id(""))
            bought = work.products.get(lines[0].product_id)
            parents = {one.parent_id for one in work.customers.stream(F.parent_id.is_set())}
            acme = work.customers.find(F.name == "Acme Corporation")[0]

            assert [("engaging", 132), ("won", None)] == [
                (stay.stage, stay.duration.days if stay.left_at else None) for stay in stays
            ]
            assert ("GTX Plus Basic", "Cancity", "active") == (bought.name, cancity.name, cancity.lifecycle)
            assert bought.id in cancity.products_bought
            assert cancity.won_amount == sum(
                (
                    one.amount
                    for one in work.opportunities.stream((F.customer_id == cancity.id) & (F.status == "won"))
                    if one.amount is not None
                ),
                salescrm.Money.zero("USD"),
            )
            assert (7, True, "1000+") == (len(parents), acme.id in parents, acme.size)

            prospect = work.opportunities.find(F.stage == "prospecting")[0]
            moved = work.opportunities.move(prospect, "engaging")
        assert ("engaging", "engaging") == (moved.stage, moved.furthest_stage)
        again = import_files(crm, load_plan(PLAN), DATA, by="host").counts
        assert 0 == again.updated  # the deal has gone on since; the file knows no better
