"""
The handover of a member who leaves: everything that points at them goes to their successors, and then nothing does.

What points at a member is read from the schemas: a reference that a new entity brings is moved if it is named here, and
otherwise found at the end, and refused, so that none is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final

import attrs

from salescrm.entities import (
    ApprovalRequest,
    Collaborator,
    Customer,
    FollowUp,
    Member,
    Notice,
    Opportunity,
    Record,
    Team,
)
from salescrm.entities.approvals import waiting_for
from salescrm.errors import LeftBehind
from salescrm.errors.refusals import LeftOver
from salescrm.events import (
    ApprovalEdited,
    CustomerEdited,
    Edited,
    Event,
    FollowUpEdited,
    MemberEdited,
    MemberHandedOver,
    OpportunityEdited,
    TeamEdited,
)
from salescrm.policy import Policy
from salescrm.policy.assignments import Strategy
from salescrm.query import EVERYTHING, F, Where
from salescrm.rules.assigning import Candidate, Item, Shares, dispatch
from salescrm.services.approvals import ApprovalService
from salescrm.services.claimers import Claimers
from salescrm.services.directory import Directory
from salescrm.services.members import MemberService
from salescrm.services.transferring import Parcel, Terms, Transferring
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["HISTORY", "POINTERS", "HandedOver", "Handover", "Moved", "Pointer", "named_in", "spread"]

#: How many customers are read and moved at a time.
_BATCH: Final = 2_000
_AT_ONCE: Final = 500


@attrs.frozen
class Pointer:
    """A reference to a member that matters as long as *live* holds; afterwards it tells what was."""

    entity: type[Record]
    live: Where
    told: type[Edited] | None


#: What points at a member, by collection and field; a reference that is neither here nor in `HISTORY` matters always.
POINTERS: Final[Mapping[tuple[str, str], Pointer]] = MappingProxyType(
    {
        ("customers", "owner_id"): Pointer(Customer, EVERYTHING, CustomerEdited),
        ("opportunities", "owner_id"): Pointer(Opportunity, F.status == "open", OpportunityEdited),
        ("follow_ups", "assignee_id"): Pointer(FollowUp, F.status == "planned", FollowUpEdited),
        ("follow_ups", "assigned_by"): Pointer(FollowUp, F.status == "planned", FollowUpEdited),
        ("teams", "leader_id"): Pointer(Team, EVERYTHING, TeamEdited),
        ("members", "manager_id"): Pointer(Member, EVERYTHING, MemberEdited),
        ("members", "deputy_id"): Pointer(Member, EVERYTHING, MemberEdited),
        ("approvals", "requester_id"): Pointer(ApprovalRequest, F.status == "pending", ApprovalEdited),
        ("notices", "member_id"): Pointer(Notice, F.seen_at.is_null(), None),
    }
)
#: References to members that tell what was, and stay.
HISTORY: Final = frozenset(
    {("customers", "first_contact_by"), ("ownership", "from_id"), ("ownership", "to_id")}
)
#: Where a policy names members by id.
_PEOPLE: Final = frozenset({"members", "admins", "reserved_members", "fallback"})


@attrs.frozen
class Moved:
    """So many records of *entity* whose *field* names a successor now."""

    entity: str
    field: str
    count: int


@attrs.frozen(kw_only=True)
class HandedOver:
    """
    What came of a handover.

    Attributes:
        member: Who left, inactive now.
        moved: What was theirs, by entity and field; nothing is listed of which there was none.
        withdrawn: Transfers of their customers, or to them, that waited for approval.
        in_policy: Where the policy still names them: ``pools.north.admins``; that is the host's to change.
    """

    member: Member
    moved: tuple[Moved, ...]
    withdrawn: tuple[ApprovalRequest, ...] = ()
    in_policy: tuple[str, ...] = ()


class Handover:
    """One member's handover to *heirs* in one Work; run it once."""

    def __init__(self, unit: UnitOfWork, leaver: Member, heirs: Sequence[Id], reason: str | None) -> None:
        self.unit = unit
        self._leaver, self._heirs, self._heir, self._reason = leaver, heirs, heirs[0], reason
        self._moved: dict[tuple[str, str], int] = {}

    def run(self) -> HandedOver:
        """
        Everything is moved, and the member inactive.

        Raises:
            LeftBehind: Something still points at them.
        """
        unit, leaver = self.unit, self._leaver
        Claimers(unit).take_turn(leaver.id)  # nobody gives them anything meanwhile
        withdrawn = self._withdraw()
        self._customers()
        self._shared(Customer, F.shared_until.is_set(), CustomerEdited)
        self._shared(Opportunity, F.status == "open", OpportunityEdited)
        self._places()
        self._approvals()
        for collection, field in POINTERS:
            self._count(collection, field, self._point(collection, field))
        self._own_tasks()
        left = tuple(self._left())
        if left:
            unit.fail()
            raise LeftBehind(leaver.name, left)
        members = unit.repository(Member)
        before = members.get(leaver.id)
        gone = members.save(
            before,
            members.schema.evolve(before, {"active": False}),
            MemberHandedOver(record_id=leaver.id, heirs=tuple(self._heirs), reason=self._reason),
            edited=MemberEdited,
            lines=[self._notice(heir) for heir in self._heirs if heir != unit.member],
        )
        return HandedOver(
            member=gone,
            moved=tuple(Moved(*place, count) for place, count in self._moved.items() if count),
            withdrawn=withdrawn,
            in_policy=tuple(self._in_policies()),
        )

    def _notice(self, heir: Id) -> Notice:
        return Notice(
            member_id=heir,
            kind="handed-over",
            entity="members",
            record_id=self._leaver.id,
            data={"heirs": list(self._heirs), "reason": self._reason},
        )

    def _count(self, collection: str, field: str, count: int) -> None:
        self._moved[collection, field] = self._moved.get((collection, field), 0) + count

    def _withdraw(self) -> tuple[ApprovalRequest, ...]:
        """Transfers that wait for approval and that this decides otherwise."""
        approvals, transferring = self.unit.service(ApprovalService), Transferring(self.unit)
        found = []
        pending = self.unit.unscoped(ApprovalRequest).stream((F.status == "pending") & (F.act == "transfer"))
        for request in tuple(pending):
            parcels = transferring.parcels_of(request)
            if any(self._leaver.id in (parcel.from_id, parcel.to_id) for parcel in parcels):
                found.append(approvals.overrule(request, note=self._reason))
        return tuple(found)

    def _customers(self) -> None:
        """Customers with what goes along, in batches, each heir's part fair over all of them."""
        unit, transferring, shares = self.unit, Transferring(self.unit), Shares()
        terms = Terms(reason=self._reason)
        customers = unit.unscoped(Customer)
        while True:
            page = customers.find(F.owner_id == self._leaver.id, order=[F.id], limit=_BATCH)
            known = {one.id: one for one in page}
            if not known:
                return
            goes, shares = spread(tuple(known), self._heirs, day=unit.today, shares=shares)
            parts: dict[Id, list[Id]] = {}
            for id, heir in goes.items():
                parts.setdefault(heir, []).append(id)
            parcels = [
                Parcel(from_id=self._leaver.id, to_id=heir, customer_ids=tuple(ids))
                for heir, ids in parts.items()
            ]
            transferring.move(parcels, known, terms, tell=False)
            self._count("customers", "owner_id", len(known))

    def _shared(self, entity: type[Customer | Opportunity], where: Where, told: type[Edited]) -> None:
        """What is shared with them is shared with the heir, unless it is the heir's own."""
        records = self.unit.unscoped(entity)
        ids = [one.id for one in records.stream(where) if _shares(one, self._leaver.id)]
        for start in range(0, len(ids), _AT_ONCE):
            for one in records.many(ids[start : start + _AT_ONCE]).values():
                people = tuple(_inherited(one, self._leaver.id, self._heir))
                after = records.schema.evolve(one, {"collaborators": people})
                if isinstance(after, Customer):
                    after = after.shared()
                records.save(one, after, edited=told)
        self._count(records.schema.collection, "collaborators", len(ids))

    def _places(self) -> None:
        """The heir's own place: not below somebody who is going to be below them, and nobody is their own deputy."""
        unit, members = self.unit, self.unit.service(MemberService)
        heir = members.get(self._heir)
        changes: dict[str, Any] = {}
        if self._leaver.id in _chain(Directory(unit), heir):
            changes["manager_id"] = self._leaver.manager_id
        if heir.deputy_id == self._leaver.id:
            changes |= {"deputy_id": None, "deputy_through": None}
        if changes:
            records = unit.repository(Member)
            records.save(heir, records.schema.evolve(heir, changes), edited=MemberEdited)
            for field in changes.keys() & {"manager_id", "deputy_id"}:
                self._count("members", field, getattr(heir, field) == self._leaver.id)

    def _approvals(self) -> None:
        """What waits for them waits for the heir; a request of the heir's own, for who stands above the heir."""
        approvals, people = self.unit.service(ApprovalService), Directory(self.unit)
        waiting = tuple(self.unit.unscoped(ApprovalRequest).stream(waiting_for(self._leaver.id)))
        for request in waiting:
            to: Id | None = self._heir
            if request.requester_id == self._heir:
                to = people.superior(self._heir)
            if to is not None and to != self._leaver.id and people.is_active(to):
                approvals.delegate(request, to=to, note=self._reason, seat=self._leaver.id)
                self._count("approvals", "waiting_for", 1)

    def _point(self, collection: str, field: str) -> int:
        """Lets what still points at the leaver point at the heir, inside the engine; how many records."""
        pointer = POINTERS[collection, field]
        where = (getattr(F, field) == self._leaver.id) & pointer.live
        records, told = self.unit.unscoped(pointer.entity), pointer.told
        if told is None:  # what nobody is told of, nobody is told that it moved
            count = 0
            while found := records.change_quietly(where, {field: self._heir}, skip_locked=False):
                count += len(found)
            return count

        def follow(record: Record, fired: tuple[str, ...]) -> tuple[Event, ...]:
            return (told(record_id=record.id, fields=(field,)),)

        return records.sweep(where, {field: self._heir}, follow=follow)

    def _own_tasks(self) -> None:
        """What somebody has to do and was given by themselves was given by nobody."""
        mine = (F.assignee_id == self._heir) & (F.assigned_by == self._heir) & (F.status == "planned")

        def follow(task: FollowUp, fired: tuple[str, ...]) -> tuple[Event, ...]:
            return (FollowUpEdited(record_id=task.id, fields=("assigned_by",)),)

        self.unit.unscoped(FollowUp).sweep(mine, {"assigned_by": None}, follow=follow)

    def _left(self) -> Iterator[LeftOver]:
        """What still points at the leaver."""
        kit, me = self.unit.kit, self._leaver.id
        for collection, schema in kit.schemas.items():
            for field, target in schema.references.items():
                if target != "members" or (collection, field) in HISTORY:
                    continue
                pointer = POINTERS.get((collection, field))
                live = EVERYTHING if pointer is None else pointer.live
                many = self.unit.unscoped(schema.record).count((getattr(F, field) == me) & live)
                if many:
                    yield LeftOver(schema.name, field, many)
        many = self.unit.unscoped(ApprovalRequest).count(waiting_for(me))
        if many:
            yield LeftOver("ApprovalRequest", "waiting_for", many)

    def _in_policies(self) -> Iterator[str]:
        """Where the policy in force, or one that comes later, names the leaver."""
        found: dict[str, None] = {}
        for policy in self.unit.kit.policies.versions:
            later = policy.effective_from is not None and policy.effective_from > self.unit.now()
            if policy.version == self.unit.policy.version or later:
                found |= dict.fromkeys(named_in(policy, self._leaver.id))
        yield from found


