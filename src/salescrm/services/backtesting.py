"""
Loading history for a back-test: customers as they were, from the change log; their owners, from the ledger; what they bought.

It goes through the customers in batches, rewinds each by its log, asks both policies' nights about every state that it
was in, and keeps one small spell for each time that a member had it.  What then comes of them is `rules.backtesting`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeAlias

import attrs

from salescrm.checking import Context
from salescrm.entities import ChangeEntry, Customer, Member, Opportunity, OwnershipEntry, Team
from salescrm.entities.pools import OwnershipKind
from salescrm.errors import InvalidValue
from salescrm.labels import Label
from salescrm.meaning import condition
from salescrm.policy import Policies, Policy, Pool
from salescrm.query import F, Where
from salescrm.reports.backtest import Backtest, Side
from salescrm.rules.assigning.fairness import evenness
from salescrm.rules.backtesting import (
    ClaimedFrom,
    People,
    Reading,
    Replayed,
    Sale,
    Spell,
    SpellFall,
    replay,
)
from salescrm.rules.nights import within
from salescrm.services.forecasting import Falling, Forecast
from salescrm.services.simulating import named, versions_of
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment, moment

__all__ = ["backtest"]

#: How many customers' histories are read at a time.
_AT_ONCE: Final = 500
_WEEK: Final = timedelta(days=8)


def backtest(
    unit: UnitOfWork,
    policy_a: Policy | Policies,
    policy_b: Policy | Policies,
    *,
    since: datetime,
    until: datetime | None,
) -> Backtest:
    """History from *since* to *until* under both policies; see `PoolService.backtest`."""
    begin = moment(since, entity="Backtest", field="since")
    end = unit.now() if until is None else moment(until, entity="Backtest", field="until")
    if end > unit.now():
        raise InvalidValue("Backtest", "until", until, "a moment that is not to come")
    if begin >= end:
        raise InvalidValue("Backtest", "since", since, "a moment before the end of what is replayed")
    policies = [versions_of(policy_a), versions_of(policy_b)]
    judges = [_Judge(unit, one, begin, end) for one in policies]
    spells = list(_spells(unit, judges, begin, end))
    people = _people(unit)
    really = replay(spells, None, since=begin, until=end, people=people)
    replayed = [replay(spells, which, since=begin, until=end, people=people) for which in (0, 1)]
    members = sorted({id for one in (really, *replayed) for id in one.held})
    return Backtest(
        since=begin,
        until=end,
        a=_side(unit, replayed[0], members, policies[0].versions),
        b=_side(unit, replayed[1], members, policies[1].versions),
        really=_side(unit, really, members, ()),
        recycled=sum(
            spell.ended_by == "recycled" and spell.ended is not None and begin < spell.ended <= end
            for spell in spells
        ),
        members=tuple(members),
        time_zone=unit.policy.time_zone,
        language=unit.policy.language,
    )


def _side(unit: UnitOfWork, replayed: Replayed, members: Sequence[Id], versions: Sequence[Policy]) -> Side:
    holds = {member: replayed.holds.get(member, 0) for member in members}
    held = {member: float(replayed.held.get(member, 0)) for member in members}
    return Side(
        falls=replayed.falls,
        claims=replayed.claims,
        refused=replayed.refused,
        spared=replayed.spared,
        holds=holds,
        held=held,
        evenness=float(evenness(replayed.held.get(member, 0) for member in members)),
        named=named(unit, versions, members),
    )


@attrs.define(kw_only=True)
class _Held:
    """A spell as it is found: the states that the customer was in, each from a moment up to the next."""

    customer: Customer
    owner_id: Id
    began: Moment
    begun_by: OwnershipKind | None
    order: Id
    pool: str | None
    before: Customer
    states: list[tuple[Moment, Moment | None, Customer]]
    ended: Moment | None = None
    ended_by: OwnershipKind | None = None
    sales: tuple[Sale, ...] = ()


class _Judge:
    """One of the policies: what its nights make of a customer's states, and from which pool it is claimed."""

    def __init__(self, unit: UnitOfWork, policies: Policies, since: Moment, until: Moment) -> None:
        self._unit, self._policies = unit, policies
        self._schema = unit.kit.by_record[Customer]
        self._forecast = Forecast(unit, within(policies, since=since, until=until))
        self._since, self._until = since, until
        pools = [pool for version in policies.versions for pool in version.pools]
        self._counted = list(dict.fromkeys(pool.claims.counted for pool in pools))
        self.cool_down = max((pool.claims.cool_down for pool in pools), default=0)

    def reading(self, spell: _Held) -> Reading:
        """What it makes of *spell*."""
        return Reading(
            fall=self._fall(spell),
            claimed_from=self._claimed_from(spell) if spell.begun_by == "claimed" else None,
            flips=tuple(self._flips(spell, where) for where in self._counted),
        )

    def _fall(self, spell: _Held) -> SpellFall | None:
        for start, end, customer in spell.states:
            after = max(start, self._since)
            until = min(one for one in (self._until, end, spell.ended) if one is not None)
            falling = self._forecast.fall(customer, after=after, until=until) if after < until else None
            if falling is not None:
                return _spell_fall(spell, falling)
        return None

    def _claimed_from(self, spell: _Held) -> ClaimedFrom:
        policy = self._policies.at(spell.began)
        pool = next((one for one in policy.pools if one.key == spell.pool), None) or next(
            (one for one in policy.ranked_pools if self._meets(spell.before, one.where, spell.began, policy)),
            Pool(key=spell.pool or "", label=Label(spell.pool or "", spell.pool or ""), enabled=False),
        )
        return ClaimedFrom(
            pool=pool,
            zone=policy.zone_of(pool),
            policy_version=policy.version,
            counted=self._counted.index(pool.claims.counted) if pool.claims.counted in self._counted else 0,
        )

    def _flips(self, spell: _Held, where: Where) -> tuple[Moment, ...]:
        found: list[Moment] = []
        for start, _, customer in spell.states:
            if self._meets(customer, where, start, self._policies.at(start)) != bool(len(found) % 2):
                found.append(start)
        return tuple(found)

    def _meets(self, customer: Customer, where: Where, at: Moment, policy: Policy) -> bool:
        asked = self._unit.kit.checker.all(self._schema, where, (), Context(at, policy.zone))
        return condition(self._schema, asked.plan.where)(customer, asked.values, self._unit.reading().get)


