"""A sweep leaves the same inside the engine as one record at a time, on every engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pprint import pformat
from typing import Any

import attrs
import pytest

from salescrm import Crm, hookimpl
from salescrm.checking import Context
from salescrm.entities import ChangeEntry, Customer, OutboxEvent, OwnershipEntry, Record
from salescrm.errors import EngineError, InvalidQuestion
from salescrm.events import CustomerRecycled, Event
from salescrm.query import EVERYTHING, F, Where, ago
from salescrm.testing import Clock
from salescrm.unit import UnitOfWork
from salescrm.values import Id

FLAGS: dict[str, Where] = {"hot": F.tags.has("hot"), 'qu"iet\\': F.quiet_since < ago(days=30)}


class Listener:
    """Wants to know of every record and event."""

    def __init__(self) -> None:
        self.saved: list[str] = []
        self.events: list[Event] = []

    @hookimpl
    def record_saved(self, before: Record, after: Record) -> None:
        self.saved.append(after.id)

    @hookimpl
    def event_happened(self, event: Event) -> None:
        self.events.append(event)


def recycled(work: UnitOfWork) -> Callable[[Customer, tuple[str, ...]], list[Event | Record]]:
    """What goes with the fall of a customer."""

    def follow(customer: Customer, fired: tuple[str, ...]) -> list[Event | Record]:
        line = OwnershipEntry(
            **_unstamped(), customer_id=customer.id, kind="recycled", at=work.now(), from_id=customer.owner_id,
            pool="north", reason='no "contact"', rule="quiet", rules=fired,
        )  # fmt: skip
        event = CustomerRecycled(
            record_id=customer.id, pool="north", rule="quiet", rules=fired, day=work.today,
            previous_owner_id=customer.owner_id,
        )  # fmt: skip
        return [line, event]

    return follow


def _unstamped() -> dict[str, Any]:
    nobody: dict[str, Any] = dict.fromkeys(
        ("id", "tenant", "version", "created_at", "created_by", "updated_at", "updated_by")
    )
    return nobody


def fall(work: UnitOfWork, **how: Any) -> int:
    """Sweeps all who have an owner into a pool."""
    values = {"owner_id": None, "pool_id": "north", "entered_pool_at": work.now(), "quiet_since": None}
    given = {"flags": FLAGS, "follow": recycled(work), **how}
    return work.repository(Customer).sweep(F.owner_id.is_set(), values, **given)


def seed(crm: Crm, clock: Clock, count: int = 12) -> None:
    with crm.begin(by="li") as work:
        for n in range(count):
            owner = Id(('li "the 😀" \\ boss', "wang")[n % 2]) if n % 4 else None
            made = work.customers.create(name=f"c{n}", owner_id=owner, tags=("hot", "é") if n % 3 else ())
            work.repository(Customer).change(
                F.id == made.id, {"quiet_since": clock() - timedelta(days=n * 10) if n % 5 else None}
            )


def left(crm: Crm) -> dict[str, list[str]]:
    """All that is stored of the kinds that a sweep writes, without the ids that each run draws anew."""
    names: dict[Id, str] = {}
    with crm.begin(by="li") as work:
        for customer in work.repository(Customer).find(limit=1_000):
            names[customer.id] = customer.name
        found = {}
        for kind in (Customer, ChangeEntry, OutboxEvent, OwnershipEntry):
            page = work.repository(kind).find(limit=10_000)
            found[kind.__name__] = sorted(_named(one, names) for one in page)
    return found


def _named(record: Record, names: dict[Id, str]) -> str:
    # pformat() sorts what a JSON object holds; jsonb keeps no order.
    text = pformat({k: v for k, v in attrs.asdict(record, recurse=False).items() if k != "id"}, width=10**6)
    for id, name in names.items():
        text = text.replace(id, name)
    return text


def test_both_ways_leave_the_same(crm: Crm, engine_url: str, clock: Clock) -> None:
    """With a plugin that listens, and without, but for the ids: on a memory Crm with, here without."""
    import salescrm

    listener = Listener()
    with salescrm.connect("memory://", clock=clock, plugins=[listener]) as listened:
        seed(listened, clock)
        seed(crm, clock)
        listener.saved.clear()
        listener.events.clear()

        with listened.begin(by="zhao") as work:
            by_python = fall(work)
        with crm.begin(by="zhao") as work:
            by_engine = fall(work)

        assert 9 == by_python == by_engine
        assert left(listened) == left(crm)
        assert 9 == len(listener.saved) == len(listener.events)


def test_takes_the_first_in_order(crm: Crm, clock: Clock) -> None:
    """At most *limit*."""
    seed(crm, clock)
    with crm.begin(by="zhao") as work:
        expected = work.repository(Customer).find(F.owner_id.is_set(), order=[-F.name], limit=4)
        assert 4 == fall(work, order=[-F.name], limit=4)
        fallen = work.repository(Customer).find(F.pool_id == "north")
    assert {one.id for one in expected} == {one.id for one in fallen}


def test_moments_are_of_the_given_context(crm: Crm, clock: Clock) -> None:
    """Another moment than the Work's own."""
    seed(crm, clock)
    with crm.begin(by="zhao") as work:
        quiet = F.quiet_since < ago(days=30)
        then = Context(clock() - timedelta(days=60), work.zone)
        expected = work.repository(Customer).count(F.quiet_since < ago(days=90))
        swept = work.repository(Customer).sweep(
            quiet, {"pool_id": "north"}, follow=lambda customer, fired: (), context=then
        )
    assert expected == swept > 0


