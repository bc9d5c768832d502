"""What the pools promise, on every engine: who may claim what, who loses what on which day, and what is written of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from salescrm import Crm, Customer, F, InvalidDefinition, InvalidValue, Policy, Work
from salescrm.entities import ChangeEntry, Notice, OutboxEvent, OwnershipEntry
from salescrm.errors import ClaimRefused, Forbidden, ProtectionRefused, StateRefused
from salescrm.labels import Label
from salescrm.policy import ClaimLimits, Pool, PoolWarning, Protection, RecycleRule
from salescrm.testing import Clock
from salescrm.values import Id

QUIET = RecycleRule(key="quiet", label=Label("quiet", "久未跟进"), anchor="no_follow_up", limit=30)


def pool(**given: object) -> Pool:
    """A pool for everybody."""
    fields = {"key": "north", "label": Label("North", "北区公海"), "everyone": True, "rules": [QUIET]}
    return Pool(**(fields | given))  # type: ignore[arg-type]  # what a test gives


def policy(*pools: Pool, version: int = 1, effective_from: datetime | None = None) -> Policy:
    """A policy with these pools, in Shanghai."""
    return Policy(pools=pools or (pool(),), version=version, effective_from=effective_from)


@pytest.fixture
def crm(connect: Callable[..., Crm]) -> Crm:
    """A Crm with one pool."""
    return connect(policy=policy())


def create(crm: Crm, name: str = "云帆科技", owner: str | None = None) -> Customer:
    return crm.run(lambda work: work.customers.create(name=name, owner_id=owner), by="li")


def look(crm: Crm, customer: Customer) -> Customer:
    return crm.run(lambda work: work.customers.get(customer.id), by="li")


def test_a_customer_without_an_owner_is_in_its_pool(crm: Crm, clock: Clock) -> None:
    """From the moment it is created."""
    acme = create(crm)
    assert ("north", clock()) == (acme.pool_id, acme.entered_pool_at)
    with crm.begin(by="li") as work:
        assert [acme] == list(work.pools.find("north"))


def test_a_claim_takes_it_out_and_is_written_down(crm: Crm, clock: Clock) -> None:
    """Owner, ledger, log and event agree."""
    acme = create(crm)
    clock.tick(days=1)
    taken = crm.run(lambda work: work.pools.claim([acme.id]).customers[0].id, by="ann")
    assert acme.id == taken
    owned = look(crm, acme)
    assert (Id("ann"), None, clock(), clock()) == (
        owned.owner_id, owned.pool_id, owned.owned_since, owned.quiet_since,
    )  # fmt: skip
    with crm.begin(by="li") as work:
        (entry,) = work.pools.ledger(acme.id)
        assert ("claimed", None, "ann", "north", clock(), "ann") == (
            entry.kind, entry.from_id, entry.to_id, entry.pool, entry.at, entry.created_by,
        )  # fmt: skip
        log = work.repository(ChangeEntry).find((F.record_id == acme.id) & (F.record_version == 2))
        assert [None, "ann"] == log[0].changes["owner_id"]
        told = work.repository(OutboxEvent).find(F.name == "CustomerClaimed")
        assert [acme.id] == [one.record_id for one in told]


def test_second_claim_is_refused(crm: Crm) -> None:
    """Who comes second keeps what they have and learns why."""
    acme = create(crm)
    crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
    with pytest.raises(ClaimRefused) as refusal:
        crm.run(lambda work: work.pools.claim([acme.id]).customers, by="bo")
    assert "already-owned" == refusal.value.code
    assert "ann" == look(crm, acme).owner_id


def test_a_batch_is_all_or_nothing_unless_partial(connect: Callable[..., Crm]) -> None:
    """With partial, who is refused is told with the reason."""
    crm = connect(policy=policy(pool(claims=ClaimLimits(cap=2))))
    ids = [create(crm, name).id for name in "甲乙丙"]
    with pytest.raises(ClaimRefused) as refusal:
        crm.run(lambda work: work.pools.claim(ids).customers, by="ann")
    assert "cap" == refusal.value.code
    with crm.begin(by="li") as work:
        assert 3 == work.customers.count(F.pool_id == "north")
        assert 0 == work.repository(OwnershipEntry).count()
        taken = work.pools.claim(ids, partial=True)
    assert (ids[:2], [("cap", ids[2])]) == (
        [one.id for one in taken.customers],
        [(one.verdict, one.customer_id) for one in taken.refused],
    )


def test_what_was_given_back_counts_for_the_day(connect: Callable[..., Crm], clock: Clock) -> None:
    """Claim, release, claim counts twice; the next day begins anew in the pool's zone."""
    crm = connect(policy=policy(pool(claims=ClaimLimits(daily=1))))
    a, b = create(crm, "甲"), create(crm, "乙")
    crm.run(lambda work: work.pools.claim([a.id]).customers, by="ann")
    crm.run(lambda work: work.pools.release(a.id, reason="不合适"), by="ann")
    with pytest.raises(ClaimRefused) as refusal:
        crm.run(lambda work: work.pools.claim([b.id]).customers, by="ann")
    assert "daily-limit" == refusal.value.code
    clock.set(datetime(2026, 3, 15, 15, 59, tzinfo=UTC))  # a minute to midnight in Shanghai
    with pytest.raises(ClaimRefused):
        crm.run(lambda work: work.pools.claim([b.id]).customers, by="ann")
    clock.set(datetime(2026, 3, 15, 16, 0, tzinfo=UTC))
    crm.run(lambda work: work.pools.claim([b.id]).customers, by="ann")
    assert "ann" == look(crm, b).owner_id


