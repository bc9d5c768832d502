"""What a simulation promises, on every engine: the nights to come, told beforehand, and nothing touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest

from salescrm import Crm, F, InvalidDefinition, InvalidValue, Policy, Where
from salescrm.access import Action
from salescrm.entities import ChangeEntry, Notice, OutboxEvent, OwnershipEntry
from salescrm.hooks import hookimpl
from salescrm.labels import Label
from salescrm.policy import Policies, Pool, PoolWarning, RecycleRule
from salescrm.testing import Clock
from salescrm.values import Id

Connect = Callable[..., Crm]
NIGHTFALL = timedelta(hours=14)  # from ten in the morning to when the next day begins in Shanghai


def quiet(limit: int = 30, key: str = "quiet", **given: Any) -> RecycleRule:
    """A rule for those that nobody talks to."""
    return RecycleRule(
        key=key, label=Label("not followed up", "久未跟进"), anchor="no_follow_up", limit=limit, **given
    )


def policy(*rules: RecycleRule, version: int = 1, since: datetime | None = None, **given: Any) -> Policy:
    """One pool for everybody, in Shanghai."""
    fields: dict[str, Any] = {"key": "north", "label": Label("North", "北区公海"), "everyone": True}
    fields |= {"rules": rules or (quiet(),)}
    return Policy(version=version, effective_from=since, pools=[Pool(**(fields | given))])


def fill(crm: Crm, *owners: str) -> list[Id]:
    """One customer for each of *owners*."""
    with crm.begin(by="boss") as work:
        work.members.add("boss", name="老板")
        work.members.add("ann", name="安<b>", manager_id=Id("boss"))
        return [work.customers.create(name=f"云帆{n}", owner_id=owner).id for n, owner in enumerate(owners)]


def test_it_names_the_day_the_rule_and_who_is_warned(connect: Connect, clock: Clock) -> None:
    """The thirtieth day is safe; warnings go out seven, three and one day before the fall."""
    crm = connect(policy=policy())
    (acme,) = fill(crm, "ann")
    with crm.begin(by="boss") as work:
        safe = work.pools.simulate(at=clock() + NIGHTFALL + timedelta(days=30, milliseconds=-1))
        fallen = work.pools.simulate(at=clock() + NIGHTFALL + timedelta(days=30))
    assert () == safe.falls
    (fall,) = fallen.falls
    assert (acme, "ann", "north", "quiet", ("quiet",), date(2026, 4, 15), 1) == (
        fall.customer_id, fall.owner_id, fall.pool, fall.rule, fall.fired, fall.day, fall.policy_version,
    )  # fmt: skip
    assert [(date(2026, 4, 8), 7), (date(2026, 4, 12), 3), (date(2026, 4, 14), 1)] == [
        (one.day, one.days_left) for one in fallen.warnings
    ]
    assert (32, (1,), None) == (fallen.nights, fallen.versions, fallen.stopped)


def test_nothing_is_written(connect: Connect, clock: Clock) -> None:
    crm = connect(policy=policy(quiet(3)))
    fill(crm, "ann", "ann")

    def written() -> list[int]:
        with crm.begin(by="boss") as work:
            kinds = (ChangeEntry, OutboxEvent, OwnershipEntry, Notice)
            return [work.repository(kind).count() for kind in kinds]

    before = written()
    with crm.begin(by="boss") as work:
        simulation = work.pools.simulate(at=clock() + timedelta(days=30))
        assert 0 == work.written
    assert 2 == len(simulation.falls)
    assert before == written()


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 5, 1),
        datetime(2026, 3, 15, 1, 59, tzinfo=UTC),
        date(2026, 5, 1),
        "2026-05-01",
    ],  # naive on purpose
    ids=["naive", "past", "day", "text"],
)
def test_a_moment_that_is_none_or_past_is_refused(connect: Connect, at: Any) -> None:
    with connect(policy=policy()).begin(by="boss") as work, pytest.raises(InvalidValue) as refusal:
        work.pools.simulate(at=at)
    assert ("Simulation", "at") == (refusal.value.entity, refusal.value.field)


def test_what_is_tried_must_be_a_policy(connect: Connect, clock: Clock) -> None:
    with connect(policy=policy()).begin(by="boss") as work, pytest.raises(InvalidValue, match="Policies"):
        work.pools.simulate(at=clock(), policy={"pools": []})  # type: ignore[arg-type]  # that is the point


def test_another_policy_is_tried_without_being_in_force(connect: Connect, clock: Clock) -> None:
    """The one in force goes on to decide what really happens."""
    crm = connect(policy=policy())
    fill(crm, "ann")
    month = clock() + timedelta(days=20)
    with crm.begin(by="boss") as work:
        tried = work.pools.simulate(at=month, policy=policy(quiet(10), version=7))
        assert () == work.pools.simulate(at=month).falls
    assert [(date(2026, 3, 26), 7)] == [(one.day, one.policy_version) for one in tried.falls]
    clock.set(month)
    assert 0 == crm.tick().recycled


def test_each_version_decides_from_its_moment(connect: Connect, clock: Clock) -> None:
    """Shortened in ten days, the limit lets customers fall on the first night of the new version, not before."""
    soon = clock() + timedelta(days=10)
    crm = connect(policy=[policy(), policy(quiet(5), version=2, since=soon)])
    fill(crm, "ann")
    with crm.begin(by="boss") as work:
        (fall,) = work.pools.simulate(at=clock() + timedelta(days=20)).falls
    assert (date(2026, 3, 26), 2) == (fall.day, fall.policy_version)


def test_runs_that_will_refuse_to_start_are_told(connect: Connect, clock: Clock) -> None:
    """A version closes the pool that will hold a customer by then: what comes after it is not told."""
    first = policy(quiet(3))
    closed = attrs.evolve(first.pools[0], enabled=False)
    other = Pool(key="south", label=Label("South", "南区公海"), where=F.level == "Z")
    versions = [
        first,
        Policy(version=2, effective_from=clock() + timedelta(days=10), pools=[closed, other]),
    ]
    crm = connect(policy=versions)
    fill(crm, "ann")
    with crm.begin(by="boss") as work:
        simulation = work.pools.simulate(at=clock() + timedelta(days=30))
    assert simulation.stopped is not None
    assert (versions[1].effective_from, 1) == (simulation.stopped.at, len(simulation.falls))
    assert ("the pool north can't be closed: it holds 1 customers",) == simulation.stopped.problems
    assert "公海 north 不能停用" in simulation.explain("zh")
    clock.tick(days=9)
    crm.tick()
    clock.tick(days=9)
    with pytest.raises(InvalidDefinition):
        crm.tick()
    with crm.begin(by="boss") as work, pytest.raises(InvalidDefinition):
        work.pools.simulate(at=clock())


def test_plugins_are_not_asked(connect: Connect, clock: Clock) -> None:
    """A hook may write, so a simulation leaves it out."""

    class Keeper:
        @hookimpl
        def recycling_customer(self, customer: Any) -> bool:
            raise AssertionError("asked")

    crm = connect(policy=policy(quiet(3)), plugins=[Keeper()])
    fill(crm, "ann")
    with crm.begin(by="boss") as work:
        assert 1 == len(work.pools.simulate(at=clock() + timedelta(days=9)).falls)


class OwnOnly:
    """Everybody sees their own customers only; the boss all."""

    def scope(self, member: Id, entity: str, action: Action) -> Where | None:
        return F.owner_id == member if entity == "Customer" and member != "boss" else None


@pytest.mark.parametrize("where", [F.level.is_null(), F.parent.owner_id.is_null()], ids=["alone", "entwined"])
def test_a_member_is_told_of_what_they_see(connect: Connect, clock: Clock, where: Where) -> None:
    ladder = [PoolWarning(days=2), PoolWarning(days=1)]
    crm = connect(policy=policy(quiet(3, where=where, warnings=ladder)), access=OwnOnly())
    fill(crm, "ann", "bo", "ann")
    at = clock() + timedelta(days=9)
    seen = {}
    for member in ("boss", "ann", "bo", "cy"):
        with crm.begin(by=member) as work:
            simulation = work.pools.simulate(at=at)
            seen[member] = (len(simulation.falls), len(simulation.warnings))
    assert {"boss": (3, 6), "ann": (2, 4), "bo": (1, 2), "cy": (0, 0)} == seen


def test_it_shows_itself(connect: Connect, clock: Clock) -> None:
    """As a sentence, a table, HTML without a hole, JSON, bars; in both languages."""
    ladder = [PoolWarning(days=1, to="manager")]
    sooner = quiet(2, key="sooner", where=F.level.is_null(), warnings=ladder)
    crm = connect(policy=policy(quiet(3, warnings=ladder), sooner))
    fill(crm, "ann", "bo")
    with crm.begin(by="boss") as work:
        simulation = work.pools.simulate(at=clock() + timedelta(days=9))
        same = work.pools.simulate(at=clock() + timedelta(days=9), policy=Policies([work.policy]))
    assert simulation == same
    fall = simulation.falls[0]
    assert "云帆0将于2026-03-18从安<b>名下落入北区公海，规则“久未跟进”" == simulation.explain("zh", of=fall)
    assert "On 2026-03-17, 老板 will be warned: 云帆0 falls into North on 2026-03-18, in 1 days" == (
        simulation.explain("en", of=simulation.warnings[0])
    )
    assert simulation.explain("en") == (
        "From 2026-03-15 10:00 to 2026-03-24 10:00: 2 customers fall, 2 warnings, 10 nights"
    )
    assert {"ann": 1, "bo": 1} == simulation.counts("owner")
    assert {date(2026, 3, 18): 2} == simulation.counts()
    assert {("north", "sooner"): 2} == simulation.counts("rule")
    assert "安<b>" in str(simulation.sheet("zh", "owner"))
    for shown in (simulation.sheet("zh", "owner").to_html(), simulation.chart("zh", "owner").svg):
        assert "安&lt;b&gt;" in shown
        assert "<b>" not in shown
    plain = json.loads(json.dumps(simulation.to_plain()))
    assert ["2026-03-18", "2026-03-18"] == [one["day"] for one in plain["falls"]]
    frame = simulation.frame("polars")
    assert [("云帆0", ["sooner"]), ("云帆1", ["sooner"])] == frame.select("customer", "fired").rows()
    with pytest.raises(InvalidValue, match="owner"):
        simulation.counts("weather")  # type: ignore[arg-type]  # that is the point
