"""What the approval engine promises, on every engine: who is asked and told, what is written, and that the act is done with the last vote or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import attrs
import pytest

from salescrm import (
    Crm,
    Customer,
    F,
    HookRefused,
    InvalidValue,
    NotFound,
    OutboxEvent,
    Policy,
    Refuse,
    StaleWrite,
    WorkEnded,
    hookimpl,
)
from salescrm.entities import ApprovalRequest, ChangeEntry, Notice
from salescrm.errors import ApprovalRefused, TransferRefused
from salescrm.labels import Label
from salescrm.locale import message
from salescrm.policy import ApprovalFlow, ApprovalStep, Superior
from salescrm.testing import Clock
from salescrm.values import Id

Connect = Callable[..., Crm]

LEAD = ApprovalStep(key="lead", label=Label("Manager", "主管"), superiors=(Superior(of="owner"),))
MONEY = ApprovalStep(key="money", label=Label("Finance", "财务"), roles=("finance",), needs="all")
STEPS = (LEAD, MONEY)


def policy(*steps: ApprovalStep, version: int = 1, **given: Any) -> Policy:
    """Transfers of A customers go through these steps."""
    fields: dict[str, Any] = {"where": F.level == "A"}
    flow = ApprovalFlow(
        key="move", label=Label("Transfer", "客户转移"), act="transfer", steps=steps or STEPS, **fields
    )
    return Policy(approvals=(flow,), version=version, **given)


@pytest.fixture
def crm(connect: Connect) -> Crm:
    """A team: rep and mate below lead, lead below head; fay and finn in finance."""
    return staffed(connect(policy=policy()))


def staffed(crm: Crm) -> Crm:
    with crm.begin(by="head") as work:
        work.members.add("head", name="Head")
        work.members.add("lead", name="Lead", manager_id="head")
        for rep in ("rep", "mate"):
            work.members.add(rep, name=rep.capitalize(), manager_id="lead")
        for one in ("fay", "finn"):
            work.members.add(one, name=one.capitalize(), roles=["finance"])
    return crm


def own(crm: Crm, name: str = "云帆科技", *, owner: str = "rep", level: str = "A") -> Customer:
    return crm.run(lambda work: work.customers.create(name=name, owner_id=owner, level=level), by=owner)


def ask(crm: Crm, *customers: Customer, by: str = "rep", to: str = "mate") -> ApprovalRequest:
    """A transfer that has to be approved."""

    def transfer(work: Any) -> ApprovalRequest:
        asked = work.transfers.transfer([one.id for one in customers], to=to, reason="区域调整").request
        assert asked is not None
        request: ApprovalRequest = asked
        return request

    return crm.run(transfer, by=by)


def look(crm: Crm, customer: Customer) -> Customer:
    return crm.run(lambda work: work.customers.get(customer.id), by="witness")


def notices(crm: Crm) -> set[tuple[str, str]]:
    with crm.begin(by="witness") as work:
        return {(one.member_id, one.kind) for one in work.repository(Notice).find(F.entity == "approvals")}


def test_what_waits_has_not_moved(crm: Crm, clock: Clock) -> None:
    """It is marked, the approver is told, and the request says everything."""
    acme = own(crm)
    request = ask(crm, acme)
    assert ("rep", True) == (look(crm, acme).owner_id, look(crm, acme).transfer_pending)
    assert ("pending", "lead", ("lead",), "rep", clock(), "区域调整", ("rep",)) == (
        request.status, request.step, request.waiting_for, request.requester_id, request.requested_at,
        request.reason, request.owner_ids,
    )  # fmt: skip
    assert {("lead", "approval-asked")} == notices(crm)
    with crm.begin(by="lead") as work:
        assert (request,) == work.approvals.waiting_for() == work.approvals.of(acme)
        assert () == work.approvals.waiting_for("fay")
        assert (request,) == work.approvals.pending()


def test_the_last_vote_moves_everything(crm: Crm) -> None:
    """Step by step; log and events tell of it."""
    acme = own(crm)
    request = ask(crm, acme)
    for by in ("lead", "finn", "fay"):
        assert "rep" == look(crm, acme).owner_id
        with crm.begin(by=by) as work:
            request = work.approvals.approve(request.id, note="同意")
    assert ("approved", ("mate", False)) == (
        request.status, (look(crm, acme).owner_id, look(crm, acme).transfer_pending),
    )  # fmt: skip
    assert [("requested", "rep"), ("approved", "lead"), ("approved", "finn"), ("approved", "fay")] == [
        (one.kind, one.by) for one in request.history
    ]
    with crm.begin(by="witness") as work:
        assert request == work.approvals.get(request.id)
        (entry,) = work.pools.ledger(acme)
        assert ("transferred", "rep", "mate", "区域调整") == (
            entry.kind,
            entry.from_id,
            entry.to_id,
            entry.reason,
        )
        told = [one.name for one in work.history.events(limit=50)]
        assert [
            "ApprovalRequested",
            "ApprovalGiven",
            "ApprovalGiven",
            "ApprovalGiven",
            "ApprovalGranted",
        ] == [name for name in told if name.startswith("Approval")]
        assert "CustomerTransferred" in told
        log = work.repository(ChangeEntry).count((F.entity == "approvals") & (F.record_id == request.id))
        assert 4 == log
    assert {("lead", "approval-asked"), ("fay", "approval-asked"), ("finn", "approval-asked"), ("rep", "approval-approved")} == notices(crm)  # fmt: skip


def test_what_needs_no_approval_moves_at_once(crm: Crm) -> None:
    """The policy's question decides; one customer for which it holds is enough for all."""
    small, large = own(crm, level="B"), own(crm)
    with crm.begin(by="rep") as work:
        done = work.transfers.transfer([small.id], to="mate", reason="忙")
        assert (None, False, ("mate",)) == (
            done.request,
            done.waits,
            tuple(one.owner_id for one in done.customers),
        )
    again = own(crm, level="C")
    ask(crm, again, large)
    assert ["rep", "rep"] == [look(crm, one).owner_id for one in (again, large)]