def test_cool_down_counts_from_when_this_member_last_owned_it(
    connect: Callable[..., Crm], clock: Clock
) -> None:
    """Whoever owned it in between; an admin is not bound by it."""
    crm = connect(policy=policy(pool(claims=ClaimLimits(cool_down=10), admins=("boss",))))
    acme = create(crm)
    crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
    crm.run(lambda work: work.pools.release(acme.id, reason="没空"), by="ann")
    crm.run(lambda work: work.pools.claim([acme.id]).customers, by="bo")
    clock.tick(days=5)
    crm.run(lambda work: work.pools.release(acme.id, reason="没空"), by="bo")
    clock.tick(days=4)
    with pytest.raises(ClaimRefused) as refusal:
        crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
    assert "cool-down" == refusal.value.code
    with crm.begin(by="boss") as work:
        assert 1 == len(work.pools.assign([acme.id], to="ann").customers)
        work.pools.release(acme.id, reason="试")
    clock.tick(days=10)
    crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
    assert "ann" == look(crm, acme).owner_id


def test_only_an_admin_assigns(connect: Callable[..., Crm]) -> None:
    crm = connect(policy=policy(pool(admins=("boss",))))
    acme = create(crm)
    with pytest.raises(Forbidden):
        crm.run(lambda work: work.pools.assign([acme.id], to="ann").customers, by="li")
    crm.run(lambda work: work.pools.assign([acme.id], to="ann").customers, by="boss")
    assert "ann" == look(crm, acme).owner_id


def test_a_release_needs_a_reason_and_remembers_the_owner(crm: Crm) -> None:
    """Whoever performs it, the owner is the one who had it."""
    acme = create(crm, owner="ann")
    with pytest.raises(InvalidValue, match="why it is given back"):
        crm.run(lambda work: work.pools.release(acme.id, reason=" "), by="boss")
    crm.run(lambda work: work.pools.release(acme.id, reason="客户要求换人"), by="boss")
    with crm.begin(by="li") as work:
        (entry,) = work.pools.ledger(acme.id)
        assert ("released", "ann", "boss", "客户要求换人") == (
            entry.kind, entry.from_id, entry.created_by, entry.reason,
        )  # fmt: skip
    with pytest.raises(StateRefused):
        crm.run(lambda work: work.pools.release(acme.id, reason="again"), by="boss")


def test_the_thirtieth_day_is_safe_and_the_day_after_is_not(crm: Crm, clock: Clock) -> None:
    """Counted in the pool's days, whenever its run takes place."""
    acme = create(crm, owner="ann")  # on 15 March, Shanghai's day
    clock.set(datetime(2026, 4, 14, 15, 59, tzinfo=UTC))  # the last minute of 14 April
    assert 0 == crm.tick().recycled
    assert "ann" == look(crm, acme).owner_id
    clock.set(datetime(2026, 4, 14, 16, 30, tzinfo=UTC))  # 15 April has begun
    assert 1 == crm.tick().recycled
    fallen = look(crm, acme)
    assert (None, "north", datetime(2026, 4, 14, 16, tzinfo=UTC)) == (
        fallen.owner_id, fallen.pool_id, fallen.entered_pool_at,
    )  # fmt: skip
    assert 0 == crm.tick().recycled
    with crm.begin(by="li") as work:
        (entry,) = work.pools.ledger(acme.id)
        assert ("recycled", "ann", "quiet", ("quiet",)) == (
            entry.kind, entry.from_id, entry.rule, entry.rules,
        )  # fmt: skip
        notices = work.repository(Notice).find(F.kind == "recycled")
        assert ["ann"] == [one.member_id for one in notices]


