"""The approval machine: who is asked, what each vote comes to, and the sentence for it."""

from __future__ import annotations

from typing import Any

import pytest

from salescrm.entities import ApprovalRequest
from salescrm.labels import Label
from salescrm.policy import ApprovalFlow, ApprovalStep, Superior
from salescrm.rules import approving
from salescrm.rules.approval_verdicts import ApprovalDecision
from salescrm.values import Id
from tests.unit.staff import AT, Staff, draft, flow, step

STAFF = Staff(managers={"rep": "lead", "lead": "head", "owner": "boss"}, roles={"finance": ("fay", "finn")})


def begun(*steps: ApprovalStep, staff: Staff = STAFF, **given: Any) -> ApprovalRequest:
    """A request at its first step."""
    decision = approving.begin(draft(**given), flow(*steps), staff, at=AT)
    assert not decision.refused, decision.explain("en")
    return decision.request


def vote(
    request: ApprovalRequest, by: str, by_flow: ApprovalFlow | None = None, staff: Staff = STAFF
) -> ApprovalDecision:
    return approving.approve(request, by_flow or flow(), staff, by=Id(by), at=AT)


@pytest.mark.parametrize(
    "asked, who",
    [
        (step(members=("ann", "bo")), ("ann", "bo")),
        (step(members=(), roles=("finance",)), ("fay", "finn")),
        (step(members=("finn",), roles=("finance",)), ("finn", "fay")),
        (step(members=(), superiors=(Superior(),)), ("lead",)),
        (step(members=(), superiors=(Superior(levels=2),)), ("head",)),
        (step(members=(), superiors=(Superior(of="owner"),)), ("boss",)),
        (step(members=("ann",), superiors=(Superior(levels=3),)), ("ann",)),
    ],
)
def test_who_is_asked(asked: ApprovalStep, who: tuple[str, ...]) -> None:
    """Members, holders of roles, superiors; each once."""
    assert who == begun(asked).waiting_for


def test_who_has_left_is_not_asked() -> None:
    """A superior who has left does not count as a level."""
    staff = Staff(gone=frozenset({"ann", "lead"}), managers={"rep": "lead", "lead": "head"})
    asked = step(members=("ann", "bo"), superiors=(Superior(),))
    assert ("bo", "head") == begun(asked, staff=staff).waiting_for


def test_a_circle_of_managers_ends() -> None:
    staff = Staff(managers={"rep": "a", "a": "b", "b": "a"})
    assert ("ann",) == begun(step(superiors=(Superior(levels=9),)), staff=staff).waiting_for


def test_steps_go_in_order_and_the_last_approves() -> None:
    """Any-of goes on with the first approval, all-of with the last."""
    steps = flow(step("first", members=("ann", "bo")), step("second", members=("cy", "dee"), needs="all"))
    request = begun(*steps.steps)
    after = vote(request, "bo", steps)
    assert ("waiting", "second", ("cy", "dee")) == (
        after.verdict, after.request.step, after.request.waiting_for,
    )  # fmt: skip
    after = vote(after.request, "dee", steps)
    assert ("waiting", ("cy",)) == (after.verdict, after.request.waiting_for)
    after = vote(after.request, "cy", steps)
    assert ("approved", None, (), AT) == (
        after.verdict, after.request.step, after.request.waiting_for, after.request.decided_at,
    )  # fmt: skip
    assert [("requested", "rep", None), ("approved", "bo", "first"), ("approved", "dee", "second"), ("approved", "cy", "second")] == [
        (one.kind, one.by, one.step) for one in after.request.history
    ]  # fmt: skip


@pytest.mark.parametrize(
    "by, code", [("ann", "already-voted"), ("rep", "not-an-approver"), ("zoe", "not-an-approver")]
)
def test_who_may_not_vote(by: str, code: str) -> None:
    """A refusal leaves the request as it was."""
    both = flow(step(members=("ann", "bo"), needs="all"))
    request = vote(begun(*both.steps), "ann", both).request
    refused = vote(request, by, both)
    assert (code, True, request) == (refused.verdict, refused.refused, refused.request)