@pytest.mark.parametrize("by, code", [("rep", "not-an-approver"), ("fay", "not-an-approver")])
def test_others_may_not_vote(crm: Crm, by: str, code: str) -> None:
    """Nothing is written; the refusal says why in both languages."""
    request = ask(crm, own(crm))
    with pytest.raises(ApprovalRefused) as refusal:
        crm.run(lambda work: work.approvals.approve(request.id), by=by)
    assert code == refusal.value.code
    assert "不是“主管”的审批人" in message(refusal.value, "zh")
    with pytest.raises(ApprovalRefused):
        crm.run(lambda work: work.approvals.reject(request.id, reason="不"), by=by)
    assert request == crm.run(lambda work: work.approvals.get(request.id), by="witness")


def test_nobody_votes_twice(crm: Crm) -> None:
    request = ask(crm, own(crm))
    crm.run(lambda work: work.approvals.approve(request.id), by="lead")
    crm.run(lambda work: work.approvals.approve(request.id), by="fay")
    with pytest.raises(ApprovalRefused) as refusal:
        crm.run(lambda work: work.approvals.approve(request.id), by="fay")
    assert "already-voted" == refusal.value.code


def test_a_vote_on_what_has_moved_on_is_stale(crm: Crm) -> None:
    """Two who vote at once don't overwrite each other."""
    request = ask(crm, own(crm))
    request = crm.run(lambda work: work.approvals.approve(request.id), by="lead")
    crm.run(lambda work: work.approvals.approve(request.id), by="fay")
    with pytest.raises(StaleWrite), crm.begin(by="finn") as work:
        work.approvals.approve(request)
    done = crm.run(lambda work: work.approvals.approve(request.id), by="finn")
    assert "approved" == done.status