def _spell_fall(spell: _Held, falling: Falling) -> SpellFall:
    night = falling.night
    return SpellFall(
        customer_id=spell.customer.id,
        customer=spell.customer.name,
        owner_id=spell.owner_id,
        since=spell.began,
        pool=night.pool.key,
        rule=falling.fired[0],
        fired=falling.fired,
        day=night.day,
        at=night.begin,
        policy_version=night.policy.version,
        ended=spell.ended,
        ended_by=spell.ended_by,
        bought=tuple(sale for sale in spell.sales if sale.at > night.begin),
    )


def _spells(unit: UnitOfWork, judges: Sequence[_Judge], since: Moment, until: Moment) -> Iterator[Spell]:
    """All spells that were under way in that time, and those that ended so shortly before that they still count."""
    # What was claimed this week, and who owned what lately, is asked from the first day on.
    earliest = since - max(_WEEK, *(timedelta(days=one.cool_down + 2) for one in judges))
    stream = unit.repository(Customer).stream(F.created_at <= until)
    while customers := list(islice(stream, _AT_ONCE)):
        log = _log(unit, customers, earliest)
        ledger = _ledger(unit, customers, earliest)
        sales = _sales(unit, customers, since, until)
        for customer in customers:
            states = _states(unit, customer, log.get(customer.id, []), until)
            for held in _held(states, ledger.get(customer.id, {}), earliest):
                held.sales = sales.get((customer.id, held.owner_id), ())
                yield Spell(
                    customer_id=customer.id,
                    customer=customer.name,
                    owner_id=held.owner_id,
                    began=held.began,
                    begun_by=held.begun_by,
                    order=held.order,
                    ended=held.ended,
                    ended_by=held.ended_by,
                    entered=held.before.entered_pool_at,
                    readings=tuple(judge.reading(held) for judge in judges),
                )


def _log(unit: UnitOfWork, customers: Sequence[Customer], since: Moment) -> dict[Id, list[ChangeEntry]]:
    """By customer, the change-log entries since then, oldest first."""
    found: defaultdict[Id, list[ChangeEntry]] = defaultdict(list)
    where = (F.entity == unit.kit.by_record[Customer].collection) & (F.created_at >= since)
    where &= F.record_id.one_of([one.id for one in customers])
    for entry in unit.unscoped(ChangeEntry).stream(where, order=[F.record_id, F.record_version]):
        found[entry.record_id].append(entry)
    return found


#: By the moment at which it was written down, and who lost or got the customer by it, a line of the ledger.
_Ledger: TypeAlias = dict[tuple[Moment, Id, str], OwnershipEntry]