def test_an_effective_follow_up_counts_anew_another_does_not(crm: Crm, clock: Clock) -> None:
    acme, other = create(crm, owner="ann"), create(crm, "别家", owner="ann")
    clock.tick(days=20)

    def follow_up(work: Work) -> None:
        work.follow_ups.record(result="谈好了", customer_id=acme.id)
        work.follow_ups.record(result="没人接", customer_id=other.id, outcome={"effective": False})

    crm.run(follow_up, by="ann")
    clock.tick(days=12)
    crm.tick()
    assert ("ann", None) == (look(crm, acme).owner_id, look(crm, other).owner_id)


def test_warnings_come_once_each_before_the_fall(connect: Callable[..., Crm], clock: Clock) -> None:
    """Seven, three and one day before, the last to the manager too; a tick more says nothing more."""
    ladder = [PoolWarning(days=7), PoolWarning(days=3), PoolWarning(days=1, to="manager")]
    rule = RecycleRule(key="quiet", label=QUIET.label, anchor="no_follow_up", limit=30, warnings=ladder)
    crm = connect(policy=policy(pool(rules=[rule])))

    def staff(work: Work) -> None:
        work.members.add("boss", name="老板")
        work.members.add("ann", name="安", manager_id="boss")

    crm.run(staff, by="li")
    create(crm, owner="ann")
    days: list[tuple[int, int]] = []
    for day in range(1, 33):
        clock.tick(days=1)
        ran = crm.tick()
        crm.tick()
        if ran.warned or ran.recycled:
            days.append((day, ran.recycled))
    assert [(24, 0), (28, 0), (30, 0), (31, 1)] == days
    with crm.begin(by="li") as work:
        notices = work.repository(Notice).find(F.kind == "falls-soon", order=[F.created_at])
        assert [("ann", 7), ("ann", 3), ("boss", 1)] == [
            (one.member_id, one.data["days_left"]) for one in notices
        ]


def test_missed_nights_are_made_up_for(connect: Callable[..., Crm], clock: Clock) -> None:
    """One run after ten days leaves what ten nightly ones would have."""

    def facts(crm: Crm) -> list[object]:
        with crm.begin(by="li") as work:
            entries = work.repository(OwnershipEntry).find(order=[F.at, F.customer_id])
            notices = work.repository(Notice).find(order=[F.id], limit=200)
            names = {one.id: one.name for one in work.customers.stream()}
            return [
                [(names[one.customer_id], one.at, one.rule, one.rules) for one in entries],
                sorted(str((names[Id(one.record_id)], one.kind, one.data)) for one in notices),
                sorted((one.name, one.owner_id, one.entered_pool_at) for one in work.customers.stream()),
            ]

    start, found = clock(), []
    for nightly, tenant in ((True, "a"), (False, "b")):
        crm = connect(policy=policy(), tenant=tenant)
        clock.set(start)
        for number in range(8):
            create(crm, f"客户{number}", owner="ann")
            clock.tick(days=1)
        clock.set(start + timedelta(days=25))
        crm.tick()
        for _ in range(12):
            clock.tick(days=1)
            if nightly:
                crm.tick()
        crm.tick()
        found.append(facts(crm))
    assert found[0] == found[1]
    assert 7 == len(found[0][0])  # type: ignore[arg-type]  # the ledger's lines


def test_of_two_rules_both_are_named_and_the_first_decides(connect: Callable[..., Crm], clock: Clock) -> None:
    second = RecycleRule(key="dealless", label=Label("no deal", "未成交"), anchor="no_deal", limit=20)
    third = RecycleRule(key="later", label=Label("later", "更晚"), anchor="no_opportunity", limit=60)
    crm = connect(policy=policy(pool(rules=[QUIET, second, third])))
    acme = create(crm, owner="ann")
    clock.tick(days=40)
    with crm.begin(by="li") as work:
        decision = work.pools.why(acme.id)
        assert ("falls", "quiet", ("quiet", "dealless")) == (decision.verdict, decision.rule, decision.fired)
        assert "久未跟进" in decision.explain("zh")
    crm.tick()
    with crm.begin(by="li") as work:
        (entry,) = work.pools.ledger(acme.id)
        assert ("quiet", ("quiet", "dealless")) == (entry.rule, entry.rules)