def test_rejected_with_a_reason_and_resubmitted(crm: Crm, clock: Clock) -> None:
    """The mark goes and comes; the steps begin anew; the history is kept."""
    acme = own(crm)
    request = ask(crm, acme)
    with pytest.raises(InvalidValue):
        crm.run(lambda work: work.approvals.reject(request.id, reason=" "), by="lead")
    rejected = crm.run(lambda work: work.approvals.reject(request.id, reason="太早"), by="lead")
    assert ("rejected", "太早", clock(), False, "rep") == (
        rejected.status, rejected.outcome, rejected.decided_at,
        look(crm, acme).transfer_pending, look(crm, acme).owner_id,
    )  # fmt: skip
    assert ("rep", "approval-rejected") in notices(crm)
    clock.tick(days=1)
    again = crm.run(lambda work: work.approvals.resubmit(request.id, note="再看"), by="rep")
    assert ("pending", 2, ("lead",), True) == (
        again.status, again.round, again.waiting_for, look(crm, acme).transfer_pending,
    )  # fmt: skip
    for by in ("lead", "fay", "finn"):
        crm.run(lambda work: work.approvals.approve(request.id), by=by)
    assert "mate" == look(crm, acme).owner_id
    done = crm.run(lambda work: work.approvals.get(request.id), by="witness")
    assert ["requested", "rejected", "resubmitted", "approved", "approved", "approved"] == [
        one.kind for one in done.history
    ]


def test_withdrawn_by_who_asked(crm: Crm) -> None:
    """Nobody votes any more, and another transfer may begin."""
    acme = own(crm)
    request = ask(crm, acme)
    with pytest.raises(ApprovalRefused) as refusal:
        crm.run(lambda work: work.approvals.withdraw(request.id), by="lead")
    assert "not-the-requester" == refusal.value.code
    crm.run(lambda work: work.approvals.withdraw(request.id, note="不转了"), by="rep")
    assert not look(crm, acme).transfer_pending
    assert ("lead", "approval-withdrawn") in notices(crm)
    for refused in (
        lambda work: work.approvals.approve(request.id),
        lambda work: work.approvals.reject(request.id, reason="不"),
        lambda work: work.approvals.delegate(request.id, to="head"),
    ):
        with pytest.raises(ApprovalRefused) as refusal:
            crm.run(refused, by="lead")
        assert "wrong-state" == refusal.value.code
    assert "pending" == ask(crm, acme).status


def test_what_can_not_be_done_any_more_is_not_approved(crm: Crm, connect: Connect) -> None:
    """The last approval isn't recorded either, and the Work goes on."""
    acme, other = own(crm), own(crm, "华东")
    request = ask(crm, acme, other)
    for by in ("lead", "fay"):
        crm.run(lambda work: work.approvals.approve(request.id), by=by)
    # Past the use cases, which refuse it: a host's own hand.
    crm.run(
        lambda work: work.repository(Customer).change(F.id == acme.id, {"owner_id": "head"}, limit=1),
        by="head",
    )
    crm.run(lambda work: work.members.deactivate(Id("mate")).id, by="head")
    with crm.begin(by="finn") as work:
        with pytest.raises(TransferRefused) as refusal:
            work.approvals.approve(request.id)
        assert ["inactive", "owner-changed"] == [one.code for one in refusal.value.unmet]
        assert ("pending", ("finn",)) == (
            work.approvals.get(request.id).status, work.approvals.get(request.id).waiting_for,
        )  # fmt: skip
    assert ("rep", True) == (look(crm, other).owner_id, look(crm, other).transfer_pending)
    crm.run(lambda work: work.approvals.reject(request.id, reason="已变"), by="finn")
    assert [False, False] == [look(crm, one).transfer_pending for one in (acme, other)]