def _ledger(unit: UnitOfWork, customers: Sequence[Customer], since: Moment) -> dict[Id, _Ledger]:
    """By customer, the ledger since then."""
    found: defaultdict[Id, _Ledger] = defaultdict(dict)
    where = F.customer_id.one_of([one.id for one in customers]) & (F.created_at >= since)
    for entry in unit.unscoped(OwnershipEntry).stream(where):
        for id, side in ((entry.from_id, "from"), (entry.to_id, "to")):
            if id is not None:
                found[entry.customer_id][entry.created_at, id, side] = entry
    return found


def _sales(
    unit: UnitOfWork, customers: Sequence[Customer], since: Moment, until: Moment
) -> dict[tuple[Id, Id], tuple[Sale, ...]]:
    """By customer and owner, what was won, oldest first."""
    found: defaultdict[tuple[Id, Id], list[Sale]] = defaultdict(list)
    won = (F.status == "won") & (F.closed_at > since) & (F.closed_at <= until)
    won &= F.customer_id.one_of([one.id for one in customers]) & F.owner_id.is_set()
    for deal in unit.repository(Opportunity).stream(won, order=[F.closed_at]):
        if deal.customer_id is not None and deal.owner_id is not None and deal.closed_at is not None:
            sale = Sale(opportunity_id=deal.id, at=deal.closed_at, amount=deal.amount)
            found[deal.customer_id, deal.owner_id].append(sale)
    return {key: tuple(sales) for key, sales in found.items()}


def _states(
    unit: UnitOfWork, customer: Customer, log: Sequence[ChangeEntry], until: Moment
) -> list[tuple[Moment | None, Customer]]:
    """The states that *customer* was in up to *until*, each with the moment from which; None for one that was there before."""
    schema = unit.kit.by_record[Customer]
    now, document = customer, schema.to_document(customer)
    found: list[tuple[Moment | None, Customer]] = []
    for entry in reversed(log):
        if entry.created_at <= until:
            found.append((entry.created_at, now))
        if entry.kind == "added":
            return found[::-1]
        document.update({column: was for column, (was, _) in entry.changes.items()})
        document["version"] = entry.record_version - 1
        now = schema.from_document(document)
    found.append((None, now))
    return found[::-1]


def _held(
    states: Sequence[tuple[Moment | None, Customer]], ledger: _Ledger, earliest: Moment
) -> Iterator[_Held]:
    """The spells that *states* are made of, in order."""
    spell: _Held | None = None
    before: Customer | None = None
    for start, customer in states:
        same = before is not None and (before.owner_id, before.owned_since) == (
            customer.owner_id,
            customer.owned_since,
        )
        if spell is not None and start is not None:
            at, _, state = spell.states[-1]
            spell.states[-1] = at, start, state
            if not same:
                lost = ledger.get((start, spell.owner_id, "from"))
                spell.ended, spell.ended_by = (start, None) if lost is None else (lost.at, lost.kind)
                yield spell
                spell = None
        if customer.owner_id is not None:
            if spell is None:
                spell = _begun(start, customer, before, ledger, earliest)
            else:
                spell.states.append((start or earliest, None, customer))
        before = customer
    if spell is not None:
        yield spell


def _begun(
    start: Moment | None, customer: Customer, before: Customer | None, ledger: _Ledger, earliest: Moment
) -> _Held:
    owner_id = Id(customer.owner_id or "")
    got = None if start is None else ledger.get((start, owner_id, "to"))
    return _Held(
        customer=customer,
        owner_id=owner_id,
        began=got.at if got is not None else customer.owned_since or start or earliest,
        begun_by=None if got is None else got.kind,
        order=customer.id if got is None else got.id,
        pool=None if got is None else got.pool,
        before=before or customer,
        states=[(start or earliest, None, customer)],
    )


def _people(unit: UnitOfWork) -> People:
    """Who works here, as it is today."""
    parents = {team.id: team.parent_id for team in unit.unscoped(Team).stream()}
    members = list(unit.unscoped(Member).stream())
    by_team: defaultdict[str, list[Id]] = defaultdict(list)
    for one in members:
        if one.team_id is not None:
            by_team[one.team_id].append(one.id)

    def above(team_id: str | None) -> frozenset[str]:
        found: list[str] = []
        while team_id is not None and team_id not in found:
            found.append(team_id)
            team_id = parents.get(Id(team_id))
        return frozenset(found)

    return People(
        names={one.id: one.name for one in members},
        teams={one.id: above(one.team_id) for one in members},
        mates={one.id: tuple(by_team[one.team_id]) for one in members if one.team_id is not None},
    )
