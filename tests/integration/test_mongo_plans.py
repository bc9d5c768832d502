"""What the MongoDB backend sends: one command where one will do, and questions that an index answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from salescrm.backends.mongo.compile import matching
from salescrm.entities import Contact, Customer, FollowUp, Opportunity, OutboxEvent
from salescrm.entities.base import Record
from salescrm.kinds import Kind
from salescrm.plans import AllOf, Cmp, Condition, InSlot, ListHas, Ref, Starts
from salescrm.query import F, Field, Order, Where, contains_text
from salescrm.storage import Replace
from salescrm.testing.clock import START
from salescrm.testing.makers import Maker
from tests.integration.mongo_lab import Lab, open_lab

LISTS: list[tuple[type[Record], Where, Sequence[Field | Order]]] = [
    (Customer, F.owner_id == "li", (-F.updated_at,)),
    (Customer, F.owner_id.is_null(), (F.updated_at,)),
    (Customer, F.owner_id.one_of(["li", "wang"]), ()),
    (Customer, (F.owner_id == "li") & (F.updated_at >= START), ()),
    (Customer, F.updated_at <= START, (-F.updated_at,)),
    (Customer, F.number == "C0000001", ()),
    (Customer, F.id == "x", ()),
    (Customer, F.id > "x", ()),
    (Contact, F.customer_id == "x", (F.name,)),
    (Opportunity, (F.pipeline == "sales") & (F.stage == "lead"), ()),
    (FollowUp, (F.assignee_id == "li") & (F.status == "planned") & (F.planned_at < START), (F.planned_at,)),
    (OutboxEvent, (F.status == "pending") & (F.due_at <= START), (F.due_at,)),
]


@pytest.fixture
def lab(mongodb_url: str) -> Iterator[Lab]:
    with open_lab(mongodb_url) as lab:
        yield lab


@pytest.mark.parametrize("entity, where, order", LISTS, ids=repr)
def test_list_uses_an_index(
    lab: Lab, entity: type[Record], where: Where, order: Sequence[Field | Order]
) -> None:
    """A plain find whose plan enters an index, whether the list is ordered by it or by id."""
    maker = Maker()
    asking = lab.open()
    asking.add(*[maker.customer(owner_id="li") for _ in range(20)])
    asking.commit()
    lab.notes.commands.clear()

    asking.find(entity, where, order=order, limit=10)

    assert ["find"] == lab.notes.names
    stages = lab.plan()
    assert "IXSCAN" in stages
    assert "COLLSCAN" not in stages


def test_question_without_an_index_shows_in_the_plan(lab: Lab) -> None:
    """The control: such a plan looks different."""
    lab.open().find(Customer, F.tags.has("x"))

    assert "COLLSCAN" in lab.plan()


def test_every_page_comes_in_one_answer(lab: Lab) -> None:
    """However large, and with the cursor of the page before."""
    maker = Maker()
    asking = lab.open()
    asking.add(*[maker.customer(updated_at=START + timedelta(days=n)) for n in range(450)])
    asking.commit()
    lab.notes.commands.clear()

    sizes = [len(page) for page in lab.open().pages(Customer, order=[-F.updated_at], size=200)]

    assert [200, 200, 50] == sizes
    assert ["find"] * 3 == lab.notes.names


def test_hop_is_one_command(lab: Lab) -> None:
    """The join happens in the server."""
    lab.open().find(Opportunity, F.customer.industry == "IT", order=[F.updated_at])

    assert ["aggregate"] == lab.notes.names
    stages = [next(iter(stage)) for stage in lab.notes.commands[-1]["pipeline"]]
    assert ["$match", "$sort", "$set", "$lookup", "$unwind", "$match", "$limit", "$project"] == stages


def test_hop_of_a_column_is_taken_after_the_limit(lab: Lab) -> None:
    """Only the records of the page are joined."""
    lab.open().select(Opportunity, F.name, F.customer.name, where=F.stage == "lead", limit=5)

    stages = [next(iter(stage)) for stage in lab.notes.commands[-1]["pipeline"]]
    assert stages.index("$limit") < stages.index("$lookup")


def test_create_with_its_log_takes_one_command_per_collection(lab: Lab) -> None:
    """And one for the commit; several of a kind go together."""
    maker = Maker()
    asking = lab.open()
    asking.add(maker.customer(), maker.customer(), maker.product())
    asking.commit()

    assert ["insert", "insert", "commitTransaction"] == lab.notes.names


def test_many_saves_are_one_command(lab: Lab) -> None:
    """As one bulk write."""
    maker = Maker()
    asking = lab.open()
    customers = [maker.customer() for _ in range(100)]
    asking.add(*customers)
    asking.commit()
    lab.notes.commands.clear()

    schema, asking = lab.schemas["customers"], lab.open()
    asking.store.write(
        *[
            Replace(schema, schema.evolve(asking.own(one), {"version": 2, "level": "A"}), 1)
            for one in customers
        ]
    )
    asking.commit()

    assert ["update", "commitTransaction"] == lab.notes.names
    assert 100 == len(lab.open().find(Customer, F.level == "A"))


def test_change_takes_two_commands(lab: Lab) -> None:
    """One finds, one sets; no more are needed for as many records as one command takes."""
    maker = Maker()
    asking = lab.open()
    asking.add(*[maker.customer() for _ in range(150)])
    asking.commit()
    lab.notes.commands.clear()

    changed = asking.change(Customer, F.owner_id.is_null(), {"owner_id": "li"}, order=[F.number], limit=120)
    asking.commit()

    assert 120 == len(changed)
    assert ["find", "update", "commitTransaction"] == lab.notes.names


def test_conditions_on_different_fields_stay_flat(lab: Lab) -> None:
    """Planners look at the top of the filter; bounds on one field share its entry."""
    where = (F.owner_id == "li") & ((F.updated_at >= START) & (F.updated_at < START + timedelta(days=1)))
    lab.open().find(Customer, where & ~F.tags.has("x"))

    assert {
        "tenant": "t",
        "owner_id": "li",
        "updated_at": {"$gte": START, "$lt": START + timedelta(days=1)},
        "$nor": [{"tags": {"$elemMatch": {"$eq": "x"}}}],
    } == lab.notes.commands[-1]["filter"]


def test_question_about_the_tenant_does_not_widen_it(lab: Lab) -> None:
    """Another tenant's name in the question finds nothing."""
    lab.backend.open("other")
    elsewhere = lab.open("other")
    elsewhere.add(Maker().customer())
    elsewhere.commit()

    assert [] == lab.open().find(Customer, F.tenant == "other")
    assert [] == lab.open().find(Customer, (F.tenant == "other") | (F.name == "x"))


