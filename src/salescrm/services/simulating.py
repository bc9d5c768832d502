"""
What the nightly runs will do from now to a later moment, if nothing else happens; nothing is written.

Every customer is read once, and asked the run's own questions for all the nights ahead.  Where what becomes of one hangs
on what has become of another, the nights are walked through one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from heapq import merge
from itertools import islice

from salescrm.entities import Customer, Member
from salescrm.entities.customers import left_to
from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.policy import Policies, Policy
from salescrm.reports.rows import Rows
from salescrm.reports.simulation import Fall, FallWarning, Named, Simulation, Stop
from salescrm.rules.nights import Night, due, stranded
from salescrm.services.forecasting import Course, Falling, Forecast, Warned
from salescrm.services.nights import Nights
from salescrm.services.recycling import BATCH, WORKER, Recycling, Told
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment, moment

__all__ = ["named", "simulate", "versions_of"]


def simulate(unit: UnitOfWork, *, at: datetime, policy: Policy | Policies | None) -> Simulation:
    """What the nightly runs do up to *at*, under *policy*, or what is in force where it is None; see `PoolService.simulate`."""
    until = moment(at, entity="Simulation", field="at")
    now = unit.now()
    if until < now:
        raise InvalidValue("Simulation", "at", at, "a moment that is not past")
    policies = unit.kit.policies if policy is None else versions_of(policy)
    held = Recycling(unit).held()
    if problems := stranded(policies.at(now), held):
        raise InvalidDefinition("Policy", problems)
    laid_out = due(policies, Nights(unit).through(), now=now, until=until)
    # As in `Nights.due`: of a pool that is closed by now no missed night is made up for.
    open_now = {pool.key for pool in policies.at(now).ranked_pools}
    stretches = [one for one in laid_out if one.pool.key in open_now or one.night(one.first).begin > now]
    found = _Found(unit)
    forecast = Forecast(unit, stretches)
    if forecast.entwined:
        _night_by_night(unit, forecast, found)
    elif forecast.courses:
        for customer in unit.repository(Customer).stream(forecast.candidates()):
            fall = forecast.fall(customer)
            if fall is not None:
                found.falls_on(customer, fall)
            for warned in forecast.warnings(customer, fall):
                found.is_warned(customer, warned)
    stop = _stop(policies, held, found, now=now, until=until)
    done = stretches if stop is None else [one for one in stretches if one.night(one.first).begin < stop.at]
    falls, warnings = found.until(stop)
    return Simulation(
        since=now,
        until=until,
        falls=falls,
        warnings=warnings,
        nights=sum(one.many for one in done),
        versions=tuple(dict.fromkeys(one.policy.version for one in done)),
        stopped=stop,
        named=named(unit, (one.policy for one in done), found.members()),
        time_zone=policies.at(now).time_zone,
        language=unit.policy.language,
    )


def versions_of(policy: object) -> Policies:
    """*policy* as versions: one alone holds throughout, whatever it says.

    Raises:
        InvalidValue: It is no policy.
    """
    if isinstance(policy, Policies):
        return policy
    if not isinstance(policy, Policy):
        raise InvalidValue("Simulation", "policy", policy, "a Policy, or Policies")
    return Policies([policy])


def named(unit: UnitOfWork, versions: Iterable[Policy], members: Iterable[Id]) -> Named:
    """What people call the pools and rules of *versions*, the last one's word counting, and these *members*."""
    pools = [pool for version in versions for pool in version.pools]
    return Named(
        pools={pool.key: pool.label for pool in pools},
        rules={(pool.key, rule.key): rule.label for pool in pools for rule in pool.rules},
        members={id: member.name for id, member in unit.repository(Member).many(members).items()},
    )


