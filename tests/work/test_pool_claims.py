"""Claims in the whole of a Work: a refusal costs nothing, order changes nothing, and nobody sees or does more than they may."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import attrs
import pytest

import salescrm
from salescrm import (
    Crm,
    CrmError,
    Customer,
    F,
    Forbidden,
    InvalidQuestion,
    InvalidValue,
    NotFound,
    Where,
    Work,
)
from salescrm.access import Action
from salescrm.entities import ChangeEntry, OwnershipEntry
from salescrm.errors import ClaimRefused
from salescrm.policy import ClaimLimits
from salescrm.query import contains_text
from salescrm.testing import Clock
from salescrm.values import Id
from tests.work.pooling import create, ledger, look, policy, pool

Connect = Callable[..., Crm]


@pytest.fixture
def crm(connect: Connect) -> Crm:
    """A Crm with one pool, whose admin is the boss."""
    return connect(policy=policy(pool(admins=("boss",))))


def test_a_refusal_leaves_the_work_as_it_was(crm: Crm) -> None:
    """What is refused has cost nothing: the same Work goes on, claims another one and is committed."""
    taken, free = create(crm, "甲", owner="bo"), create(crm, "乙")
    with crm.begin(by="ann") as work:
        with pytest.raises(ClaimRefused):
            work.pools.claim([taken.id, free.id])
        work.pools.claim([free.id])
    assert ("bo", "ann") == (look(crm, taken).owner_id, look(crm, free).owner_id)
    assert 1 == len(ledger(crm, free))


@pytest.mark.parametrize("backwards", [False, True])
def test_what_does_not_count_for_the_cap_is_not_kept_back_by_it(
    connect: Connect, clock: Clock, backwards: bool
) -> None:
    """In whatever order a batch names them."""
    limits = ClaimLimits(cap=1, counted=F.level != "D")
    crm = connect(policy=policy(pool(claims=limits)))
    ids = [create(crm, "甲", level="A").id, create(crm, "乙", level="D").id]
    wanted = ids[::-1] if backwards else ids
    assert 2 == len(crm.run(lambda work: work.pools.claim(wanted).customers, by="ann"))
    more, other = create(crm, "丙", level="D"), create(crm, "丁", level="B")
    crm.run(lambda work: work.pools.claim([more.id]).customers, by="ann")
    with pytest.raises(ClaimRefused) as refusal:
        crm.run(lambda work: work.pools.claim([other.id]).customers, by="ann")
    assert "cap" == refusal.value.code


def test_a_cap_counts_what_one_batch_takes_from_several_pools(connect: Connect) -> None:
    """From whichever pool a customer comes, it is one more that they own."""
    few, level = ClaimLimits(cap=2), F.level == "A"
    crm = connect(policy=policy(pool("vip", where=level, priority=1, claims=few), pool(claims=few)))
    ids = [create(crm, str(n), level="A" if n % 2 else "B").id for n in range(4)]
    with crm.begin(by="ann") as work:
        taken = work.pools.claim(ids, partial=True)
    assert (ids[:2], ["cap", "cap"]) == (
        [one.id for one in taken.customers],
        [one.verdict for one in taken.refused],
    )


def test_an_admin_is_told_that_somebody_was_faster(crm: Crm) -> None:
    """And whoever is no admin of any pool learns nothing of it."""
    taken = create(crm, owner="bo")
    with pytest.raises(ClaimRefused) as refusal:
        crm.run(lambda work: work.pools.assign([taken.id], to="ann").customers, by="boss")
    assert "already-owned" == refusal.value.code
    with pytest.raises(Forbidden):
        crm.run(lambda work: work.pools.assign([taken.id], to="ann").customers, by="li")


class OwnOrFree:
    """Everybody but the boss reads their own customers and those in the pool of their city, and saves their own."""

    def scope(self, member: Id, entity: str, action: Action) -> Where | None:
        if member in ("boss", "li") or entity != "Customer":
            return None
        mine = F.owner_id == member
        free = F.owner_id.is_null() & (F.region.city == "杭州")
        shared = F.tags.has(f"for {member}")
        return mine | free | shared if action == "read" else mine


def test_nobody_gets_at_what_they_may_not_see(connect: Connect) -> None:
    """By id or by a record made up around it: it isn't there."""
    from salescrm.values import Region

    crm = connect(policy=policy(), access=OwnOrFree())
    here = create(crm, "甲", region=Region(city="杭州"))
    away, hers = create(crm, "乙", region=Region(city="上海")), create(crm, "丙", owner="bo")
    crm.run(lambda work: work.pools.claim([here.id]).customers, by="ann")
    for hidden in (away, hers):
        made_up = Customer(id=hidden.id, tenant=hidden.tenant, name="x", version=hidden.version)
        acts: list[Callable[[Work], object]] = [
            lambda work, hidden=hidden: work.pools.claim([hidden.id]),  # type: ignore[misc]  # bound now
            lambda work, hidden=hidden: work.pools.why(hidden.id),  # type: ignore[misc]  # bound now
            lambda work, made_up=made_up: work.pools.claim([made_up]),  # type: ignore[misc]  # bound now
            lambda work, made_up=made_up: work.pools.ledger(made_up),  # type: ignore[misc]  # bound now
            lambda work, made_up=made_up: work.pools.contacts(made_up),  # type: ignore[misc]  # bound now
        ]
        for act in acts:
            with pytest.raises(NotFound), crm.begin(by="ann") as work:
                act(work)
    with crm.begin(by="ann") as work:
        assert {here.id} == {one.customer_id for one in work.pools.outlook(days=40)}
        assert 0 == len(work.pools.find("north"))