def test_an_act_that_fails_half_way_takes_the_approval_with_it(crm: Crm, connect: Connect) -> None:
    """Whatever was written of either is rolled back."""

    class Guard:
        @hookimpl
        def transferring_customer(self, customer: Customer, to: str, reason: str) -> None:
            raise Refuse(f"{customer.name} stays, whatever {to} says: {reason}")

    guarded = connect(policy=policy(), plugins=[Guard()])
    acme = own(crm)
    request = ask(crm, acme)
    for by in ("lead", "fay"):
        crm.run(lambda work: work.approvals.approve(request.id), by=by)
    refused = pytest.raises(HookRefused, match="云帆科技 stays, whatever mate says: 区域调整")
    with pytest.raises(WorkEnded), guarded.begin(by="finn") as work, refused:
        work.approvals.approve(request.id)
    with crm.begin(by="witness") as work:
        assert ("pending", ("finn",)) == (
            work.approvals.get(request.id).status, work.approvals.get(request.id).waiting_for,
        )  # fmt: skip
        assert 0 == work.repository(OutboxEvent).count(F.name == "ApprovalGranted")


def test_delegated_to_somebody_else(crm: Crm) -> None:
    """Who is told, and whose turn it is then."""
    acme = own(crm)
    request = ask(crm, acme)
    with pytest.raises(ApprovalRefused) as refusal:
        crm.run(lambda work: work.approvals.delegate(request.id, to="nobody"), by="lead")
    assert "unknown-member" == refusal.value.code
    handed = crm.run(lambda work: work.approvals.delegate(request.id, to="head", note="出差"), by="lead")
    assert ("head",) == handed.waiting_for
    assert ("head", "approval-asked") in notices(crm)
    with crm.begin(by="head") as work:
        assert (handed,) == work.approvals.waiting_for()
        assert "money" == work.approvals.approve(request.id).step
        assert ["ApprovalDelegated"] == [
            one.name for one in work.history.events(F.name == "ApprovalDelegated", limit=9)
        ]


def test_a_deputy_stands_in_through_a_day(crm: Crm, clock: Clock) -> None:
    """In the policy's time zone; the one who is away may vote all the same."""
    today = crm.run(lambda work: work.today, by="lead")
    crm.run(lambda work: work.approvals.name_deputy("head", through=today).id, by="lead")
    first, second = ask(crm, own(crm)), ask(crm, own(crm, "华东"))
    assert ("head", "approval-asked") in notices(crm)
    with crm.begin(by="head") as work:
        assert (first, second) == work.approvals.waiting_for()
        voted = work.approvals.approve(first.id)
    assert ("head", "lead") == (voted.history[-1].by, voted.history[-1].for_id)
    assert "money" == crm.run(lambda work: work.approvals.approve(second.id), by="lead").step
    clock.tick(days=1)
    third = ask(crm, own(crm, "华南"))
    with crm.begin(by="head") as work:
        assert () == work.approvals.waiting_for()
        with pytest.raises(ApprovalRefused):
            work.approvals.approve(third.id)


def test_who_can_not_be_a_deputy(crm: Crm, clock: Clock) -> None:
    """Nobody, oneself, or in the past; nobody at all ends it."""
    today = crm.run(lambda work: work.today, by="lead")
    bad: tuple[tuple[Any, Any, type[Exception]], ...] = (
        ("nobody", today, InvalidValue),
        ("lead", today, InvalidValue),
        ("head", today - timedelta(days=1), InvalidValue),
        ("head", None, InvalidValue),
        (None, today, InvalidValue),
    )
    for deputy, through, error in bad:
        with crm.begin(by="lead") as work, pytest.raises(error):
            work.approvals.name_deputy(deputy, through=through)
    with pytest.raises(NotFound):
        crm.run(lambda work: work.approvals.name_deputy("head", through=today).id, by="stranger")
    crm.run(lambda work: work.approvals.name_deputy("head", through=today).id, by="lead")
    none = crm.run(lambda work: work.approvals.name_deputy(None), by="lead")
    assert (None, None) == (none.deputy_id, none.deputy_through)


def test_who_asks_is_not_asked(crm: Crm) -> None:
    """The manager's request goes to the manager's manager."""
    assert ("head",) == ask(crm, own(crm), by="lead").waiting_for