def test_a_failure_leaves_nothing(crm: Crm, clock: Clock) -> None:
    """A row that can't be: no customer has fallen, nothing was logged."""
    seed(crm, clock)
    before = left(crm)

    def nobodys(customer: Customer, fired: tuple[str, ...]) -> list[Event | Record]:
        line = OwnershipEntry(**_unstamped(), customer_id=customer.parent_id, kind="recycled", at=clock())  # type: ignore[arg-type]  # that is the failure
        return [line]

    with pytest.raises(EngineError), crm.begin(by="zhao") as work:
        fall(work, follow=nobodys)

    assert before == left(crm)


@pytest.mark.parametrize(
    "look",
    [
        lambda customer: customer.owner_id == "li",
        lambda customer: not customer.owner_id,
        lambda customer: f"{customer.owner_id}",
        lambda customer: customer.follow_up_count + 1,
        lambda customer: customer.won_amount,
        lambda customer: customer.owned_by("li", at=None),
        lambda customer: customer.owner_id.upper(),
    ],
)
def test_looking_into_a_value_is_refused(crm: Crm, look: Callable[[Customer], object]) -> None:
    """By a TypeError, never by a wrong row."""

    def follow(customer: Customer, fired: tuple[str, ...]) -> list[Event | Record]:
        look(customer)
        return []

    with crm.begin(by="zhao") as work, pytest.raises(TypeError, match="Customer"):
        fall(work, follow=follow)


def test_depending_on_none_is_refused(crm: Crm) -> None:
    """ "is None" asks a value nothing, and yet decides."""

    def follow(customer: Customer, fired: tuple[str, ...]) -> list[Event | Record]:
        return [] if customer.owner_id is None else recycled(work)(customer, fired)

    with crm.begin(by="zhao") as work, pytest.raises(TypeError, match=r"Customer\.owner_id"):
        fall(work, follow=follow)


def test_what_is_searched_for_is_not_swept(crm: Crm) -> None:
    """As `change` has it."""
    with crm.begin(by="zhao") as work, pytest.raises(InvalidQuestion):
        work.repository(Customer).sweep(EVERYTHING, {"name": "x"}, follow=lambda customer, fired: ())