def test_a_protected_customer_stays_until_the_day_after(connect: Callable[..., Crm], clock: Clock) -> None:
    """Through the last day of its protection, and no further; so many at a time."""
    crm = connect(policy=policy(pool(protection=Protection(cap=1, days=60))))
    acme, other = create(crm, owner="ann"), create(crm, "别家", owner="ann")
    crm.run(lambda work: work.pools.protect(acme.id, until=date(2026, 4, 20)), by="ann")
    with pytest.raises(ProtectionRefused):
        crm.run(lambda work: work.pools.protect(other.id, until=date(2026, 4, 20)), by="ann")
    with pytest.raises(InvalidValue, match="a day from today to 2026-05-14"):
        crm.run(lambda work: work.pools.protect(acme.id, until=date(2026, 5, 15)), by="ann")
    with crm.begin(by="li") as work:
        assert date(2026, 4, 21) == work.pools.why(acme.id).falls_on
    clock.set(datetime(2026, 4, 20, 15, tzinfo=UTC))
    crm.tick()
    assert ("ann", None) == (look(crm, acme).owner_id, look(crm, other).owner_id)
    clock.set(datetime(2026, 4, 20, 16, tzinfo=UTC))
    crm.tick()
    assert None is look(crm, acme).owner_id


def test_the_highest_pool_takes_it_then_the_narrowest(connect: Callable[..., Crm], clock: Clock) -> None:
    """A customer that belongs to several goes to one; the decision names the others."""
    wide = pool(key="all", rules=[QUIET])
    narrow = pool(key="rail", where=F.industry == "rail", rules=[QUIET])
    high = pool(key="vip", where=F.level == "A", priority=5, rules=[QUIET])
    crm = connect(policy=policy(wide, narrow, high))

    def three(work: Work) -> list[str]:
        made = [
            work.customers.create(name="a", owner_id="ann"),
            work.customers.create(name="b", owner_id="ann", industry="rail"),
            work.customers.create(name="c", owner_id="ann", industry="rail", level="A"),
        ]
        return [one.id for one in made]

    ids = crm.run(three, by="li")
    with crm.begin(by="li") as work:
        assert ("rail", "all") == work.pools.why(Id(ids[2])).others
    clock.tick(days=31)
    assert 3 == crm.tick().recycled
    with crm.begin(by="li") as work:
        assert ["all", "rail", "vip"] == [work.customers.get(Id(id)).pool_id for id in ids]


def test_outlook_says_what_falls_when(crm: Crm, clock: Clock) -> None:
    first = create(crm, "甲", owner="ann")
    clock.tick(days=3)
    create(crm, "乙", owner="ann")
    create(crm, "丙", owner="bo")
    with crm.begin(by="li") as work:
        assert [("甲", date(2026, 4, 15)), ("乙", date(2026, 4, 18))] == [
            (one.customer, one.falls_on) for one in work.pools.outlook(member="ann", days=31)
        ]
        assert [first.id] == [one.customer_id for one in work.pools.outlook(days=28)]
        assert () == work.pools.outlook(pool="north", days=27)
        assert [first.id] == [one.customer_id for one in work.pools.outlook(first, days=31)]


def test_a_policy_decides_from_its_moment_on(connect: Callable[..., Crm], clock: Clock) -> None:
    """Before it the old version does, also when the nights are made up for later."""
    short = RecycleRule(key="quiet", label=QUIET.label, anchor="no_follow_up", limit=10)
    change = datetime(2026, 3, 29, 16, tzinfo=UTC)  # 30 March in Shanghai
    crm = connect(policy=[policy(), policy(pool(rules=[short]), version=2, effective_from=change)])
    acme = create(crm, owner="ann")
    crm.tick()
    clock.set(datetime(2026, 3, 29, 15, tzinfo=UTC))
    assert 0 == crm.tick().recycled
    clock.set(datetime(2026, 4, 3, tzinfo=UTC))
    assert 1 == crm.tick().recycled
    with crm.begin(by="li") as work:
        (entry,) = work.pools.ledger(acme.id)
        assert (2, change) == (entry.policy_version, entry.at)


