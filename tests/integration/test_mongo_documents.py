"""What lies in MongoDB: how values are kept, which indexes there are, and how `migrate` and `verify` deal with them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest
from bson import Int64

from salescrm.backends.mongo import MongoBackend
from salescrm.entities import ChangeEntry, Customer, KeyDate
from salescrm.entities.base import Record
from salescrm.errors import Duplicate, SchemaOutdated
from salescrm.kinds import Extra, Key
from salescrm.query import F
from salescrm.schema import Index, Schema, describe
from salescrm.testing.makers import Maker
from salescrm.values import Money
from tests.integration.mongo_lab import Client, Lab, open_lab


@attrs.frozen(kw_only=True)
class Badge(Record):
    """Has unique keys that need not be there."""

    code: Key | None = None
    room: int | None = None
    seen_at: datetime | None = None
    lost: bool | None = None


BADGES = describe(
    Badge,
    "badges",
    indexes=[
        Index(("code",), unique=True),
        Index(("room", "lost"), unique=True),
        Index(("seen_at",), unique=True),
        Index(("lost",), covering=("room",)),
    ],
)


@pytest.fixture
def lab(mongodb_url: str) -> Iterator[Lab]:
    with open_lab(mongodb_url) as lab:
        yield lab


@pytest.fixture
def badges(mongodb_url: str) -> Iterator[Lab]:
    with open_lab(mongodb_url, [BADGES]) as lab:
        yield lab


def test_values_are_kept_as_mongodb_has_them(lab: Lab) -> None:
    """Moments are dates, whole numbers whole, days ISO text; what no question looks into is JSON text."""
    moment = datetime(1066, 10, 14, 9, 0, 0, 123_000, tzinfo=UTC)
    customer = Maker().customer(
        name="Ａcme",
        annual_revenue=Money(2**53 - 1, "CNY"),
        follow_up_count=7,
        last_follow_up_at=moment,
        purchase_deadline=date(1000, 1, 1),
        tags=("a", "$b"),
        key_dates=(KeyDate(name="$ref", on=date(2026, 1, 1)),),
        extra=Extra(seats=2**53 - 1, vip=True, renewal="2026-01-01"),
    )
    asking = lab.open()
    asking.add(customer)
    asking.commit()

    (document,) = lab.raw("customers")

    assert f"t/{customer.id}" == document["_id"]
    assert {"_id", *(column.name for column in lab.schemas["customers"].columns)} == document.keys()
    assert moment.replace(tzinfo=None) == document["last_follow_up_at"]
    assert (Int64(2**53 - 1), "CNY", 7) == (
        document["annual_revenue"],
        document["annual_revenue_currency"],
        document["follow_up_count"],
    )
    assert {int, Int64} >= {type(document["annual_revenue"]), type(document["follow_up_count"])}
    assert "1000-01-01" == document["purchase_deadline"]
    assert ["a", "$b"] == document["tags"]
    assert '[{"name":"$ref","on":"2026-01-01","yearly":false}]' == document["key_dates"]
    assert {"seats": 2**53 - 1, "vip": True, "renewal": "2026-01-01"} == document["extra"]
    assert document["level"] is None
    assert "acme" in document["search_text"]

    found = lab.open().get(Customer, customer.id)
    assert asking.own(customer) == found
    assert found is not None
    assert [int, int] == [type(found.annual_revenue.minor), type(found.extra["seats"])]  # type: ignore[union-attr]


def test_keys_that_mongodb_reserves_survive(lab: Lab) -> None:
    """In nested data: references, paths, operators."""
    changes: dict[str, Any] = {"$ref": ["x", None], "a.b": [None, {"$gt": 1, "": [1, "二"]}], "": [None, 1]}
    entry = ChangeEntry(
        id=Maker().id(),
        entity="Customer",
        record_id=Maker().id(),
        kind="saved",
        record_version=1,
        changes=changes,
    )
    asking = lab.open()
    asking.add(entry)
    asking.commit()

    found = lab.open().get(ChangeEntry, entry.id)

    assert found is not None
    assert changes == found.changes


def test_indexes_are_those_of_the_schemas(lab: Lab) -> None:
    """The tenant leads, the id ends, what is covered rides along; a unique key is its columns alone."""
    indexes = lab.client.get_default_database().opportunities.index_information()

    assert {
        "_id_": ["_id"],
        "salescrm_id": ["tenant", "id"],
        "salescrm_unique_number": ["tenant", "number"],
        "salescrm_owner_id_updated_at_id": ["tenant", "owner_id", "updated_at", "id"],
        "salescrm_customer_id_updated_at_id": ["tenant", "customer_id", "updated_at", "id"],
        "salescrm_pipeline_stage_amount_currency_id_amount": [
            *("tenant", "pipeline", "stage", "amount_currency", "id", "amount"),
        ],
        "salescrm_pipeline_stage_stage_entered_at_id": [
            "tenant",
            "pipeline",
            "stage",
            "stage_entered_at",
            "id",
        ],
        "salescrm_updated_at_id": ["tenant", "updated_at", "id"],
    } == {name: [column for column, _ in index["key"]] for name, index in indexes.items()}
    assert ["salescrm_unique_number"] == [name for name, index in indexes.items() if index.get("unique")]


def test_null_is_exempt_from_a_unique_key(badges: Lab) -> None:
    """Of each kind, as in SQL; an empty text, zero, False and the first moment are values."""
    asking, maker = badges.open(), Maker()

    def badge(**given: Any) -> Badge:
        return Badge(id=maker.id(), version=1, **given)

    asking.add(badge(), badge(), badge(room=1), badge(room=1), badge(lost=False), badge(lost=False))
    first = datetime(1000, 1, 1, tzinfo=UTC)
    full = badge(code="", room=-(2**53) + 1, lost=False, seen_at=first)
    asking.add(full)
    asking.commit()

    for taken, key in (
        (badge(code=""), ("code",)),
        (badge(room=-(2**53) + 1, lost=False), ("room", "lost")),
        (badge(seen_at=first), ("seen_at",)),
        (attrs.evolve(badge(), id=full.id), ("id",)),
    ):
        asking = badges.open()
        with pytest.raises(Duplicate) as duplicate:
            asking.add(taken)
        asking.rollback()
        assert ("Badge", key) == (duplicate.value.entity, duplicate.value.key)


def test_partial_unique_index_answers_its_key(badges: Lab) -> None:
    """A planner sees that a value satisfies the condition of the index."""
    badges.open().find(Badge, F.code == "x")

    assert "IXSCAN" in badges.plan()


def test_verify_wants_a_migration_for_these_schemas(mongodb_url: str) -> None:
    """Before the first one, and again when an index was added; afterwards nothing is left to do."""
    with Client(mongodb_url) as client:
        backend = MongoBackend(client, [BADGES])
        with pytest.raises(SchemaOutdated) as outdated:
            backend.verify()
        assert outdated.value.found is None
        backend.migrate()
        backend.verify()

        later = MongoBackend(client, [attrs.evolve(BADGES, indexes=(*BADGES.indexes, Index(("room",))))])
        with pytest.raises(SchemaOutdated):
            later.verify()
        later.migrate()
        later.verify()


def test_migrate_drops_what_no_schema_names(mongodb_url: str) -> None:
    """Of ours; a host's own index stays."""
    with Client(mongodb_url) as client:
        MongoBackend(client, [BADGES]).migrate()
        collection = client.get_default_database().badges
        collection.create_index("room", name="hosts")

        MongoBackend(client, [attrs.evolve(BADGES, indexes=BADGES.indexes[:1])]).migrate()

        assert {"_id_", "hosts", "salescrm_id", "salescrm_unique_code_set"} == set(
            collection.index_information()
        )


