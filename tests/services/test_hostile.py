"""What a careless or hostile host may pass: refused by name, with nothing written, or a TypeError where it is no call."""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import attrs
import pytest

import salescrm
from salescrm import (
    Contact,
    Crm,
    CrmError,
    Customer,
    F,
    FollowUp,
    Id,
    Invalid,
    InvalidValue,
    Member,
    Money,
    Opportunity,
    OpportunityLine,
    Policy,
    Product,
    Team,
    UnknownField,
    Work,
    WorkEnded,
)
from salescrm.errors import fact
from salescrm.labels import Label
from salescrm.policy import ExtraField, Numbering
from salescrm.stages import Requirement, shipped
from salescrm.testing import Clock


class Str(str):
    __slots__ = ()


class Int(int):
    pass


def _deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(3_000):
        value = [value]
    return value


#: Values of every wrong kind there is.
HOSTILE: Final[tuple[Any, ...]] = (
    {"$ne": None}, {"$gt": ""}, {}, [], ["x"], [["x"]], _deep(), (), ("x", 5), {"x"}, frozenset({"x"}), b"x", object(), len,
    "\0", "a\0b", "\ud800", "x" * 1_000_000, "", " ", Str("x"), Int(5), True, False, 0, -1, 5, 2**63, 10**5000, 1.5,
    float("nan"), float("inf"), 1j, Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+1000000"),
    Decimal("1E-1000000"), Decimal("1.00001"), datetime(2026, 1, 1), datetime(1, 1, 1, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC), date(1, 1, 1), date.max, timedelta.max, Money(5, "USD"), F.name, F.name == "x",
    Customer(name="x"), Id,
)  # fmt: skip


@attrs.frozen
class Seed:
    """One record of each kind."""

    customer: Customer
    contact: Contact
    product: Product
    deal: Opportunity
    line: OpportunityLine
    plan: FollowUp
    team: Team
    member: Member


@pytest.fixture
def seed(crm: Crm) -> Seed:
    with crm.begin(by="li") as work:
        customer = work.customers.create(
            name="甲", contacts=[{"name": "王芳", "mobile": "13812345678"}], tags=["a"]
        )
        product = work.products.create(name="MES", list_price=Money.of("10", "CNY"))
        deal = work.opportunities.create(
            name="deal", customer_id=customer.id, lines=[{"product_id": product.id}]
        )
        return Seed(
            customer=customer,
            contact=work.customers.contacts(customer)[0],
            product=product,
            deal=deal,
            line=work.opportunities.lines.of(deal.id)[0],
            plan=work.follow_ups.plan(customer_id=customer.id, planned_at=work.now()),
            team=work.teams.add("north", name="北方"),
            member=work.members.add("wang", name="王"),
        )


