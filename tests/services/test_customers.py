"""Customers and contacts: creating, editing, tagging, sharing, removing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salescrm import (
    Crm,
    Customer,
    Duplicate,
    F,
    Id,
    InvalidValue,
    Money,
    NotFound,
    StaleWrite,
    StateRefused,
    UnknownField,
    Work,
)
from salescrm.testing import Clock


def test_a_new_customer_is_numbered_by_the_day_in_the_policys_zone(crm: Crm, clock: Clock) -> None:
    clock.set(clock().replace(hour=16, minute=0))  # midnight in Shanghai: the 16th has begun there
    with crm.begin(by="li") as work:
        numbers = [work.customers.create(name=name).number for name in ("甲", "乙")]

    assert ["C20260316001", "C20260316002"] == numbers


def test_contacts_come_with_it_and_the_first_is_primary(work: Work) -> None:
    customer = work.customers.create(
        name="云帆科技",
        contacts=[{"name": "王芳", "mobile": "138 1234 5678"}, {"name": "李强", "mobile": "13912345678"}],
    )

    contacts = {one.name: one for one in work.customers.contacts(customer)}
    assert ("+8613812345678", True) == (contacts["王芳"].mobile, contacts["王芳"].primary)
    assert ("+8613912345678", False) == (contacts["李强"].mobile, contacts["李强"].primary)


def test_another_primary_contact_takes_over(work: Work) -> None:
    customer = work.customers.create(name="云帆科技", contacts=[{"name": "王芳", "mobile": "13812345678"}])

    new = work.contacts.create(customer_id=customer.id, name="李强", mobile="13912345678", primary=True)

    assert [new.id] == [one.id for one in work.customers.contacts(customer) if one.primary]


@pytest.mark.parametrize(
    "fields, field",
    [
        ({"name": " "}, "name"),
        ({"name": "甲" * 300}, "name"),
        ({"name": "甲\x00"}, "name"),
        ({"name": "甲\ud800"}, "name"),
        ({"name": "甲\n乙"}, "name"),
        ({"name": "甲\u202e乙"}, "name"),
        ({"name": "甲", "tags": ["a\tb"]}, "tags"),
        ({"name": "甲", "kind": "dog"}, "kind"),
        ({"name": "甲", "credit_code": "91330106MA2KJ0000X"}, "credit_code"),
        ({"name": "甲", "annual_revenue": 5.5}, "annual_revenue"),
        ({"name": "甲", "tags": ["a", 1]}, "tags"),
        ({"name": "甲", "extra": {"undeclared": 1}}, "extra.undeclared"),
        ({"name": "甲", "parent_id": "nobody"}, "parent_id"),
        ({"name": {"$ne": None}}, "name"),
    ],
)
def test_a_value_that_does_not_fit_is_named_and_nothing_is_written(
    crm: Crm, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidValue) as refusal, crm.begin(by="li") as work:
        work.customers.create(**fields)  # type: ignore[arg-type]  # what a careless host may pass

    assert field == refusal.value.field
    with crm.begin(by="li") as work:
        assert 0 == work.customers.count()


def test_an_unknown_field_offers_the_nearest(work: Work) -> None:
    with pytest.raises(UnknownField) as refusal:
        work.customers.create(name="甲", industri="x")  # type: ignore[call-arg]  # the typo under test

    assert "industry" in refusal.value.near


def test_computed_facts_are_not_given_by_hand(work: Work) -> None:
    with pytest.raises(UnknownField):
        work.customers.create(name="甲", follow_up_count=5)  # type: ignore[call-arg]  # what may not be given


def test_an_edit_is_logged_with_old_and_new(work: Work) -> None:
    customer = work.customers.create(name="甲", level="B")

    work.customers.edit(customer, level="A", annual_revenue=Money.of("1000", "CNY"))

    entry = work.history.of(customer)[-1]
    assert ("saved", 2, "li") == (entry.kind, entry.record_version, entry.created_by)
    assert {
        "level": ["B", "A"],
        "annual_revenue": [None, 100000],
        "annual_revenue_currency": [None, "CNY"],
    } == entry.changes


def test_an_edit_that_changes_nothing_writes_nothing(work: Work) -> None:
    customer = work.customers.create(name="甲", level="B")

    assert customer is work.customers.edit(customer, level="B")
    assert 1 == len(work.history.of(customer))


def test_an_edit_of_what_somebody_saved_meanwhile_is_stale(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        read = work.customers.create(name="甲")
    with crm.begin(by="wang") as other:
        other.customers.edit(read.id, level="A")

    with pytest.raises(StaleWrite) as refusal, crm.begin(by="li") as work:
        work.customers.edit(read, level="C")

    assert (read.id, 1) == (refusal.value.id, refusal.value.expected_version)


def test_a_taken_number_is_a_duplicate(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        work.customers.create(name="甲", number="X1")

    with pytest.raises(Duplicate) as refusal, crm.begin(by="li") as work:
        work.customers.create(name="乙", number="X1")

    assert ("number",) == refusal.value.key


def test_neither_id_nor_number_can_be_edited(work: Work) -> None:
    customer = work.customers.create(name="甲")

    with pytest.raises(InvalidValue):
        work.customers.edit(customer, number="X9")


def test_tags_are_kept_once_in_their_order(work: Work) -> None:
    customer = work.customers.create(name="甲", tags=["高意向"])

    tagged = work.customers.tag(customer, "展会", "高意向")

    assert ("高意向", "展会") == tagged.tags
    assert ("展会",) == work.customers.untag(tagged, "高意向").tags
    assert 1 == work.customers.count(F.tags.has("展会"))


def test_a_list_of_texts_holds_each_once_and_none_that_is_blank(work: Work) -> None:
    """Whichever way it comes in, and a refused one changes nothing."""
    customer = work.customers.create(name="云帆科技", tags=["a", "b", "a"], interests=("x", "x"))
    member = work.members.add("wang", name="王芳", roles=["rep", "rep"], skills=["x", "y", "x"])
    assert (("a", "b"), ("x",), ("rep",), ("x", "y")) == (
        customer.tags,
        customer.interests,
        member.roles,
        member.skills,
    )
    assert ("b", "a") == work.customers.edit(customer, tags=["b", "b", "a"]).tags

    for refused in (
        lambda: work.customers.create(name="甲", tags=["a", ""]),
        lambda: work.customers.create(name="甲", interests=(" ",)),
        lambda: work.customers.tag(customer.id, ""),
        lambda: work.customers.edit(customer.id, tags=["\u3000"]),
        lambda: work.members.add("li2", name="李强", territories=["苏州", "\t"]),
    ):
        with pytest.raises(InvalidValue, match="a text that is not blank"):
            refused()


def test_a_blank_text_stands_for_nothing(work: Work) -> None:
    """As an empty box of a form does; a name is still wanted, and a number that is blank is given like any other."""
    customer = work.customers.create(
        id=" ", number="  ", name="云帆科技", industry="", notes=" \n", credit_code="", website="\u3000"
    )
    contact = work.contacts.create(
        customer_id=customer.id, name="王芳", mobile="13812345678", email="", title=" "
    )

    assert "C20260315001" == customer.number
    assert customer.id.strip()
    assert (None, None, None, None) == (
        customer.industry,
        customer.notes,
        customer.credit_code,
        customer.website,
    )
    assert (None, None) == (contact.email, contact.title)
    edited = work.customers.edit(work.customers.edit(customer, level="A"), level="  ")
    assert edited.level is None
    with pytest.raises(InvalidValue, match="a text that is not blank"):
        work.customers.edit(edited, name=" ")


def test_sharing_ends_when_said_and_never_began_in_the_past(work: Work) -> None:
    customer = work.customers.create(name="甲")

    shared = work.customers.share(customer, Id("wang"), access="write", until=work.now() + timedelta(days=3))

    assert [("wang", "write")] == [(one.member_id, one.access) for one in shared.collaborators]
    assert () == work.customers.unshare(shared, Id("wang")).collaborators
    with pytest.raises(InvalidValue):
        work.customers.share(customer.id, Id("wang"), until=work.now())


def test_owning_is_dated(work: Work, clock: Clock) -> None:
    customer = work.customers.create(name="甲")
    assert customer.owned_since is None

    assert clock() == work.customers.edit(customer, owner_id="li").owned_since


def test_a_removed_customer_takes_its_contacts_and_leaves_its_history(work: Work) -> None:
    customer = work.customers.create(name="甲", contacts=[{"name": "王芳", "mobile": "13812345678"}])

    work.customers.remove(customer)

    assert work.customers.peek(customer.id) is None
    assert 0 == work.contacts.count()
    gone = work.history.of(customer)[-1]
    assert ("removed", ["甲", None]) == (gone.kind, gone.changes["name"])
    with pytest.raises(NotFound):
        work.customers.get(customer.id)


def test_a_customer_with_deals_can_not_be_removed(work: Work) -> None:
    customer = work.customers.create(name="甲")
    work.opportunities.create(name="deal", customer_id=customer.id)

    with pytest.raises(StateRefused):
        work.customers.remove(customer)


def test_bulk_creation_numbers_logs_and_tells_like_single_ones(work: Work) -> None:
    many = work.customers.create_many(Customer(name=f"客户{n}", owner_id=Id("li")) for n in range(120))

    assert 120 == many == work.customers.count()
    last = work.customers.find(order=[-F.number], limit=1)[0]
    assert "C20260315120" == last.number
    assert [("added", 1)] == [(entry.kind, entry.record_version) for entry in work.history.of(last)]
    assert 120 == len(work.history.events(F.name == "CustomerCreated", limit=500))
    assert last.owned_since == work.now()


def test_a_mobile_number_is_wanted_unless_the_policy_says_otherwise(work: Work) -> None:
    customer = work.customers.create(name="甲")

    with pytest.raises(InvalidValue) as refusal:
        work.contacts.create(customer_id=customer.id, name="王芳")

    assert "mobile" == refusal.value.field


def test_a_new_day_begins_a_new_series(crm: Crm, clock: Clock) -> None:
    def create(work: Work) -> str:
        return work.customers.create(name="甲").number

    first = crm.run(create, by="li")
    clock.tick(days=1)
    second, third = crm.run(create, by="li"), crm.run(create, by="li")

    assert ["C20260315001", "C20260316001", "C20260316002"] == [first, second, third]


def test_no_customer_comes_to_stand_below_itself(work: Work) -> None:
    """Directly, or along others."""
    group = work.customers.create(name="集团")
    firm = work.customers.create(name="子公司", parent_id=group.id)
    branch = work.customers.create(name="分公司", parent_id=firm.id)

    for below in (group, firm, branch):
        with pytest.raises(InvalidValue, match="not below this one"):
            work.customers.edit(group.id, parent_id=below.id)
    assert group.id == work.customers.edit(branch, parent_id=group.id).parent_id


def test_a_member_lives_somewhere_and_can_take_no_less_than_nothing(work: Work) -> None:
    for wrong in ({"time_zone": "Mars/Olympus"}, {"time_zone": "../etc"}, {"weekly_capacity": -1}):
        with pytest.raises(InvalidValue):
            work.members.add("li", name="Li", **wrong)
    li = work.members.add("li", name="Li", time_zone="Asia/Urumqi", weekly_capacity=0)
    with pytest.raises(InvalidValue):
        work.members.edit(li, time_zone="Asia/Nowhere")


def test_nobody_manages_their_own_manager(work: Work) -> None:
    """However far up they are; to come to stand elsewhere is fine."""
    work.members.add("m1", name="甲")
    work.members.add("m2", name="乙", manager_id="m1")
    work.members.add("m3", name="丙", manager_id="m2")

    for below in ("m2", "m3"):
        with pytest.raises(InvalidValue, match="a member who is not below this one"):
            work.members.edit(Id("m1"), manager_id=below)
    assert "m1" == work.members.edit(Id("m3"), manager_id="m1").manager_id


def test_a_budget_ends_no_lower_than_it_begins(work: Work) -> None:
    """In one currency, whichever end is given last; a budget of two currencies can't be compared."""
    low, high, yen = Money.of(10, "CNY"), Money.of(20, "CNY"), Money.of(1, "JPY")
    customer = work.customers.create(name="甲", budget_low=low, budget_high=high)
    assert yen == work.customers.create(name="乙", budget_low=low, budget_high=yen).budget_high

    with pytest.raises(InvalidValue, match="not below budget_low"):
        work.customers.create(name="丙", budget_low=high, budget_high=low)
    with pytest.raises(InvalidValue, match="not below budget_low"):
        work.customers.edit(customer, budget_low=Money.of(21, "CNY"))
    assert high == work.customers.edit(customer, budget_low=high).budget_low


def test_what_is_retired_comes_into_no_deal_any_more(work: Work) -> None:
    """What a deal holds already can still be changed there."""
    product = work.products.create(name="GTX", list_price=Money.of(10, "CNY"))
    deal = work.opportunities.create(name="deal", lines=[{"product_id": product.id}])
    work.products.retire(product)

    with pytest.raises(StateRefused, match="retired"):
        work.opportunities.lines.add(deal.id, product.id)
    (line,) = work.opportunities.lines.of(deal.id)
    assert Money.of(30, "CNY") == work.opportunities.lines.edit(line, quantity=3).amount