def spread(
    ids: Sequence[Id], members: Sequence[Id], *, day: date, shares: Shares | None = None
) -> tuple[dict[Id, Id], Shares]:
    """By customer, which of *members* gets it, in parts that differ by one at the most; and what a next draw starts from."""
    plan = dispatch(
        [Item(id=id, name=id) for id in ids],
        [Candidate(id=member, name=member) for member in members],
        Strategy(("round_robin",)),
        shares,
        day=day,
    )
    return {one.item.id: one.member_id for one in plan.assignments if one.member_id is not None}, plan.shares


def named_in(policy: Policy, member_id: str) -> Iterator[str]:
    """Each place of *policy* that names the member."""
    yield from _named(policy, member_id, "")


def _named(value: Any, member_id: str, path: str) -> Iterator[str]:
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            inner = getattr(value, field.name)
            here = f"{path}.{field.name}".removeprefix(".")
            if field.name in _PEOPLE and isinstance(inner, tuple) and member_id in inner:
                yield here
            else:
                yield from _named(inner, member_id, here)
    elif isinstance(value, tuple):
        for one in value:
            yield from _named(one, member_id, f"{path}.{getattr(one, 'key', '')}".removesuffix("."))


def _shares(record: Customer | Opportunity, member_id: Id) -> bool:
    return any(one.member_id == member_id for one in record.collaborators)


def _inherited(record: Customer | Opportunity, leaver: Id, heir: Id) -> Iterator[Collaborator]:
    """The collaborators of *record* with the heir in the leaver's place: with the wider access, for the longer time."""
    mine = [one for one in record.collaborators if one.member_id in (leaver, heir)]
    yield from (one for one in record.collaborators if one.member_id not in (leaver, heir))
    if record.owner_id != heir:
        ends = [one.until for one in mine]
        yield Collaborator(
            member_id=heir,
            access="write" if any(one.access == "write" for one in mine) else "read",
            until=None if None in ends else max(end for end in ends if end is not None),
        )


def _chain(people: Directory, member: Member) -> set[Id]:
    """The managers above *member*."""
    seen: set[Id] = set()
    current = member.manager_id
    while current is not None and current not in seen:
        seen.add(current)
        above = people.member(current)
        current = None if above is None else above.manager_id
    return seen