def test_who_may_not_save_a_customer_does_not_release_or_protect_it(connect: Connect) -> None:
    """Sharing it for reading is no leave to give it away."""
    crm = connect(policy=policy(), access=OwnOrFree())
    hers = create(crm, owner="bo", tags=["for ann"])
    acts: list[Callable[[Work], object]] = [
        lambda work: work.pools.release(hers, reason="不要"),
        lambda work: work.pools.release(hers.id, reason="不要"),
        lambda work: work.pools.protect(hers, until=date(2026, 4, 1)),
        lambda work: work.pools.unprotect(attrs.evolve(hers, protected_until=work.now())),
    ]
    for act in acts:
        with pytest.raises(Forbidden), crm.begin(by="ann") as work:
            assert hers == work.customers.get(hers.id)
            act(work)
    assert (hers, ()) == (look(crm, hers), ledger(crm, hers))


def test_a_hidden_field_is_not_told_by_asking_for_it(connect: Connect) -> None:
    """Neither by a condition, an order, a search, nor by a record that says it is no longer in the pool."""
    hiding = pool(hidden_fields=("address", "credit_code", "contact.mobile"), admins=("boss",))
    crm = connect(policy=policy(hiding))

    def add(work: Work) -> Customer:
        contacts: Any = [{"name": "王芳", "mobile": "13812345678"}]
        return work.customers.create(name="甲", address="长安街1号", contacts=contacts)

    acme = crm.run(add, by="li")
    asked: list[Where] = [
        F.address == "长安街1号",
        F.address.is_null(),
        ~F.address.starts_with("上海"),
        (F.level == "A") | F.address.contains("长安"),
        F.parent.address == "长安街1号",
        contains_text("9133"),
    ]
    with crm.begin(by="ann") as work:
        for where in asked:
            with pytest.raises(InvalidQuestion, match="hidden in the pool north"):
                work.pools.find("north", where)
        for order in ([F.address], [-F.address], ["address"], [F.name, F.address]):
            with pytest.raises(InvalidQuestion, match="hidden in the pool north"):
                work.pools.find("north", order=order)
        gone = attrs.evolve(acme, owner_id=Id("ann"), pool_id=None)
        assert [None] == [one.mobile for one in work.pools.contacts(gone)]
        assert [acme.id] == [one.id for one in work.pools.find("north", F.name == "甲", order=[F.name])]
    with crm.begin(by="boss") as work:
        assert ["长安街1号"] == [one.address for one in work.pools.find("north", asked[0], order=[F.address])]


#: What a careless or hostile caller may take for an id.
NO_IDS: list[Any] = [
    "nobody", "", " ", "\0", "a\0b", "\ud800", "x" * 1_000_000, {"$ne": None}, {"$gt": ""}, ["x"], None, 5, True, b"x",
    object(), F.name, Customer(name="x"), datetime(2026, 3, 15),
]  # fmt: skip


def everything(crm: Crm) -> tuple[Any, ...]:
    """What is stored."""

    def look(work: Work) -> tuple[Any, ...]:
        log = work.repository(ChangeEntry).count(F.entity != "counters")
        return log, work.repository(OwnershipEntry).count(), tuple(work.customers.stream(order=[F.id]))

    return crm.run(look, by="witness")