def acts(work: Any, seed: Seed) -> dict[str, Callable[[Any], object]]:
    """Each public way in, taking one hostile value; *work* is Any, for that is what is tested."""
    customer, contact, product, deal = seed.customer, seed.contact, seed.product, seed.deal
    line, plan, team, member = seed.line, seed.plan, seed.team, seed.member
    deals, lines, follow_ups = work.opportunities, work.opportunities.lines, work.follow_ups
    ways: dict[str, Callable[[Any], object]] = {
        "tag": lambda v: work.customers.tag(customer, v),
        "share with": lambda v: work.customers.share(customer, v),
        "share as": lambda v: work.customers.share(customer, Id("x"), access=v),
        "share until": lambda v: work.customers.share(customer, Id("x"), until=v),
        "move to": lambda v: deals.move(deal, v),
        "move with a note": lambda v: deals.move(deal, "lost", note=v, reason="x"),
        "move for": lambda v: deals.move(deal, "lost", reason=v),
        "move at": lambda v: deals.move(deal, "lost", reason="x", at=v),
        "move worth": lambda v: deals.move(deal, "lost", reason="x", amount=v),
        "lose": lambda v: deals.lose(deal, reason=v),
        "reopen": lambda v: deals.reopen(deals.lose(deal, reason="x"), to=v),
        "probability": lambda v: deals.set_probability(deal, v),
        "pipeline": lambda v: deals.create(name="x", pipeline=v),
        "stage": lambda v: deals.create(name="x", stage=v),
        "opened at": lambda v: deals.create(name="x", opened_at=v),
        "note": lambda v: deals.create(name="x", note=v),
        "line of": lambda v: deals.create(name="x", lines=[{"product_id": v}]),
        "line typo": lambda v: deals.create(name="x", lines=[{"product_id": product.id, "prise": v}]),
        "stalled": deals.stalled,
        "add a line to": lambda v: lines.add(v, product.id),
        "add a line of": lambda v: lines.add(deal.id, v),
        "line quantity": lambda v: lines.add(deal.id, product.id, quantity=v),
        "line price": lambda v: lines.add(deal.id, product.id, price=v),
        "line amount": lambda v: lines.add(deal.id, product.id, amount=v),
        "line notes": lambda v: lines.add(deal.id, product.id, notes=v),
        "edit quantity": lambda v: lines.edit(line, quantity=v),
        "edit price": lambda v: lines.edit(line, price=v),
        "edit amount": lambda v: lines.edit(line, amount=v),
        "complete": lambda v: follow_ups.complete(plan, result=v),
        "complete at": lambda v: follow_ups.complete(plan, result="x", done_at=v),
        "next at": lambda v: follow_ups.complete(plan, result="x", next={"planned_at": v}),
        "outcome": lambda v: follow_ups.complete(plan, result="x", feedback=v),
        "effective": lambda v: follow_ups.complete(plan, result="x", effective=v),
        "place": lambda v: follow_ups.complete(plan, result="x", place=v),
        "postpone to": lambda v: follow_ups.postpone(plan, to=v, reason="x"),
        "postpone for": lambda v: follow_ups.postpone(plan, to=work.now() + timedelta(days=1), reason=v),
        "cancel": lambda v: follow_ups.cancel(plan, reason=v),
        "member id": lambda v: work.members.add(v, name="x"),
        "team id": lambda v: work.teams.add(v, name="x"),
        "below": work.teams.below,
        "of team": lambda v: work.members.of_team(v, below=True),
        "a record": lambda v: work.customers.edit(v, level="A"),
        "get": work.customers.get,
        "many": lambda v: work.customers.many([v]),
        "history": deals.history,
        "event": work.history.event,
        "page": lambda v: work.customers.find(limit=v),
        "after": lambda v: work.customers.find(after=v),
        "where": work.customers.find,
        "compare": lambda v: work.customers.find(F.name == v),
        "one of": lambda v: work.customers.find(F.name.one_of([v])),
    }
    for service, record, given in (
        (work.customers, customer, {}),
        (work.contacts, contact, {"mobile": "13912345678", "customer_id": customer.id}),
        (work.products, product, {}),
        (deals, deal, {}),
        (follow_ups, plan, {"subject": "x", "planned_at": work.now()}),
        (work.teams, team, {}),
        (work.members, member, {}),
    ):
        create = partial(service.add, "x") if hasattr(service, "add") else getattr(service, "create", None)
        kind = type(record).__name__
        base = given if kind == "FollowUp" else {"name": "x", **given}
        for name in service.schema.fields:
            ways[f"create {kind}.{name}"] = partial(_with, create or follow_ups.plan, base, name)
            ways[f"edit {kind}.{name}"] = partial(_with, partial(service.edit, record), {}, name)
    return ways


def _with(call: Callable[..., object], given: dict[str, Any], name: str, value: object) -> object:
    return call(**{**given, name: value})


