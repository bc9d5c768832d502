"""Who claims: the member, whether a pool is open to them, and what counts for them; and whose turn it is to count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from salescrm.calendars import day_of, start_of_day
from salescrm.entities import Customer, Member, OwnershipEntry, Team, Turn
from salescrm.errors import InvalidValue
from salescrm.policy import Pool
from salescrm.query import F, Tally, count, highest
from salescrm.rules.claiming import Claimer
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment, clean_text

__all__ = ["Claimers"]

#: How many ids one question asks for.
_AT_ONCE = 500


class Claimers:
    """What a pool's rules ask about members, in one Work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._members = unit.unscoped(Member)
        self._ledger = unit.unscoped(OwnershipEntry)

    def known_as(self, id: str) -> Id:
        """
        *id* as that of a member, who is not read before it is their turn.

        Raises:
            InvalidValue: Nobody can be called that.
        """
        checked = Id(clean_text(id, entity="Member", field="id", limit=64))
        if not checked.strip():
            raise InvalidValue("Member", "id", id, "the id of a member")
        return checked

    def member(self, id: Id) -> Member:
        """The member *id*; one that a host keeps elsewhere is taken for active."""
        return self._members.peek(id) or Member(id=id, name=id)

    def take_turn(self, member_id: Id) -> None:
        """
        From here until this Work ends nobody else counts what *member_id* has.

        Two claims at once would both find room for one more; the second one waits here, and then finds the first one's.
        """
        self.take_turns([member_id])

    def take_turns(self, ids: Iterable[Id]) -> None:
        """The turns of all *ids*, in an order that is always the same, so that two who want several don't block each other."""
        unit = self.unit
        wanted = sorted(set(ids) - unit.turns)
        if not wanted:
            return
        store = unit.reading()
        # Past any repository: that is no write, so what is then refused has cost nothing.
        try:
            store.hold(unit.kit.by_record[Turn], [self._turn(id) for id in wanted])
        except BaseException:
            unit.fail()
            raise
        if unit.effects is not None:
            # The commit is ours, so nothing but the end of all lets go of it; a host may roll back to a savepoint.
            unit.turns.update(wanted)

    def _turn(self, id: Id) -> Turn:
        now, member = self.unit.now(), self.unit.member
        return Turn(
            id=id,
            tenant=self.unit.tenant,
            version=1,
            created_at=now,
            created_by=member,
            updated_at=now,
            updated_by=member,
        )

    def claimer(self, member_id: Id, pool: Pool, customer_ids: Sequence[Id]) -> Claimer:
        """*member_id* before *pool*, wanting *customer_ids*; nothing is counted that the pool does not limit."""
        unit, limits = self.unit, pool.claims
        member = self.member(member_id)
        claimed_today, claimed_this_week = self._claimed(member_id, pool)
        teams = frozenset(self._teams(member)) if pool.teams or limits.reserved_teams else frozenset()
        holds = 0
        if limits.cap is not None:
            holds = unit.unscoped(Customer).count((F.owner_id == member_id) & limits.counted)
        return Claimer(
            member=member,
            belongs=pool.everyone or member_id in pool.members or not teams.isdisjoint(pool.teams),
            reserved=member_id in limits.reserved_members or not teams.isdisjoint(limits.reserved_teams),
            holds=holds,
            today=claimed_today,
            week=claimed_this_week,
            owned_until=self._owned_until(member, pool, customer_ids) if limits.cool_down else {},
        )

    def _teams(self, member: Member) -> Iterator[str]:
        """The member's team and those above it."""
        seen: set[str] = set()
        team_id = member.team_id
        while team_id is not None and team_id not in seen:
            seen.add(team_id)
            yield team_id
            team = self.unit.unscoped(Team).peek(team_id)
            team_id = None if team is None else team.parent_id

    def _claimed(self, member_id: Id, pool: Pool) -> tuple[int, int]:
        """How many they claimed from *pool* today and this week, if it limits either: what they gave back counts too."""
        unit, limits, zone = self.unit, pool.claims, self.unit.zone_of(pool)
        if limits.daily is None and limits.weekly is None:
            return 0, 0
        today = day_of(unit.now(), zone)
        morning = start_of_day(today, zone)
        monday = start_of_day(today - timedelta(days=today.weekday()), zone)
        since = morning if limits.weekly is None else monday
        theirs = (F.to_id == member_id) & (F.at >= since) & (F.kind == "claimed") & (F.pool == pool.key)
        measures = [count(where=F.at >= morning), count()]
        ((day, week),) = self._ledger.tally(Tally(measures=measures, where=theirs))
        return day, week

    def _owned_until(self, member: Member, pool: Pool, customer_ids: Sequence[Id]) -> dict[Id, Moment]:
        """By customer, when the member, or their team, last stopped owning it, whoever owned it in between."""
        people = [member.id]
        if pool.claims.cool_down_team and member.team_id is not None:
            people += [one.id for one in self._members.stream(F.team_id == member.team_id)]
        found: dict[Id, Moment] = {}
        for start in range(0, len(customer_ids), _AT_ONCE):
            part = F.customer_id.one_of(customer_ids[start : start + _AT_ONCE]) & F.from_id.one_of(people)
            found.update(self._ledger.tally(Tally(by=[F.customer_id], measures=[highest(F.at)], where=part)))
        return found