def test_many_may_migrate_at_once(mongodb_url: str) -> None:
    """Each with a client of its own, half of them in the middle of an upgrade."""
    old = attrs.evolve(BADGES, indexes=(Index(("room",)), Index(("code", "room"))))
    with Client(mongodb_url) as client:
        MongoBackend(client, [old]).migrate()

    def migrate(_: int) -> None:
        with Client(mongodb_url) as client:
            backend = MongoBackend(client, [BADGES])
            backend.migrate()
            backend.verify()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(migrate, range(8)))


@pytest.mark.parametrize("options", [{"prefix": "crm_"}, {"database": "salescrm_elsewhere"}])
def test_collections_go_where_they_are_told(mongodb_url: str, options: dict[str, Any]) -> None:
    """Under a prefix, or in a database that the URL does not name."""
    with Client(mongodb_url) as client:
        backend = MongoBackend(client, [BADGES], **options)
        backend.migrate()
        try:
            database = client[options.get("database") or client.get_default_database().name]
            prefix = options.get("prefix", "")
            assert {f"{prefix}badges", f"{prefix}salescrm_schema"} == set(database.list_collection_names())
        finally:
            if "database" in options:
                client.drop_database(options["database"])


def test_hosts_client_stays_open(mongodb_url: str) -> None:
    """Closing the backend closes what the backend opened, no more."""
    schemas: list[Schema] = [BADGES]
    with Client(mongodb_url) as client:
        MongoBackend(client, schemas).close()
        assert 1.0 == client.admin.command("ping")["ok"]

    own = MongoBackend(mongodb_url, schemas)
    own.migrate()
    own.close()


def test_hosts_options_do_not_reach_our_reads(mongodb_url: str) -> None:
    """A client with aware times, secondary reads and weak writes serves as well as any."""
    with open_lab(mongodb_url, tz_aware=True, readPreference="secondaryPreferred", w=1) as lab:
        customer = Maker().customer(last_follow_up_at=datetime(2026, 1, 1, tzinfo=UTC))
        asking = lab.open()
        asking.add(customer)
        asking.commit()

        assert asking.own(customer) == lab.open().get(Customer, customer.id)
        sent = lab.notes.commands
        assert {"level": "majority"} == sent[-1]["readConcern"]
        commit = next(one for one in sent if one["name"] == "commitTransaction")
        assert {"w": "majority"} == commit["writeConcern"]
