"""Random months of a team's work: replayed under the policy that was really in force, history comes out as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import salescrm
from salescrm import Crm, Pipeline, Policy, Stage, Work
from salescrm.calendars import start_of_day
from salescrm.entities import OwnershipEntry
from salescrm.errors import Refused
from salescrm.labels import Label
from salescrm.policy import ClaimLimits, Pool, RecycleRule
from salescrm.query import EVERYTHING, F
from salescrm.reports.backtest import Backtest
from salescrm.storage import Backend
from salescrm.testing import Clock
from salescrm.values import Id

EXAMPLES: Final = {"memory": 25, "sqlite": 2, "postgresql": 2, "mongodb": 2, "mariadb": 1}
START: Final = datetime(2026, 2, 20, 6, tzinfo=UTC)
LABEL: Final = Label("so it is called", "名称")
SIMPLE: Final = Pipeline(
    key="simple",
    label=LABEL,
    stages=[
        Stage(key="talk", label=LABEL),
        Stage(key="won", label=LABEL, kind="won"),
        Stage(key="lost", label=LABEL, kind="lost"),
    ],
)
MEMBERS: Final = ("ann", "bo", "cy")


def rule(key: str) -> st.SearchStrategy[RecycleRule]:
    """A rule with a short limit."""
    return st.builds(
        RecycleRule,
        key=st.just(key),
        label=st.just(LABEL),
        anchor=st.sampled_from(["no_follow_up", "no_progress", "no_opportunity", "no_deal"]),
        limit=st.integers(2, 9),
        where=st.sampled_from([EVERYTHING, F.level == "A", F.follow_up_count < 2]),
        exempt=st.sampled_from([None, (), ("open_opportunity",), ("protected", "has_dealt")]),
        warnings=st.just(()),
    )


def _is_sound(limits: ClaimLimits) -> bool:
    """Whether a policy takes it: no limit below a shorter one, and nothing reserved for nobody."""
    daily = limits.daily or 0
    reserved = limits.reserved_members or limits.reserved_teams
    return (
        min(limits.cap or 99, limits.weekly or 99) >= daily
        and (limits.cap or 99) >= (limits.weekly or 0)
        and bool(not limits.arrival or reserved)
    )


limits = st.builds(
    ClaimLimits,
    cap=st.one_of(st.none(), st.integers(2, 6)),
    counted=st.sampled_from([EVERYTHING, F.first_deal_at.is_null(), ~(F.level == "A")]),
    daily=st.one_of(st.none(), st.integers(1, 3)),
    weekly=st.one_of(st.none(), st.integers(3, 8)),
    cool_down=st.integers(0, 8),
    cool_down_team=st.booleans(),
    arrival=st.integers(0, 3),
    reserved_members=st.sampled_from([(), ("ann",)]),
    reserved_teams=st.sampled_from([(), ("east",)]),
).filter(_is_sound)


@st.composite
def policies(draw: st.DrawFn) -> list[Policy]:
    """One version, or a second one half-way."""
    versions = []
    for number in range(draw(st.integers(1, 2))):
        pools = tuple(
            Pool(
                key=key,
                label=LABEL,
                where=where,
                everyone=True,
                time_zone=zone,
                rules=[draw(rule(f"{key}-{n}")) for n in range(draw(st.integers(1, 2)))],
                claims=draw(limits),
            )
            for key, where, zone in (
                ("a", F.level == "A", "America/New_York"),
                ("rest", EVERYTHING, None),
            )
        )
        start = START + timedelta(days=15, hours=draw(st.integers(0, 40))) if number else None
        versions.append(
            Policy(
                version=number + 1,
                effective_from=start,
                pools=pools,
                pipelines=[SIMPLE],
                default_pipeline="simple",
            )
        )
    return versions


@attrs.frozen
class Month:
    """What holds, and the seed of what happens; too long to be shown whole."""

    policies: list[Policy] = attrs.field(repr=False)
    seed: int


@st.composite
def months(draw: st.DrawFn) -> Month:
    return Month(draw(policies()), draw(st.integers(0, 2**32)))


@pytest.fixture
def backend(engine_url: str) -> Iterator[Backend]:
    crm = salescrm.connect(engine_url)
    crm.migrate()
    yield crm.kit.backend
    crm.close()


def test_history_comes_out_as_it_was(
    backend: Backend, engine: str, examples: Callable[[int], settings]
) -> None:
    """The same falls by the same rules, no claim refused, everybody with the customers that they have."""
    numbers, clock = count(), Clock(START)

    @examples(EXAMPLES[engine])
    @given(months())
    def check(month: Month) -> None:
        crm = salescrm.connect(backend, policy=month.policies, clock=clock, tenant=f"t{next(numbers)}")
        clock.set(START)
        work_for_a_month(crm, clock, Random(month.seed))
        since = START + timedelta(days=8)
        with crm.begin(by="li") as work:
            versions = crm.kit.policies
            result = work.pools.backtest(versions, versions, since=since)
            ledger = list(work.repository(OwnershipEntry).stream(F.at > since))
            owners = Counter(one.owner_id for one in work.customers.stream(F.owner_id.is_set()))
        fell = {
            (one.at, one.customer_id, one.from_id, one.pool, one.rule, one.rules, one.policy_version)
            for one in ledger
            if one.kind == "recycled"
        }
        assert fell == falls(result)
        assert (len(fell), 0, 0) == (result.recycled, result.a.spared, len(result.only_a))
        assert [] == [one.decision for one in result.a.refused]
        assert sum(one.kind == "claimed" for one in ledger) == result.a.claims
        for side in (result.a, result.really):
            assert owners == Counter({id: many for id, many in side.holds.items() if many})
        assert result.a.held == result.really.held
        assert result.a == result.b

    check()


def falls(result: Backtest) -> set[object]:
    """What fell by a replay, as the ledger has it."""
    return {
        (one.at, one.customer_id, one.owner_id, one.pool, one.rule, one.fired, one.policy_version)
        for one in result.a.falls
    }


def work_for_a_month(crm: Crm, clock: Clock, random: Random) -> None:
    """Thirty days: the nightly runs when days begin, and in between what a team does."""
    crm.run(staff, by="li")
    zones = [ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")]
    for day in range(30):
        begins = sorted(start_of_day((START + timedelta(days=day)).date(), zone) for zone in zones)
        for moment in begins:
            clock.set(max(moment, clock()))
            crm.tick()
        for _ in range(random.randrange(5)):
            clock.tick(minutes=random.randrange(1, 120))
            try:
                crm.run(act, random, by=random.choice(MEMBERS))
            except Refused:
                continue  # so it goes; it is not in the ledger


def staff(work: Work) -> None:
    """Two in one team, one in another, and a first few customers."""
    work.teams.add("east", name="East")
    work.teams.add("west", name="West")
    for id, team in zip(MEMBERS, ("east", "east", "west"), strict=True):
        work.members.add(id, name=id.title(), team_id=Id(team))
    for number in range(6):
        owner = MEMBERS[number % 3] if number < 4 else None
        work.customers.create(name=f"Customer {number}", level="A" if number % 2 else None, owner_id=owner)


def act(work: Work, random: Random) -> None:
    """Something that somebody does."""
    mine = [one.id for one in work.customers.stream(F.owner_id == work.member)]
    pool = random.choice(["a", "rest", "rest"])
    pooled = [one.id for one in work.customers.stream((F.pool_id == pool) & F.owner_id.is_null())]
    what = random.choice(
        ["new", "claim", "claim", "claim", "follow up", "deal", "win", "lose", "release", "protect"]
    )
    if what == "new":
        owner = random.choice([None, work.member])
        work.customers.create(name="New", level=random.choice([None, "A"]), owner_id=owner)
    elif what == "claim" and pooled:
        work.pools.claim(random.sample(pooled, min(len(pooled), random.randrange(1, 4))), partial=True)
    elif mine:
        customer = random.choice(mine)
        deals = [
            one.id for one in work.opportunities.stream((F.customer_id == customer) & (F.status == "open"))
        ]
        match what:
            case "follow up":
                work.follow_ups.record(result="ok", customer_id=customer)
            case "deal":
                work.opportunities.create(name="Deal", customer_id=customer)
            case "win" if deals:
                work.opportunities.win(deals[0])
            case "lose" if deals:
                work.opportunities.lose(deals[0], reason="price")
            case "release":
                work.pools.release(customer, reason="no time")
            case "protect":
                work.pools.protect(customer, until=(work.now() + timedelta(days=3)).date())
            case _:
                pass