def test_a_pool_that_holds_customers_cannot_be_closed(connect: Callable[..., Crm]) -> None:
    crm = connect(policy=policy())
    create(crm)
    other = connect(policy=policy(pool(key="south")))
    with pytest.raises(InvalidDefinition, match="the pool north can't be closed: it holds 1"):
        other.tick()
    with crm.begin(by="li") as work, pytest.raises(InvalidDefinition):
        work.pools.check(other.policy)


def test_hidden_fields_do_not_show_in_the_pool(connect: Callable[..., Crm]) -> None:
    """But to its admins; and what was shown can't be saved over what is there."""
    crm = connect(policy=policy(pool(hidden_fields=("address", "contact.mobile"), admins=("boss",))))

    def add(work: Work) -> str:
        contacts = [{"name": "王芳", "mobile": "13812345678"}]
        return work.customers.create(name="甲", address="长安街1号", contacts=contacts).id  # type: ignore[arg-type]  # a dict is one

    id = Id(crm.run(add, by="li"))
    with crm.begin(by="ann") as work:
        (shown,) = work.pools.find("north")
        assert (None, None) == (shown.address, work.pools.contacts(id)[0].mobile)
    with crm.begin(by="boss") as work:
        (shown,) = work.pools.find("north")
        assert ("长安街1号", "+8613812345678") == (shown.address, work.pools.contacts(id)[0].mobile)


def test_an_owner_is_not_edited_past_the_pool(crm: Crm) -> None:
    """In a pool its rules say who gets a customer; out of it a change of owner is a line in the ledger."""
    free, owned = create(crm), create(crm, "别家", owner="ann")
    with pytest.raises(StateRefused):
        crm.run(lambda work: work.customers.edit(free.id, owner_id="ann"), by="ann")
    with pytest.raises(InvalidValue, match=r"pools\.release"):
        crm.run(lambda work: work.customers.edit(owned.id, owner_id=None), by="ann")
    crm.run(lambda work: work.customers.edit(owned.id, owner_id="bo"), by="ann")
    with crm.begin(by="li") as work:
        assert [("assigned", "ann", "bo")] == [
            (one.kind, one.from_id, one.to_id) for one in work.pools.ledger(owned.id)
        ]


def test_open_opportunities_stay_or_follow_as_the_pool_says(
    connect: Callable[..., Crm], clock: Clock
) -> None:
    """Following, they come back with the next owner."""
    crm = connect(policy=policy(pool(opportunities="follow")))
    acme = create(crm, owner="ann")
    deal = crm.run(lambda work: work.opportunities.create(name="deal", customer_id=acme.id), by="ann")
    clock.tick(days=31)
    assert 1 == crm.tick().recycled
    with crm.begin(by="li") as work:
        assert None is work.opportunities.get(deal.id).owner_id
        work.pools.claim([acme.id], by="bo")
        assert "bo" == work.opportunities.get(deal.id).owner_id


def test_progress_of_an_opportunity_counts_anew(connect: Callable[..., Crm], clock: Clock) -> None:
    stuck = RecycleRule(key="stuck", label=Label("stuck", "停滞"), anchor="no_progress", limit=30)
    gone = RecycleRule(key="gone", label=Label("gone", "无商机"), anchor="no_opportunity", limit=30)
    crm = connect(policy=policy(pool(rules=[stuck, gone])))
    acme = create(crm, owner="ann")
    clock.tick(days=10)
    deal = crm.run(lambda work: work.opportunities.create(name="deal", customer_id=acme.id), by="ann")
    opened = clock()
    held = look(crm, acme)
    assert (1, opened, None) == (held.open_opportunities, held.stuck_since, held.dealless_since)
    clock.tick(days=10)
    crm.run(lambda work: work.opportunities.lose(deal.id, reason="price"), by="ann")
    held = look(crm, acme)
    assert (0, acme.owned_since, clock()) == (held.open_opportunities, held.stuck_since, held.dealless_since)
    with crm.begin(by="li") as work:
        assert [("stuck", date(2026, 4, 15)), ("gone", date(2026, 5, 5))] == [
            (one.rule.key, one.falls_on) for one in work.pools.why(acme.id).outcomes
        ]