def test_one_rejection_ends_it() -> None:
    """Whatever the others said; the reason is kept."""
    both = flow(step(members=("ann", "bo"), needs="all"))
    request = vote(begun(*both.steps), "ann", both).request
    ended = approving.reject(request, both, STAFF, by=Id("bo"), at=AT, reason="太早")
    assert ("rejected", "rejected", "太早", ()) == (
        ended.verdict, ended.request.status, ended.request.outcome, ended.request.waiting_for,
    )  # fmt: skip
    assert "wrong-state" == vote(ended.request, "bo", both).verdict


def test_resubmitted_it_begins_anew_and_keeps_its_history() -> None:
    """Votes of the first round don't count in the second."""
    both = flow(step(members=("ann", "bo"), needs="all"))
    request = vote(begun(*both.steps), "ann", both).request
    rejected = approving.reject(request, both, STAFF, by=Id("bo"), at=AT, reason="太早").request
    assert "not-the-requester" == approving.resubmit(rejected, both, STAFF, by=Id("bo"), at=AT).verdict
    again = approving.resubmit(rejected, both, STAFF, by=Id("rep"), at=AT, note="现在可以")
    assert (2, "pending", ("ann", "bo"), None) == (
        again.request.round, again.request.status, again.request.waiting_for, again.request.outcome,
    )  # fmt: skip
    assert rejected.history == again.request.history[: len(rejected.history)]
    assert "waiting" == vote(again.request, "ann", both).verdict


def test_only_the_requester_withdraws() -> None:
    """And nobody can vote on it then."""
    request = begun()
    assert "not-the-requester" == approving.withdraw(request, flow(), STAFF, by=Id("ann"), at=AT).verdict
    gone = approving.withdraw(request, flow(), STAFF, by=Id("rep"), at=AT, note="不转了").request
    assert ("withdrawn", "不转了") == (gone.status, gone.outcome)
    assert "wrong-state" == vote(gone, "ann").verdict
    assert "wrong-state" == approving.resubmit(gone, flow(), STAFF, by=Id("rep"), at=AT).verdict


@pytest.mark.parametrize(
    "given, outcome",
    [
        ({"if_nobody": "refuse"}, ("nobody-fits", None)),
        ({"if_nobody": "skip"}, ("approved", None)),
        ({"if_nobody": "fallback", "fallback": ("boss", "zoe")}, ("waiting", ("boss",))),
        ({"if_nobody": "fallback", "fallback": ("zoe",)}, ("nobody-fits", None)),
        ({"if_nobody": "fallback", "fallback": ("rep",)}, ("nobody-fits", None)),
    ],
)
def test_a_step_that_nobody_fits(given: dict[str, Any], outcome: tuple[str, tuple[str, ...] | None]) -> None:
    """Refused at once, passed over, or asked of those named for it."""
    staff = Staff(gone=frozenset({"ann", "zoe"}))
    decision = approving.begin(draft(), flow(step(**given)), staff, at=AT)
    assert outcome == (decision.verdict, decision.request.waiting_for or None)


def test_a_later_step_that_nobody_fits_is_said_before_anybody_is_asked() -> None:
    steps = flow(step(), step("second", members=(), roles=("lawyer",)))
    decision = approving.begin(draft(), steps, STAFF, at=AT)
    assert ("nobody-fits", Label("Second", "步骤second")) == (decision.verdict, decision.step)


def test_a_role_that_was_emptied_meanwhile_keeps_the_step_open() -> None:
    """The vote that would lead there is refused, and not lost."""
    steps = flow(step(), step("second", members=(), roles=("finance",)))
    request = begun(*steps.steps)
    refused = vote(request, "ann", steps, Staff(gone=frozenset({"fay", "finn"})))
    assert ("nobody-fits", request) == (refused.verdict, refused.request)


@pytest.mark.parametrize(
    "given, outcome",
    [
        ({"if_requester": "superior"}, ("waiting", ("lead", "bo"))),
        ({"if_requester": "approve"}, ("approved", None)),
        ({"if_requester": "approve", "needs": "all"}, ("waiting", ("bo",))),
        ({"if_requester": "refuse"}, ("own-request", None)),
    ],
)
def test_a_requester_who_is_asked(given: dict[str, Any], outcome: tuple[str, tuple[str, ...] | None]) -> None:
    """Their superior is asked, their request counts, or it is refused."""
    decision = approving.begin(draft(), flow(step(members=("rep", "bo"), **given)), STAFF, at=AT)
    assert outcome == (decision.verdict, decision.request.waiting_for or None)


