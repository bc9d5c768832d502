"""
How customers go from one member to another, with what goes along; and how they wait while that is not approved.

Whoever calls it has decided that it may be; what stands in the way of doing it is found here, all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from salescrm import jsonable
from salescrm.entities import ApprovalRequest, Collaborator, Customer, FollowUp, Member, Notice, Opportunity
from salescrm.entities.customers import Access
from salescrm.errors import StaleWrite, TransferRefused, Unmet
from salescrm.events import CustomerEdited, Event, FollowUpEdited, OpportunityEdited
from salescrm.query import F
from salescrm.services.ownership import Ownership
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment
from salescrm.whole import whole

__all__ = ["EVERYTHING_ALONG", "Along", "Parcel", "Terms", "Transferring"]

#: What may go along with a customer: its open opportunities and planned follow-ups that are the old owner's, and the
#: rights of those with whom the old owner shared it.
Along: TypeAlias = Literal["opportunities", "follow_ups", "collaborators"]
EVERYTHING_ALONG: Final[tuple[Along, ...]] = get_args(Along)
#: How many ids one question asks for.
_AT_ONCE: Final = 500


@attrs.frozen(kw_only=True)
class Parcel:
    """Customers that go from one owner to another."""

    from_id: Id
    to_id: Id
    customer_ids: tuple[Id, ...]


@attrs.frozen(kw_only=True)
class Terms:
    """What happens beside the change of owner: what goes *along*, and what access the old owner keeps *until* when."""

    reason: str | None
    along: tuple[Along, ...] = EVERYTHING_ALONG
    keep_access: Access | None = None
    until: Moment | None = None


@attrs.frozen(kw_only=True)
class _Data:
    """What a request for approval holds."""

    parcels: tuple[Parcel, ...]
    terms: Terms


class Transferring:
    """Transfers in one Work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.unscoped(Customer)
        self._members = unit.unscoped(Member)

    def data(self, parcels: Sequence[Parcel], terms: Terms) -> dict[str, Any]:
        """The transfer as a request for approval holds it."""
        plain: dict[str, Any] = jsonable.unstructure(_Data(parcels=tuple(parcels), terms=terms))
        return plain

    def parcels_of(self, request: ApprovalRequest) -> tuple[Parcel, ...]:
        """What the *request* is to move."""
        return self._data(request).parcels

    def problems(
        self, parcels: Sequence[Parcel], known: Mapping[Id, Customer], *, pending: bool
    ) -> Iterator[Unmet]:
        """
        Everything that stands in the way of moving *parcels*, whose customers are *known* as they are now.

        *pending*: they wait for the approval of this very transfer, and for no other.
        """
        for parcel in parcels:
            for id in parcel.customer_ids:
                customer = known.get(id)
                if customer is None:
                    yield Unmet("unknown-customer", str(id)[:80], "there is no customer {subject}")
                elif customer.owner_id is None:
                    yield Unmet("not-owned", customer.number, "nobody owns {subject}")
                elif customer.owner_id != parcel.from_id:
                    yield Unmet("owner-changed", customer.number, "{subject} has another owner by now")
                elif customer.owner_id == parcel.to_id:
                    yield Unmet("own-customer", customer.number, "{subject} is theirs already")
                elif customer.transfer_pending and not pending:
                    yield Unmet(
                        "pending", customer.number, "{subject} waits for the approval of another transfer"
                    )

    def member_problems(self, ids: Sequence[Id]) -> Iterator[Unmet]:
        """Why those members can't be given anything."""
        found = self._members.many(ids)
        for id in ids:
            if id not in found:
                yield Unmet("unknown-member", str(id)[:80], "there is no member {subject}")
            elif not found[id].active:
                yield Unmet("inactive", found[id].name, "{subject} does not work here any more")

    @whole
    def move(
        self,
        parcels: Sequence[Parcel],
        known: Mapping[Id, Customer],
        terms: Terms,
        *,
        tell: bool = True,
    ) -> tuple[Customer, ...]:
        """
        The customers of *parcels* in their new owners' hands, all of them, in the order of the parcels.

        The new owners are given a notice, unless the caller wants to *tell* them itself.

        Raises:
            StaleWrite: One of them has changed since it was read.
            HookRefused: A plugin does not want one of them to go.
        """
        unit, moved = self.unit, list[Customer]()
        if unit.kit.hooks.listens_to_transfers:
            for parcel in parcels:
                for id in parcel.customer_ids:
                    unit.kit.hooks.transferring(unit, known[id], parcel.to_id, terms.reason)
        for parcel in parcels:
            wanted = [known[id] for id in parcel.customer_ids]
            given = Ownership(unit).give(
                wanted,
                parcel.to_id,
                kind="transferred",
                reason=terms.reason,
                also=lambda customer, parcel=parcel: _beside(customer, parcel, terms),  # type: ignore[misc]  # bound now
            )
            if len(given) < len(wanted):
                there = {one.id for one in given}
                self._beaten(next(one for one in wanted if one.id not in there))
            moved += given
            self._bring(parcel, terms)
        if tell:
            self._tell(parcels, terms)
        return tuple(moved)

    def read(self, parcels: Sequence[Parcel]) -> dict[Id, Customer]:
        """The customers of *parcels* as they are now, whoever may see them."""
        return self._customers.many(id for parcel in parcels for id in parcel.customer_ids)

    # What the approval engine calls; see `acts`.

    def hold(self, request: ApprovalRequest) -> None:
        """
        Marks the customers of *request* as waiting for its approval.

        Raises:
            TransferRefused: It could not be done as it is; every reason is named.
            StaleWrite: One of them has changed hands just now.
        """
        data = self._data(request)
        known = self.read(data.parcels)
        self._require(data, known, pending=False)
        for parcel in data.parcels:
            for ids in _parts(parcel.customer_ids):
                free = (F.owner_id == parcel.from_id) & (F.transfer_pending == False)  # noqa: E712  # a condition
                if self._mark(F.id.one_of(ids) & free, pending=True) < len(ids):
                    self._beaten(known[ids[0]])

    def prepare(self, request: ApprovalRequest) -> Callable[[], None]:
        """
        What does the transfer that *request* asked for, which is approved.

        Raises:
            TransferRefused: It can't be done any more; every reason is named, and nothing was written.
        """
        data = self._data(request)
        known = self.read(data.parcels)
        self._require(data, known, pending=True)

        def deed() -> None:
            self.move(data.parcels, known, data.terms)

        return deed

    def drop(self, request: ApprovalRequest) -> None:
        """The customers of *request* no longer wait."""
        for parcel in self.parcels_of(request):
            for ids in _parts(parcel.customer_ids):
                waits = F.transfer_pending == True  # noqa: E712  # a condition
                self._mark(F.id.one_of(ids) & waits, pending=False)

    def _data(self, request: ApprovalRequest) -> _Data:
        data: _Data = jsonable.structure(request.data, _Data)
        return data

    def _require(self, data: _Data, known: Mapping[Id, Customer], *, pending: bool) -> None:
        targets = tuple(dict.fromkeys(parcel.to_id for parcel in data.parcels))
        unmet = (*self.member_problems(targets), *self.problems(data.parcels, known, pending=pending))
        if unmet:
            raise TransferRefused(unmet)

    def _mark(self, where: Any, *, pending: bool) -> int:
        def follow(customer: Customer, fired: tuple[str, ...]) -> tuple[Event, ...]:
            return (CustomerEdited(record_id=customer.id, fields=("transfer_pending",)),)

        return self._customers.sweep(where, {"transfer_pending": pending}, follow=follow)

    def _beaten(self, customer: Customer) -> None:
        self.unit.fail()
        raise StaleWrite("Customer", customer.id, customer.version)

    def _bring(self, parcel: Parcel, terms: Terms) -> None:
        """What goes along with the customers of *parcel*."""
        unit = self.unit

        def deal_went(deal: Opportunity, fired: tuple[str, ...]) -> tuple[Event, ...]:
            return (OpportunityEdited(record_id=deal.id, fields=("owner_id",)),)

        def task_went(task: FollowUp, fired: tuple[str, ...]) -> tuple[Event, ...]:
            return (FollowUpEdited(record_id=task.id, fields=("assignee_id", "assigned_by")),)

        for ids in _parts(parcel.customer_ids):
            theirs = F.customer_id.one_of(ids)
            if "opportunities" in terms.along:
                open_ones = theirs & (F.owner_id == parcel.from_id) & (F.status == "open")
                unit.unscoped(Opportunity).sweep(open_ones, {"owner_id": parcel.to_id}, follow=deal_went)
            if "follow_ups" in terms.along:
                planned = theirs & (F.assignee_id == parcel.from_id) & (F.status == "planned")
                by = None if parcel.to_id == unit.member else unit.member
                values = {"assignee_id": parcel.to_id, "assigned_by": by}
                unit.unscoped(FollowUp).sweep(planned, values, follow=task_went)

    def _tell(self, parcels: Sequence[Parcel], terms: Terms) -> None:
        """Each new owner is told once, however many customers they get."""
        notices: list[Notice] = []
        for to in dict.fromkeys(parcel.to_id for parcel in parcels):
            mine = [parcel for parcel in parcels if parcel.to_id == to and parcel.customer_ids]
            if not mine or to == self.unit.member:
                continue
            notices.append(
                Notice(
                    member_id=to,
                    kind="transferred",
                    entity="customers",
                    record_id=mine[0].customer_ids[0],
                    data={
                        "customers": sum(len(parcel.customer_ids) for parcel in mine),
                        "from": [parcel.from_id for parcel in mine],
                        "reason": terms.reason,
                    },
                )
            )
        if notices:
            self._customers.tell([], notices)


def _parts(ids: Sequence[Id]) -> Iterator[Sequence[Id]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _beside(customer: Customer, parcel: Parcel, terms: Terms) -> dict[str, Any]:
    """What else becomes of *customer*: it waits no longer, and is shared with whom the terms say."""
    fields: dict[str, Any] = {"transfer_pending": False} if customer.transfer_pending else {}
    gone = {parcel.to_id, parcel.from_id} if terms.keep_access else {parcel.to_id}
    kept = customer.collaborators if "collaborators" in terms.along else ()
    people = tuple(one for one in kept if one.member_id not in gone)
    if terms.keep_access:
        stays = Collaborator(member_id=parcel.from_id, access=terms.keep_access, until=terms.until)
        people = (*people, stays)
    if people != customer.collaborators:
        shared = attrs.evolve(customer, collaborators=people).shared()
        fields |= {"collaborators": people, "shared_until": shared.shared_until}
    return fields