def test_a_request_that_is_nobody_elses_business_is_done_at_once(connect: Connect) -> None:
    """By the policy's own word; it is kept all the same."""
    step = attrs.evolve(LEAD, if_requester="approve")
    crm = staffed(connect(policy=policy(step)))
    acme = own(crm)
    with crm.begin(by="lead") as work:
        done = work.transfers.transfer([acme.id], to="mate", reason="调整")
    assert (False, ["mate"]) == (done.waits, [one.owner_id for one in done.customers])
    assert done.request is not None
    assert ("approved", ["requested", "approved"]) == (
        done.request.status, [one.kind for one in done.request.history],
    )  # fmt: skip
    assert not look(crm, acme).transfer_pending


def test_where_nobody_can_approve_nothing_is_asked(connect: Connect) -> None:
    """Refused before anything is written."""
    crm = staffed(connect(policy=policy(attrs.evolve(MONEY, roles=("lawyer",)))))
    acme = own(crm)
    with pytest.raises(ApprovalRefused) as refusal:
        ask(crm, acme)
    assert "nobody-fits" == refusal.value.code
    with crm.begin(by="witness") as work:
        assert 0 == work.approvals.count()
        assert acme == work.customers.get(acme.id)


def test_a_request_ends_by_the_policy_it_began_under(connect: Connect, clock: Clock) -> None:
    """Resubmitted, it goes by the policy of then."""
    later = clock() + timedelta(days=1)
    crm = staffed(connect(policy=[policy(LEAD), policy(LEAD, MONEY, version=2, effective_from=later)]))
    first, second = ask(crm, own(crm)), ask(crm, own(crm, "华东"))
    clock.tick(days=2)
    assert "approved" == crm.run(lambda work: work.approvals.approve(first.id), by="lead").status
    crm.run(lambda work: work.approvals.reject(second.id, reason="不"), by="lead")
    again = crm.run(lambda work: work.approvals.resubmit(second.id), by="rep")
    assert (2, "lead") == (again.policy_version, again.step)
    assert "money" == crm.run(lambda work: work.approvals.approve(second.id), by="lead").step


def test_a_request_whose_approval_is_gone_can_only_be_withdrawn(connect: Connect) -> None:
    """Nobody knows who would have to say what."""
    crm = staffed(connect(policy=policy()))
    acme = own(crm)
    request = ask(crm, acme)
    without = connect(policy=Policy(version=2))
    with pytest.raises(ApprovalRefused) as refusal:
        without.run(lambda work: work.approvals.approve(request.id), by="lead")
    assert "step-gone" == refusal.value.code
    assert "withdrawn" == without.run(lambda work: work.approvals.withdraw(request.id), by="rep").status
    assert not look(crm, acme).transfer_pending


def test_of_several_who_approve_at_once_one_moves_it(connect: Connect) -> None:
    """The others are told that it is no longer theirs to say; the ledger has one line."""
    names = [f"m{n}" for n in range(4)]
    crm = staffed(connect(policy=policy(attrs.evolve(LEAD, members=tuple(names), superiors=()))))
    with crm.begin(by="head") as work:
        for name in names:
            work.members.add(name, name=name)
    acme = own(crm)
    request = ask(crm, acme)
    ready = Barrier(len(names))

    def approve(name: str) -> str:
        ready.wait()
        try:
            return crm.run(lambda work: work.approvals.approve(request.id), by=name, attempts=50).status
        except ApprovalRefused as refusal:
            return refusal.code

    with ThreadPoolExecutor(len(names)) as pool:
        said = sorted(pool.map(approve, names))
    assert ["approved", "wrong-state", "wrong-state", "wrong-state"] == said
    with crm.begin(by="witness") as work:
        assert (1, "mate") == (len(work.pools.ledger(acme)), work.customers.get(acme.id).owner_id)
        assert 2 == len(work.approvals.get(request.id).history)


def test_another_tenants_requests_are_not_there(connect: Connect) -> None:
    """Nor can they be voted on."""
    crm = staffed(connect(policy=policy()))
    request = ask(crm, own(crm))
    other = crm.for_tenant("other")
    with other.begin(by="lead") as work:
        assert () == work.approvals.waiting_for()
        with pytest.raises(NotFound):
            work.approvals.approve(request.id)
    with pytest.raises(InvalidValue):
        other.run(lambda work: work.approvals.approve(request), by="lead")