def test_whoever_stands_at_the_top_is_left_out() -> None:
    """The others decide; where there are none, nobody fits."""
    staff = Staff()
    assert ("bo",) == begun(step(members=("rep", "bo")), staff=staff).waiting_for
    alone = approving.begin(draft(), flow(step(members=("rep",))), staff, at=AT)
    assert "nobody-fits" == alone.verdict


def test_a_deputy_votes_once_and_says_for_whom() -> None:
    """Whose place they take can't vote any more; both seats of a step are two votes."""
    both = flow(step(members=("ann", "bo"), needs="all"))
    staff = Staff(deputies={"ann": "dee", "bo": "dee"})
    request = begun(*both.steps, staff=staff)
    after = vote(request, "dee", both, staff).request
    assert ("dee", "ann") == (after.history[-1].by, after.history[-1].for_id)
    assert "already-voted" == vote(after, "ann", both, staff).verdict
    done = vote(after, "dee", both, staff)
    assert ("approved", "bo") == (done.verdict, done.request.history[-1].for_id)


def test_a_requester_is_no_deputy_for_their_own_request() -> None:
    staff = Staff(deputies={"ann": "rep"})
    assert "not-an-approver" == vote(begun(staff=staff), "rep", staff=staff).verdict


def test_delegating_hands_the_seat_on() -> None:
    """Who gave it away has none."""
    request = begun()
    after = approving.delegate(request, flow(), STAFF, by=Id("ann"), to=Id("bo"), at=AT, note="出差").request
    assert (("bo",), ("delegated", "ann", "bo", "出差")) == (
        after.waiting_for,
        (after.history[-1].kind, after.history[-1].by, after.history[-1].to_id, after.history[-1].note),
    )
    assert "not-an-approver" == vote(after, "ann").verdict
    assert "approved" == vote(after, "bo").verdict


@pytest.mark.parametrize(
    "by, to, code",
    [
        ("zoe", "bo", "not-an-approver"),
        ("ann", "gus", "unknown-member"),
        ("ann", "rep", "own-request"),
        ("ann", "cy", "already-asked"),
        ("bo", "ann", "already-voted"),
    ],
)
def test_to_whom_one_can_not_delegate(by: str, to: str, code: str) -> None:
    three = flow(step(members=("ann", "bo", "cy"), needs="all"))
    staff = Staff(gone=frozenset({"gus"}))
    request = vote(begun(*three.steps, staff=staff), "bo", three, staff).request
    assert code == approving.delegate(request, three, staff, by=Id(by), to=Id(to), at=AT).verdict


def test_the_seat_of_who_left_is_left_to_somebody() -> None:
    """Who has one already keeps one."""
    both = flow(step(members=("ann", "bo"), needs="all"))
    request = begun(*both.steps)
    after = approving.delegate(
        request, both, STAFF, by=Id("boss"), to=Id("bo"), at=AT, seat=Id("ann")
    ).request
    assert (("bo",), "ann") == (after.waiting_for, after.history[-1].for_id)
    assert "approved" == vote(after, "bo", both).verdict


def test_a_step_that_the_policy_no_longer_has() -> None:
    """The request can still be withdrawn."""
    request, other = begun(), flow(step("other"))
    assert "step-gone" == vote(request, "ann", other).verdict
    assert "withdrawn" == approving.withdraw(request, other, STAFF, by=Id("rep"), at=AT).verdict


def test_decisions_explain_themselves() -> None:
    """In both languages, with names."""
    both = flow(step(members=("ann", "bo"), needs="all"))
    waiting = approving.begin(draft(), both, STAFF, at=AT)
    assert "客户转移（步骤first）：等待Ann、Bo审批" == waiting.explain("zh")
    assert "Transfer, step First: it waits for Ann, Bo" == waiting.explain("en")
    assert [(0, 2)] == [(one.value, one.threshold) for one in waiting.inputs]
    rejected = approving.reject(waiting.request, both, STAFF, by=Id("bo"), at=AT, reason="客户不同意")
    assert "客户转移：被Bo驳回，理由：客户不同意" == rejected.explain("zh")
    many = approving.begin(draft(), flow(step(members=tuple("abcdefg"))), STAFF, at=AT)
    assert "客户转移（步骤first）：等待A、B、C、D、E等7人审批" == many.explain("zh")
    assert "Transfer, step First: it waits for A, B, C, D, E and 2 more" == many.explain("en")