class _Found:
    """Who falls and who is warned, as it is found."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._told = Told(unit)
        self._nights: dict[tuple[Moment, int], Night] = {}
        self.falls: Rows[Fall] = Rows(self._fall, own=2, shared=3)
        self.warnings: Rows[FallWarning] = Rows(self._warning, own=2, shared=4)

    def falls_on(self, customer: Customer, falling: Falling) -> None:
        """*customer* falls like that."""
        position = falling.night.position
        self._nights.setdefault(position, falling.night)
        self.falls.add((customer.id, customer.name), (position, customer.owner_id, falling.fired))

    def is_warned(self, customer: Customer, warned: Warned) -> None:
        """Somebody is warned of *customer* like that."""
        position, pool = warned.night.position, warned.night.pool
        self._nights.setdefault(position, warned.night)
        told = self._told.whom(customer.owner_id, pool, warned.warning)
        why = warned.rule.key, warned.falls_on, warned.warning.days
        self.warnings.add((customer.id, customer.name), (position, customer.owner_id, why, told))

    def by_pool(self, before: Moment) -> dict[str, int]:
        """How many fall into each pool on nights that begin before that moment."""
        counted: Counter[str] = Counter()
        for position, many in self.falls.counts(0).items():
            if position[0] < before:
                counted[self._nights[position].pool.key] += many
        return counted

    def until(self, stop: Stop | None) -> tuple[Rows[Fall], Rows[FallWarning]]:
        """What is found, in the order of the nights, up to the *stop*."""

        def place(position: tuple[Moment, int]) -> tuple[Moment, int] | None:
            return position if stop is None or position[0] < stop.at else None

        return self.falls.arranged(0, place), self.warnings.arranged(0, place)

    def members(self) -> set[Id]:
        """Whom it tells of."""
        told = {id for told in self.warnings.counts(3) for id in told}
        return {*self.falls.counts(1), *self.warnings.counts(1), *told}

    def _fall(
        self, id: Id, name: str, position: tuple[Moment, int], owner_id: Id, fired: tuple[str, ...]
    ) -> Fall:
        night = self._nights[position]
        return Fall(
            customer_id=id,
            customer=name,
            owner_id=owner_id,
            pool=night.pool.key,
            rule=fired[0],
            fired=fired,
            day=night.day,
            at=night.begin,
            policy_version=night.policy.version,
        )

    def _warning(
        self,
        id: Id,
        name: str,
        position: tuple[Moment, int],
        owner_id: Id,
        why: tuple[str, date, int],
        told: tuple[Id, ...],
    ) -> FallWarning:
        night = self._nights[position]
        rule, falls_on, days_left = why
        return FallWarning(
            customer_id=id,
            customer=name,
            owner_id=owner_id,
            pool=night.pool.key,
            rule=rule,
            day=night.day,
            falls_on=falls_on,
            days_left=days_left,
            told=told,
        )


def _stop(
    policies: Policies, held: Mapping[str, int], found: _Found, *, now: Moment, until: Moment
) -> Stop | None:
    """When a version to come closes a pool that will hold customers."""
    for version in policies.versions[1:]:
        start = version.effective_from
        if start is not None and now < start <= until:
            problems = stranded(version, Counter(held) + Counter(found.by_pool(start)))
            if problems:
                return Stop(at=start, problems=problems)
    return None


def _night_by_night(unit: UnitOfWork, forecast: Forecast, found: _Found) -> None:
    """As the runs go: of each night rule by rule, batch by batch, until nobody falls any more."""
    visible = unit.repository(Customer)
    walked = merge(*(course.nights() for course in forecast.courses), key=lambda pair: pair[0].position)
    for night, course in walked:
        while falling := _batch(unit, forecast, course, night):
            seen = visible.many([customer.id for customer, _ in falling])
            for customer, fired in falling:
                gone = left_to(night.pool.key, at=night.begin)
                stamps = {"version": customer.version + 1, "updated_at": night.begin, "updated_by": WORKER}
                forecast.become[customer.id] = gone | stamps
                if customer.id in seen:
                    found.falls_on(customer, Falling(night, fired))
        warned = [
            (customer, warned)
            for customer in _left(unit, forecast)
            for number, question in enumerate(course.asked(night.day, night.day))
            for warned in course.warned(customer, number, question.rule, night.day)
        ]
        seen = visible.many([customer.id for customer, _ in warned])
        for customer, one in warned:
            if customer.id in seen:
                found.is_warned(customer, one)


def _batch(
    unit: UnitOfWork, forecast: Forecast, course: Course, night: Night
) -> list[tuple[Customer, tuple[str, ...]]]:
    """What one transaction of the run takes: by the first rule that fires for anybody, with all that fire for each."""
    for question in course.asked(night.day, night.day):
        key = question.rule.key
        firing = ((customer, course.firing(customer, night.day)) for customer in _left(unit, forecast))
        taken = ((customer, fired[fired.index(key) :]) for customer, fired in firing if key in fired)
        if found := list(islice(taken, BATCH)):
            return found
    return []


def _left(unit: UnitOfWork, forecast: Forecast) -> Iterator[Customer]:
    """Those that may fall and have not, by id."""
    found = unit.unscoped(Customer).stream(forecast.candidates())
    return (customer for customer in found if customer.id not in forecast.become)
