"""Transfers: customers from one member to others, after an approval where the policy says so; the handover of who leaves is in `handover`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TypeAlias, get_args

import attrs

from salescrm.calendars import start_of_day
from salescrm.entities import ApprovalRequest, Customer, Member
from salescrm.entities.customers import Access
from salescrm.errors import Forbidden, InvalidValue, TransferRefused, Unmet
from salescrm.query import F
from salescrm.services.approvals import ApprovalService
from salescrm.services.claimers import Claimers
from salescrm.services.handover import HandedOver, Handover, spread
from salescrm.services.transferring import EVERYTHING_ALONG, Along, Parcel, Terms, Transferring
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment, clean_text
from salescrm.whole import whole

__all__ = ["Target", "TransferService", "Transferred"]

#: Whom customers go to: a member, several who get fair parts, or exactly which go to whom.
Target: TypeAlias = str | Sequence[str] | Mapping[str, Iterable[Customer | Id]]

_LONGEST = 20_000


@attrs.frozen(kw_only=True)
class Transferred:
    """
    What came of a transfer.

    Attributes:
        customers: As they now are, in their new owners' hands; none of them while the transfer waits.
        request: What waits for approval, or was approved at once; None where the policy asks for none.
    """

    customers: tuple[Customer, ...] = ()
    request: ApprovalRequest | None = None

    @property
    def waits(self) -> bool:
        """Whether nothing has moved yet."""
        return self.request is not None and self.request.status == "pending"


class TransferService:
    """Customers that change hands."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.repository(Customer)
        self._transferring = Transferring(unit)

    @whole
    def transfer(
        self,
        customers: Iterable[Customer | Id] | None = None,
        *,
        to: Target,
        reason: str,
        of: str | None = None,
        along: Iterable[Along] = EVERYTHING_ALONG,
        keep_access: Access | None = None,
        until: date | None = None,
    ) -> Transferred:
        """
        *customers*, or all that the member *of* has, in the hands of *to*: all of them, or none.

        To several members they go in fair parts, one after another; a mapping says exactly which go to whom.  Caps of
        pools don't bind a transfer, for it is no claim.  Where the policy asks for an approval nothing moves until it is
        given, and then everything does, in the transaction of the last approval; until then no other transfer of
        theirs can begin.

        Args:
            along: What of the old owner's goes along: open opportunities, planned follow-ups, and the rights of those
                with whom the customer is shared.
            keep_access: What the old owner may still do with the customers, through the day *until* or for good.

        Raises:
            TransferRefused: There is no such customer or member, or they can't be taken or given; every reason is named.
            ApprovalRefused: The policy asks for an approval that nobody can give.
            Forbidden: The acting member may not change one of them.
            InvalidValue: No reason is given, or nothing that could be moved, or to nobody.
            StaleWrite: Somebody else changed one of them just now.
        """
        terms = self._terms(reason, along, keep_access, until)
        if of is not None:
            claimers = Claimers(self.unit)
            claimers.take_turn(claimers.known_as(of))  # nobody else moves all that they have meanwhile
        wanted = self._wanted(customers, of, to)
        known = self._read(wanted)
        targets = tuple(dict.fromkeys(map(Id, (to,) if isinstance(to, str) else to)))
        parcels = self._parcels(wanted, known, to, targets)
        unmet = [
            *self._transferring.member_problems(targets),
            *self._transferring.problems(parcels, known, pending=False),
        ]
        if not isinstance(to, str | Mapping) and len(targets) > 1:
            unmet += _among(targets, known, unmet)
        if unmet:
            raise TransferRefused(tuple(unmet))
        self._require(known)
        if not known:
            return Transferred()
        approvals = self.unit.service(ApprovalService)
        flow = approvals.flow_for("transfer", known.values())
        if flow is None:
            return Transferred(customers=self._transferring.move(parcels, known, terms))
        request = approvals.request(
            flow,
            self._transferring.data(parcels, terms),
            about=tuple(known.values()),
            owners=[parcel.from_id for parcel in parcels],
            reason=terms.reason,
        )
        if request.status == "pending":
            return Transferred(request=request)
        moved = self._customers.many(known)
        return Transferred(customers=tuple(moved[id] for id in known if id in moved), request=request)

    @whole
    def hand_over(
        self, member: Member | str, *, to: str | Sequence[str], reason: str | None = None
    ) -> HandedOver:
        """
        Everything that points at *member* with *to*, and *member* inactive: they leave, and leave nothing behind.

        Customers go to several successors in fair parts, with their open opportunities and planned follow-ups; the rest,
        such as the teams they lead, goes to the first.  What they did stays theirs: closed deals, done follow-ups, the
        ledger, the log, votes.  It asks for no approval, and withdraws what waits for one and is about their customers.

        Raises:
            NotFound: There is no such member.
            TransferRefused: A successor is unknown, inactive, or the member; every reason is named.
            LeftBehind: Something would still point at them; it is listed, and all is rolled back.
            InvalidValue: There is no successor.
        """
        leaver = member if isinstance(member, Member) else self.unit.repository(Member).get(Id(member))
        heirs = tuple(dict.fromkeys(map(Id, (to,) if isinstance(to, str) else to)))
        if not heirs:
            raise InvalidValue("Transfer", "to", to, "at least one member")
        unmet = list(self._transferring.member_problems(heirs))
        if leaver.id in heirs:
            unmet.append(Unmet("own-successor", leaver.name, "{subject} can't be their own successor"))
        if unmet:
            raise TransferRefused(tuple(unmet))
        why = (
            None
            if reason is None
            else clean_text(reason, entity="OwnershipEntry", field="reason", limit=_LONGEST)
        )
        return Handover(self.unit, leaver, heirs, why).run()

    def _terms(
        self, reason: str, along: Iterable[Along], keep_access: Access | None, until: date | None
    ) -> Terms:
        why = clean_text(reason, entity="OwnershipEntry", field="reason", limit=_LONGEST)
        if not why.strip():
            raise InvalidValue("OwnershipEntry", "reason", reason, "why it is transferred")
        goes = tuple(dict.fromkeys(along))
        for one in goes:
            if one not in EVERYTHING_ALONG:
                raise InvalidValue("Transfer", "along", one, "opportunities, follow_ups or collaborators")
        if keep_access is not None and keep_access not in get_args(Access):
            raise InvalidValue("Transfer", "keep_access", keep_access, "read or write")
        return Terms(reason=why, along=goes, keep_access=keep_access, until=self._until(keep_access, until))

    def _until(self, keep_access: Access | None, until: date | None) -> Moment | None:
        if until is None:
            return None
        if keep_access is None:
            raise InvalidValue("Transfer", "until", until, "nothing, where no access is kept")
        if type(until) is not date or until < self.unit.today:
            raise InvalidValue("Transfer", "until", until, "a day that is not past")
        return start_of_day(until + timedelta(days=1), self.unit.zone)

    def _wanted(
        self, customers: Iterable[Customer | Id] | None, of: str | None, to: Target
    ) -> list[Customer | Id]:
        """What is to be moved, each once, as the caller named it."""
        if isinstance(to, Mapping):
            if customers is not None or of is not None:
                raise InvalidValue(
                    "Transfer", "customers", customers, "nothing, where a mapping says what goes to whom"
                )
            named = [one for some in to.values() for one in some]
            ids = [_id(one) for one in named]
            if twice := [id for id in dict.fromkeys(ids) if ids.count(id) > 1]:
                raise InvalidValue("Transfer", "customers", twice[0], "each customer once")
            return named
        if (customers is None) == (of is None):
            raise InvalidValue(
                "Transfer", "customers", customers, "either customers, or a member whose they are"
            )
        if not (to if isinstance(to, str) else tuple(to)):
            raise InvalidValue("Transfer", "to", to, "at least one member")
        if of is not None:
            return list(self._customers.stream(F.owner_id == of, order=[F.id]))
        return list({_id(one): one for one in customers or ()}.values())

    def _read(self, wanted: Sequence[Customer | Id]) -> dict[Id, Customer]:
        """The customers as they are now, in their order, by id; those that the member can't see are missing."""
        # A record of another tenant is none of ours, whatever its id.
        ours = [_id(one) for one in wanted if not isinstance(one, Customer) or one.tenant == self.unit.tenant]
        found = self._customers.many(ours)
        return {id: found[id] for id in ours if id in found}

    def _parcels(
        self,
        wanted: Sequence[Customer | Id],
        known: Mapping[Id, Customer],
        to: Target,
        targets: Sequence[Id],
    ) -> tuple[Parcel, ...]:
        ids = [_id(one) for one in wanted]
        if isinstance(to, Mapping):
            goes = {_id(one): Id(member) for member, some in to.items() for one in some}
        elif len(targets) == 1:
            goes = dict.fromkeys(ids, targets[0])
        else:
            goes, _ = spread(ids, targets, day=self.unit.today)
        parts: dict[tuple[Id, Id], list[Id]] = {}
        for id in ids:
            owner = known[id].owner_id if id in known else None
            parts.setdefault((owner or Id(""), goes[id]), []).append(id)
        return tuple(
            Parcel(from_id=owner, to_id=target, customer_ids=tuple(some))
            for (owner, target), some in parts.items()
        )

    def _require(self, known: Mapping[Id, Customer]) -> None:
        allowed = self._customers.allowed(known, "save")
        for id in known:
            if id not in allowed:
                raise Forbidden(self.unit.member, "save", "Customer", id)


def _id(customer: Customer | Id) -> Id:
    return customer.id if isinstance(customer, Customer) else customer


def _among(targets: Sequence[Id], known: Mapping[Id, Customer], said: Sequence[Unmet]) -> list[Unmet]:
    """Customers of somebody who is to get a part of them: whether they got their own would be chance."""
    told = {(one.code, one.subject) for one in said}
    theirs = [one.number for one in known.values() if one.owner_id in targets]
    found = [Unmet("own-customer", number, "{subject} is theirs already") for number in theirs]
    return [one for one in found if (one.code, one.subject) not in told]