def test_no_value_gets_anything_but_an_answer_or_an_error_of_ours(crm: Crm, seed: Seed) -> None:
    """Every way in, every hostile value; what is let in, the log can tell of."""
    with crm.begin(by="li") as work:
        names = list(acts(work, seed))
    strange: list[str] = []
    refused = 0
    for name in names:
        for value in HOSTILE:
            work = crm.begin(by="li")
            try:
                acts(work, seed)[name](value)
            except CrmError as refusal:
                refused += len(str(refusal)) > 0
            except TypeError as problem:
                # What is no call at all is Python's to refuse; but no value may trip our own operators.
                ours = re.search(r"__init__", str(problem))  # a value that we made ourselves, and wrongly
                if ours or not re.search(
                    "argument|iterable|mapping|no field|condition|no truth", str(problem)
                ):
                    strange.append(f"{name}({fact(value)}): {problem!r:.100}")
            except Exception as problem:  # noqa: BLE001  # the very thing that is looked for
                strange.append(f"{name}({fact(value)}): {problem!r:.100}")
            finally:
                work.finish(commit=False)
    assert [] == strange
    assert refused > len(names) * len(HOSTILE) / 2


@pytest.mark.parametrize(
    "stamp", ["tenant", "version", "created_at", "created_by", "updated_at", "updated_by"]
)
def test_stamps_are_not_given_by_hand(crm: Crm, seed: Seed, stamp: str) -> None:
    with crm.begin(by="li") as work:
        wrong: dict[str, Any] = {stamp: getattr(seed.customer, stamp)}
        for act in (work.customers.create, partial(work.customers.edit, seed.customer)):
            with pytest.raises(UnknownField) as refusal:
                act(name="x", **wrong)
            assert stamp not in refusal.value.near


@pytest.mark.parametrize("fact", ["status", "done_at", "result", "postponements", "next_id", "feedback"])
def test_what_came_of_a_follow_up_is_not_given_before(crm: Crm, seed: Seed, fact: str) -> None:
    with crm.begin(by="li") as work:
        wrong: dict[str, Any] = {fact: None}
        with pytest.raises(UnknownField):
            work.follow_ups.plan(subject="x", planned_at=work.now(), **wrong)
        with pytest.raises(UnknownField):
            work.follow_ups.edit(seed.plan, **wrong)


def test_completing_takes_an_outcome_and_nothing_else(crm: Crm, seed: Seed) -> None:
    with crm.begin(by="li") as work:
        for name, value in (("customer_id", "nobody"), ("number", "F1"), ("status", "planned")):
            with pytest.raises(UnknownField):
                work.follow_ups.complete(seed.plan, result="x", **{name: value})  # type: ignore[arg-type]
        with pytest.raises(InvalidValue):
            work.follow_ups.complete(seed.plan, result=" ", next={"planned_at": work.now()})
        # Nothing had been written, so the Work goes on.
        done = work.follow_ups.complete(seed.plan, result="x", attachments=[], feedback="好")
        assert ("done", "好", ()) == (done.status, done.feedback, done.attachments)


def test_a_follow_up_stays_about_something(crm: Crm, seed: Seed) -> None:
    with crm.begin(by="li") as work:
        task = work.follow_ups.plan(subject="准备标书", planned_at=work.now())
        with pytest.raises(InvalidValue):
            work.follow_ups.edit(task, subject=None)
        with pytest.raises(InvalidValue):
            work.follow_ups.edit(seed.plan, customer_id=None)


def test_a_contact_that_is_gone_keeps_nothing_from_being_done(crm: Crm, seed: Seed) -> None:
    with crm.begin(by="li") as work:
        plan = work.follow_ups.plan(
            contact_id=seed.contact.id, customer_id=seed.customer.id, planned_at=work.now()
        )
        work.contacts.remove(seed.contact)
        plan = work.follow_ups.edit(plan, customer_id=seed.customer.id, purpose="x")
        done = work.follow_ups.complete(plan, result="x", next={"planned_at": work.now() + timedelta(days=1)})
        assert work.follow_ups.get(done.next_id or Id("")).contact_id is None


