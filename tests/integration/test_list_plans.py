"""
Each list that the services and the entities' named questions imply comes out of an index, in order, page after page.

The lists are asked through a Work, as a program asks them; what the store then gave to the driver is explained by the
engine over some thousands of records.
Not among them, by choice: the search for a part of a text, which reads what it looks through; lists of few (all members by
name, the tree of teams); what waits for one member's approval, which looks into those that are pending, of which the list
is here; and the funnel's other numbers (how far deals ever came, how long won ones took).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from pymongo import MongoClient

import salescrm
from salescrm import Crm, F
from salescrm.backends.sql.channels import Channel
from salescrm.entities.customers import owned_by
from salescrm.page import Page
from salescrm.query import Tally, count
from salescrm.testing import START, Clock
from salescrm.values import Id
from tests.integration.lists import LISTS, POLICY, Ask, Listing, seed
from tests.integration.mongo_lab import Notes
from tests.integration.plans import (
    Plan,
    mongo_fits,
    mongo_is_plain,
    mongo_stages,
    overheard,
    postgres_plan,
    sqlite_plan,
)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def crm(request: pytest.FixtureRequest) -> Iterator[Crm]:
    with salescrm.connect(request.getfixturevalue(request.param), policy=POLICY, clock=Clock(START)) as crm:
        yield crm


def explained(
    crm: Crm, ask: Ask, after: str | None, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Plan], str | None]:
    """What the engine would do with the statement that a list came to, and the cursor of the page that follows."""
    with crm.begin(by="m3") as work:
        with overheard(monkeypatch) as said:
            page = ask(work, after)
        following = page.next if isinstance(page, Page) else None
        # A change on SQLite is two: it finds, then sets by id.
        statement = said[0]
        channel: Channel = work.reading()._channel  # type: ignore[attr-defined]  # an SqlStore's
        if channel.flavor.name == "sqlite":
            return {"": sqlite_plan(channel, statement)}, following
        custom, generic = (postgres_plan(channel, statement, generic=one) for one in (False, True))
    plans = {" (for these values)": custom}
    # A prepared statement settles on the plan for all values where that costs no more, planning included.
    if generic.cost <= custom.cost + 10:
        plans[" (for all values)"] = generic
    return plans, following


def problems(crm: Crm, lists: Mapping[str, Listing], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is wrong with the plan of each of *lists*, and of its next pages."""
    found: dict[str, str] = {}
    for name, listing in lists.items():
        after: str | None = None
        for number in (1, 2, 3):
            plans, after = explained(crm, listing.ask, after, monkeypatch)
            for which, plan in plans.items():
                if wrong := list(_wrong(listing, plan)):
                    found[f"{name}, page {number}{which}"] = "; ".join(wrong) + "\n" + plan.shown
            if after is None:
                break
    return found


def _wrong(listing: Listing, plan: Plan) -> Iterator[str]:
    yield from plan.scans
    if not listing.sorts:
        yield from plan.sorts
    serving = {listing.index} if isinstance(listing.index, str) else set(listing.index)
    if not plan.indexes or not plan.indexes <= serving:
        yield f"enters {sorted(plan.indexes)}"
    if listing.index_only and not plan.index_only:
        yield "looks at records"


def refresh(crm: Crm) -> None:
    """What the planner knows, brought up to date; on PostgreSQL also which pages an index alone may answer for."""
    engine: sa.Engine = crm.kit.backend.engine  # type: ignore[attr-defined]  # an SqlBackend's
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE")


def test_lists_come_out_of_their_indexes(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of them and its next pages, whatever the planner may know."""
    seed(crm, 5_000)
    if crm.kit.backend.engine.dialect.name == "sqlite":  # type: ignore[attr-defined]  # an SqlBackend's
        # Most files are never analyzed. PostgreSQL does it by itself.
        assert {} == problems(crm, LISTS, monkeypatch)
    refresh(crm)
    assert {} == problems(crm, LISTS, monkeypatch)


def test_a_list_without_an_index_is_told_apart(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a question that no index serves, an order that none has, an index that is not the one."""
    seed(crm, 1_000)
    refresh(crm)
    odd = {
        "unserved": Listing(
            lambda work, after: work.customers.find(F.industry == "rail"), "ix_customers_industry"
        ),
        "sorted": Listing(
            lambda work, after: work.customers.find(owned_by(Id("m3")), order=[F.level, F.name]),
            "ix_customers_owner_id_updated_at",
        ),
        "wide": Listing(
            lambda work, after: work.opportunities.tally(Tally(by=[F.level], measures=[count()])),
            "ix_opportunities_updated_at",
            index_only=True,
        ),
    }
    assert set(odd) == {name.split(",")[0] for name in problems(crm, odd, monkeypatch)}


def test_mongodb_finds_lists_by_an_index(mongodb_url: str) -> None:
    """By MongoDB's own rules one of ours gives the records in order; where the tests' server can tell, it enters one."""
    notes = Notes()
    wrong: dict[str, str] = {}
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb_url, event_listeners=[notes])
    database = client.get_default_database()
    with client, salescrm.connect(client, policy=POLICY, clock=Clock(START)) as crm:
        seed(crm, 200)
        for name, listing in LISTS.items():
            after: str | None = None
            for number in (1, 2):
                notes.commands.clear()
                with crm.begin(by="m3") as work:
                    page = listing.ask(work, after)
                if not listing.plain:
                    break
                (sent,) = [one for one in notes.commands if one["name"] == "find"]
                indexes = database[sent["find"]].index_information()
                if not mongo_fits(indexes, sent, sorts=listing.sorts):
                    wrong[f"{name}, page {number}"] = "no index fits"
                if mongo_is_plain(indexes, sent) and "IXSCAN" not in mongo_stages(database, sent):
                    wrong[f"{name}, page {number}"] = "enters no index"
                after = page.next if isinstance(page, Page) else None
                if after is None:
                    break
    assert {} == wrong