@pytest.mark.parametrize("value", ["$name", "{$gt: ''}", ".*", "a.b", {"$gt": ""}, ["x"]])
def test_value_is_never_an_operator(lab: Lab, value: Any) -> None:
    """Whatever stands in a slot is compared, also what only a caller who goes round the checker could put there."""
    maker = Maker()
    asking = lab.open()
    asking.add(maker.customer(name="name", tags=("name",)))
    asking.commit()
    name, tags = (lab.schemas["customers"].by_column[one] for one in ("name", "tags"))
    ref = Ref(name, kind=Kind.TEXT)

    conditions: list[Condition] = [
        Cmp(ref, "eq", 0),
        ListHas(Ref(tags, kind=Kind.TEXTS), 0),
        AllOf((Cmp(ref, "eq", 0), Cmp(ref, "ge", 0))),
    ]
    if not isinstance(value, dict):
        conditions.append(InSlot(ref, 1))  # MongoDB itself refuses operators in there
    for condition in conditions:
        filter_ = matching(condition, [value, (value,)])
        assert 0 == lab.client.get_default_database().customers.count_documents(filter_)
    assert [] == asking.find(Customer, contains_text("$name") | F.name.contains("$name"))


def test_prefix_ends_at_the_next_code_point(lab: Lab) -> None:
    """Behind the last one there is no bound, and surrogates are stepped over."""
    ref = Ref(lab.schemas["customers"].by_column["name"], kind=Kind.TEXT)

    assert {"name": {"$gte": "ab", "$lt": "ac"}} == matching(Starts(ref, 0), ["ab"])
    assert {"name": {"$gte": "a\ud7ff", "$lt": "a\ue000"}} == matching(Starts(ref, 0), ["a\ud7ff"])
    assert {"name": {"$gte": "a\U0010ffff", "$lt": "b"}} == matching(Starts(ref, 0), ["a\U0010ffff"])
    assert {"name": {"$gte": "\U0010ffff"}} == matching(Starts(ref, 0), ["\U0010ffff"])