def test_a_use_case_that_fails_half_way_can_not_be_committed(crm: Crm, seed: Seed) -> None:
    halves: tuple[Callable[[Work], object], ...] = (
        lambda work: work.customers.create(
            name="x", contacts=[{"name": "a", "mobile": "13912345678"}, {"name": "b"}]
        ),
        lambda work: work.opportunities.create(name="x", lines=[{"product_id": "nobody"}]),
        lambda work: work.follow_ups.record(subject="x", result="x", next={}),
        lambda work: work.customers.create_many(
            Customer(name="x" if n < 5_000 else "") for n in range(5_001)
        ),
    )
    for half in halves:
        with pytest.raises(WorkEnded), crm.begin(by="li") as work, pytest.raises(InvalidValue):
            half(work)
    with crm.begin(by="li") as work:
        assert (1, 1, 1) == (work.customers.count(), work.opportunities.count(), work.follow_ups.count())


def test_a_condition_of_a_stage_meets_no_value_of_the_wrong_type(clock: Clock) -> None:
    large = Requirement(code="large", where=F.amount >= Money.of("100", "CNY"), label=Label("large", "大单"))
    pipelines = tuple(
        attrs.evolve(one, stages=tuple(attrs.evolve(s, conditions=(large,)) for s in one.stages))
        for one in shipped()
    )
    crm = salescrm.connect("memory://", policy=Policy(pipelines=pipelines), clock=clock)
    wrong: Any = "100"
    with crm.begin(by="li") as work:
        with pytest.raises(InvalidValue):
            work.opportunities.create(name="x", amount=wrong)
        deal = work.opportunities.create(name="x", amount=Money.of("100", "CNY"))
        with pytest.raises(InvalidValue):
            work.opportunities.move(deal, work.policy.pipeline().path[1].key, amount=wrong)


def test_quantities_are_exact_whatever_the_hosts_decimal_context(crm: Crm, seed: Seed) -> None:
    """A host that rounds to six digits must not round what it sells."""
    quantity = Decimal("1234567.8901")
    with decimal.localcontext() as context, crm.begin(by="li") as work:
        context.prec = 6
        line = work.opportunities.lines.add(seed.deal.id, seed.product.id, quantity=quantity)
        assert quantity == work.opportunities.lines.get(line.id).quantity
        assert 1 == work.opportunities.lines.count(F.quantity == quantity)
        assert [(quantity,)] == work.opportunities.lines.select([F.quantity], F.id == line.id)


def test_two_entities_of_one_prefix_are_numbered_each_by_its_own_pattern(clock: Clock) -> None:
    numbering = (
        Numbering(entity="Customer", prefix="N"),
        Numbering(entity="Opportunity", prefix="N", day="%Y"),
        Numbering(entity="FollowUp", prefix="N", day=""),
    )
    crm = salescrm.connect("memory://", policy=Policy(numbering=numbering), clock=clock)
    with crm.begin(by="li") as work:
        made = [
            (work.customers.create(name="x").number, work.opportunities.create(name="x").number)
            for _ in range(2)
        ]
    assert [("N20260315001", "N2026001"), ("N20260315002", "N2026002")] == made


def test_a_custom_field_that_is_no_longer_declared_keeps_no_record_from_being_edited(clock: Clock) -> None:
    field = ExtraField(entity="Customer", name="erp", kind="text", label=Label("ERP", "ERP"))
    with salescrm.connect("memory://", policy=Policy(extra_fields=(field,)), clock=clock) as old:
        made = old.run(lambda work: work.customers.create(name="x", extra={"erp": "7"}), by="li")
        new = salescrm.connect(old.kit.backend, policy=Policy(), clock=clock)

        edited = new.run(lambda work: work.customers.edit(made.id, level="A"), by="li")
        assert ("A", {"erp": "7"}) == (edited.level, edited.extra)
        with pytest.raises(Invalid):
            new.run(lambda work: work.customers.edit(made.id, extra={"erp": "8"}), by="li")
        cleared = new.run(lambda work: work.customers.edit(made.id, extra={}), by="li")
        assert {} == cleared.extra


def test_what_is_no_entity_has_no_repository(work: Work) -> None:
    wrong: Any = dict
    with pytest.raises(TypeError):
        work.repository(wrong)