def test_what_is_no_customer_is_refused_and_nothing_changes(crm: Crm) -> None:
    """By an error of ours, alone or between those that are some."""
    free, owned = create(crm), create(crm, "乙", owner="ann")
    before = everything(crm)
    for wrong in NO_IDS:
        acts: list[Callable[[Work], object]] = [
            lambda work, wrong=wrong: work.pools.claim([free.id, wrong]),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.claim([wrong], partial=True),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.assign([wrong], to="ann"),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.release(wrong, reason="x"),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.protect(wrong, until=date(2026, 4, 1)),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.unprotect(wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.why(wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.ledger(wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.contacts(wrong),  # type: ignore[misc]  # bound now
        ]
        for act in acts:
            with pytest.raises((NotFound, InvalidValue)) as refusal, crm.begin(by="boss") as work:
                act(work)
            assert len(str(refusal.value)) < 1_000
    assert before == everything(crm)
    assert "ann" == look(crm, owned).owner_id


def test_what_is_no_pool_member_day_or_reason_is_refused_by_name(crm: Crm) -> None:
    """And nothing changes."""
    free, owned = create(crm), create(crm, "乙", owner="ann")
    before = everything(crm)
    for wrong in NO_IDS:
        if wrong is None:
            continue  # says that none is given
        acts: list[Callable[[Work], object]] = [
            lambda work, wrong=wrong: work.pools.claim([free.id], pool=wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.assign([free.id], to="ann", pool=wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.release(owned.id, reason="x", pool=wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.find(wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.outlook(pool=wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.outlook(days=wrong),  # type: ignore[misc]  # bound now
            lambda work, wrong=wrong: work.pools.protect(owned.id, until=wrong),  # type: ignore[misc]  # bound now
        ]
        if type(wrong) is not str or wrong != "nobody":
            acts += [
                lambda work, wrong=wrong: work.pools.claim([free.id], by=wrong),  # type: ignore[misc]  # bound now
                lambda work, wrong=wrong: work.pools.assign([free.id], to=wrong),  # type: ignore[misc]  # bound now
                lambda work, wrong=wrong: work.pools.release(owned.id, reason=wrong),  # type: ignore[misc]  # bound now
            ]
        for number, act in enumerate(acts):
            if type(wrong) is int and number == 5:
                continue  # five days are a number of days
            with pytest.raises(CrmError) as refusal, crm.begin(by="boss") as work:
                act(work)
            assert len(str(refusal.value)) < 1_000, number
    assert before == everything(crm)


def test_a_record_of_another_tenant_is_not_taken_for_one_of_ours(connect: Connect) -> None:
    """Though it may have the same id."""
    ours, theirs = (connect(policy=policy(), tenant=name) for name in ("ours", "theirs"))
    foreign = create(theirs, "甲", id="same", owner="ann")
    mine = create(ours, "乙", id="same", owner="bo")
    free = create(theirs, "丙")
    acts: list[Callable[[Work], object]] = [
        lambda work: work.pools.release(foreign, reason="x"),
        lambda work: work.pools.protect(foreign, until=date(2026, 4, 1)),
        lambda work: work.pools.claim([foreign]),
        lambda work: work.pools.ledger(foreign),
        lambda work: work.pools.claim([free.id]),
        lambda work: work.pools.why(free.id),
    ]
    for act in acts:
        with pytest.raises((InvalidValue, NotFound)), ours.begin(by="bo") as work:
            act(work)
    assert (mine, foreign) == (look(ours, mine), look(theirs, foreign))


def test_a_batch_may_be_empty_or_name_one_twice_or_ten_thousand(crm: Crm) -> None:
    """Twice is once; of ten thousand ids the first that is nobody's is named."""
    acme = create(crm)
    with crm.begin(by="ann") as work:
        assert () == work.pools.claim([]).customers
        taken = work.pools.claim([acme.id, acme.id, acme, acme.id])
        assert [acme.id] == [one.id for one in taken.customers]
    assert 1 == len(ledger(crm, acme))
    ids = [acme.id, *(Id(f"nobody{n}") for n in range(10_000))]
    before = everything(crm)
    with pytest.raises(NotFound) as refusal, crm.begin(by="ann") as work:
        work.pools.claim(ids)
    assert "nobody0" == refusal.value.id
    assert before == everything(crm)


@pytest.mark.engine("memory")
def test_ten_thousand_customers_are_claimed_at_once(clock: Clock) -> None:
    """Each with its line, and the limits still hold."""
    crm = salescrm.connect("memory://", clock=clock, policy=policy(pool(claims=ClaimLimits(cap=10_000))))
    drafts = (Customer(name=f"客户{n}", number=f"N{n:05}") for n in range(10_001))
    crm.run(lambda work: work.customers.create_many(drafts), by="li")
    with crm.begin(by="li") as work:
        ids = [id for (id,) in work.customers.select([F.id], order=[F.number], limit=10_000)]
        (last,) = work.customers.find(F.number == "N10000")
    assert 10_000 == len(crm.run(lambda work: work.pools.claim(ids).customers, by="ann"))
    with pytest.raises(ClaimRefused):
        crm.run(lambda work: work.pools.claim([last]).customers, by="ann")
    with crm.begin(by="li") as work:
        assert (10_000, 10_000) == (
            work.customers.count(F.owner_id == "ann"), work.repository(OwnershipEntry).count(),
        )  # fmt: skip


def test_a_claim_that_is_late_for_a_limit_waits_for_its_day(connect: Connect, clock: Clock) -> None:
    """The decision says from when on, and then it is so."""
    crm = connect(policy=policy(pool(claims=ClaimLimits(cool_down=10, arrival=0))))
    acme = create(crm, owner="ann")
    crm.run(lambda work: work.pools.release(acme.id, reason="没空"), by="ann")
    with pytest.raises(ClaimRefused) as refusal:
        crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
    (decision,) = refusal.value.decisions
    free = getattr(decision, "next_change", None)
    assert date(2026, 3, 25) == free
    clock.tick(days=10)
    crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
    assert "ann" == look(crm, acme).owner_id
