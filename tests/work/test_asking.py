"""Questions that nobody should ask: refused by name before any engine sees them, the same on each."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from salescrm import Crm, Customer, F, InvalidCursor, InvalidQuestion, InvalidValue, Tally, Work, count, total
from salescrm.query import (
    Always,
    Compare,
    IsNull,
    Measure,
    Order,
    Query,
    Relative,
    Span,
    Where,
    ago,
    bucket,
    dump,
    now,
)
from salescrm.query.nodes import And

Ask = Callable[[Work], Any]
Connect = Callable[..., Crm]


@pytest.fixture
def crm(connect: Connect) -> Crm:
    crm = connect()

    def fill(work: Work) -> None:
        for level in "ABBCC":
            work.customers.create(name=f"客户{level}", level=level)

    crm.run(fill, by="li")
    return crm


def unhashable(path: str) -> Any:
    """A list where a name should stand."""
    return [path]


def nested(depth: int) -> Where:
    where: Where = F.name == "x"
    for _ in range(depth):
        where = ~where
    return where


WRONG: dict[str, Ask] = {
    "a list as a field": lambda work: work.customers.find(Compare(unhashable("name"), "eq", "x")),
    "a list as an order": lambda work: work.customers.find(order=[Order(unhashable("name"))]),
    "a list as a key": lambda work: work.customers.tally(Tally(by=[bucket(F.created_at, [])], measures=[])),
    "a number as a measure": lambda work: work.customers.tally(Tally(measures=[5])),  # type: ignore[list-item]
    "no truth value": lambda work: work.customers.find(Always("yes")),  # type: ignore[arg-type]
    "an operator of no kind": lambda work: work.customers.find(Compare("name", "null", "x")),  # type: ignore[arg-type]
    "a measure of no kind": lambda work: work.customers.tally(Tally(measures=[Measure("median", "version")])),  # type: ignore[arg-type]
    "a sum with a condition": lambda work: work.customers.tally(
        Tally(measures=[Measure("total", "version", F.level == "A"), count(F.level == "B")])
    ),
    "a unit of no calendar": lambda work: work.customers.find(F.created_at > Relative("fortnight")),  # type: ignore[arg-type]
    "a number of units that is none": lambda work: work.customers.find(F.created_at > Relative("day", "x")),  # type: ignore[arg-type]
    "a delta that is none": lambda work: work.customers.find(F.created_at > Relative(None, delta="x")),  # type: ignore[arg-type]
    "a duration that is none": lambda work: work.customers.find(F.created_at > ago(days="x")),  # type: ignore[arg-type]
    "a number as a field": lambda work: work.customers.find(IsNull(5)),  # type: ignore[arg-type]
    "numbers as a span": lambda work: work.customers.find(IsNull(Span(5, 5))),  # type: ignore[arg-type]
    "one text for many": lambda work: work.customers.find(F.level.one_of("AB")),
    "nothing for many": lambda work: work.customers.find(F.level.one_of(None)),  # type: ignore[arg-type]
    "two references": lambda work: work.contacts.find(F.customer.parent.name == "x"),
    "a thousand columns": lambda work: work.customers.select([F.name] * 1_000),
    "a thousand measures": lambda work: work.customers.tally(Tally(measures=[total(F.version)] * 1_000)),
    "a thousand keys of order": lambda work: work.customers.find(order=[F.name] * 1_000),
    "no column": lambda work: work.customers.select([]),
    "neither key nor measure": lambda work: work.customers.tally(Tally(measures=[])),
    "too deep": lambda work: work.customers.find(nested(900)),
    "too deep for Python": lambda work: work.customers.find(nested(50_000)),
    "edges that go back": lambda work: work.customers.tally(
        Tally(by=[bucket(F.created_at, [now(), ago(days=1)])], measures=[count()])  # type: ignore[list-item]
    ),
    "edges of one millisecond": lambda work: work.customers.tally(
        Tally(by=[bucket(F.created_at, [moment(100), moment(900)])], measures=[count()])
    ),
    "a change of everything else": lambda work: work.repository(Customer).change(
        Compare(unhashable("name"), "eq", "x"), {"level": "D"}
    ),
}


def moment(microsecond: int) -> datetime:
    return datetime(2026, 3, 15, microsecond=microsecond, tzinfo=UTC)


@pytest.mark.parametrize("ask", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_question_is_refused_and_the_work_goes_on(crm: Crm, ask: Ask) -> None:
    with crm.begin(by="li") as work:
        # Twice, and behind a good one of nearly the same shape: a plan that was kept must not let it in.
        work.customers.find(IsNull("name"))
        for _ in range(2):
            with pytest.raises(InvalidQuestion) as refusal:
                ask(work)
            assert str(refusal.value)
        assert 5 == work.customers.count()


def test_a_start_that_is_no_text_is_an_invalid_value(crm: Crm) -> None:
    """Another field among them."""
    with crm.begin(by="li") as work:
        for start in (F.level, 5, None):
            with pytest.raises(InvalidValue):
                work.customers.find(F.name.starts_with(start))  # type: ignore[arg-type]


def test_a_kept_plan_is_not_met_by_an_operator_that_sounds_like_it(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        assert 0 == work.customers.count(And((IsNull("level"), F.name == "A")))
        with pytest.raises(InvalidQuestion):
            work.customers.count(And((Compare("level", "null", "x"), F.name == "A")))  # type: ignore[arg-type]


def test_a_field_named_twice_in_an_order_counts_once(crm: Crm) -> None:
    """And the pages behind it are whole: MongoDB takes the last of two keys of one name."""
    with crm.begin(by="li") as work:
        seen: list[str | None] = []
        after: str | None = None
        while True:
            page = work.customers.find(order=[F.level, -F.level], limit=2, after=after)
            seen += [one.level for one in page]
            after = page.next
            if after is None:
                break
        assert ["A", "B", "B", "C", "C"] == seen


def test_what_is_no_field_is_a_type_error_where_it_is_written(crm: Crm) -> None:
    work = crm.begin(by="li")
    wrong: tuple[Callable[[], object], ...] = (
        lambda: work.customers.find(order=[5]),  # type: ignore[list-item]
        lambda: work.customers.select([5]),  # type: ignore[list-item]
        lambda: F.a - 5,  # type: ignore[operator]
        lambda: total(5),  # type: ignore[arg-type]
        lambda: Tally(by=[5], measures=[]),  # type: ignore[list-item]
        lambda: bucket(5, []),  # type: ignore[arg-type]
    )
    for write in wrong:
        with pytest.raises(TypeError):
            write()
    work.finish(commit=False)
    for duration in (float("nan"), float("inf"), 1e20):
        with pytest.raises(InvalidQuestion):
            ago(days=duration)
        with pytest.raises(InvalidQuestion):
            now(hours=duration)


def test_what_no_question_may_hold_is_not_dumped() -> None:
    wrong: tuple[Any, ...] = (1.5, F.level, object())
    for where in (*(Compare("name", "eq", value) for value in wrong), nested(2_000)):
        with pytest.raises(InvalidQuestion):
            dump(where)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"5", b"[]", b"[{}, {}]", b"[null, 5]", b'["x"]', b'["x", "y", "z"]', b"\xff", b"[" * 50_000],
)
def test_a_cursor_signed_with_the_default_key_by_somebody_else_is_refused(crm: Crm, body: bytes) -> None:
    """The default key is no secret: what it signs is still looked at."""
    question = repr(("customers", F.level == "B", (Order("name"),))).encode()
    signature = hashlib.blake2b(question + b"\n" + body, key=b"salescrm", digest_size=12).digest()
    forged = base64.urlsafe_b64encode(signature + body).decode().rstrip("=")
    with crm.begin(by="li") as work, pytest.raises(InvalidCursor):
        work.customers.find(F.level == "B", order=[F.name], after=forged)


def test_a_cursor_goes_with_its_question(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        cursor = work.customers.find(F.level != "A", order=[F.name], limit=1).next
        assert cursor is not None
        altered = ("B" if cursor[0] == "A" else "A") + cursor[1:]
        for wrong in (
            lambda: work.customers.find(F.level != "B", order=[F.name], after=cursor),
            lambda: work.customers.find(F.level != "A", order=[-F.name], after=cursor),
            lambda: work.customers.find(F.level != "A", after=cursor),
            lambda: work.products.find(F.name != "A", order=[F.name], after=cursor),
            lambda: work.customers.find(F.level != "A", order=[F.name], after=cursor[:-4]),
            lambda: work.customers.find(F.level != "A", order=[F.name], after=altered),
        ):
            with pytest.raises(InvalidCursor):
                wrong()
        with pytest.raises(InvalidQuestion):
            work.customers.find(F.version == 10**5000, after=cursor)
        with pytest.raises(InvalidValue):
            work.customers.find(F.version == 10**5000)


def test_plans_of_ever_new_shapes_are_not_kept_for_ever(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        for number in range(2_100):
            parts = [F.level == "A" if number >> bit & 1 else F.name == "A" for bit in range(12)]
            crm.kit.checker.find(work.customers.schema, Query(where=And(tuple(parts))), work.context)
    assert 2_000 >= len(crm.kit.checker._plans)
