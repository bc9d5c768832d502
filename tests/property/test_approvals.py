"""Random votes on random approvals: a request is approved exactly when every step has what it needs, and nothing counts twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import strategies as st

from salescrm.entities import ApprovalRequest
from salescrm.policy import ApprovalFlow
from salescrm.rules import approving
from salescrm.values import Id
from tests.unit.staff import AT, Staff, draft, flow, step

PEOPLE = ("ann", "bo", "cy", "dee")

steps = st.lists(
    st.builds(
        lambda members, needs: {"members": tuple(members), "needs": needs},
        st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3, unique=True),
        st.sampled_from(["any", "all"]),
    ),
    min_size=1,
    max_size=3,
)
deputies = st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from([*PEOPLE, "rep"]), max_size=2)
member = st.sampled_from([*PEOPLE, "rep"])
actions = st.lists(
    st.one_of(
        st.tuples(st.just("approve"), member),
        st.tuples(st.just("approve"), st.sampled_from(PEOPLE)),
        st.tuples(st.just("delegate"), member, member),
        st.tuples(st.just("reject"), member),
        st.tuples(st.just("withdraw"), member),
        st.tuples(st.just("resubmit"), member),
    ),
    max_size=14,
)


def act(request: ApprovalRequest, by_flow: ApprovalFlow, staff: Staff, action: tuple[str, ...]) -> Any:
    kind, by, *to = action
    match kind:
        case "delegate":
            return approving.delegate(request, by_flow, staff, by=Id(by), to=Id(to[0]), at=AT)
        case "reject":
            return approving.reject(request, by_flow, staff, by=Id(by), at=AT, reason="no")
        case _:
            return getattr(approving, kind)(request, by_flow, staff, by=Id(by), at=AT)


def satisfied(request: ApprovalRequest, by_flow: ApprovalFlow) -> list[bool]:
    """By step, whether the history of this round has what it needs; a vote for a seat that isn't there is an error."""
    found = []
    for one in by_flow.steps:
        seats, votes = list(one.members), 0
        for entry in request.history:
            if (entry.round, entry.step) != (request.round, one.key):
                continue
            holder = entry.for_id or entry.by
            if entry.kind == "approved":
                seats.remove(holder)  # ValueError: it was voted for already
                votes += 1
            elif entry.kind == "delegated":
                seats[seats.index(holder)] = entry.to_id or ""
        found.append(votes > 0 if one.needs == "any" else not seats)
    return found


def test_votes_count_once_and_approve_together(examples: Callable[[int], hypothesis.settings]) -> None:
    """After each action, whoever acts; what is rejected or withdrawn never becomes approved by a vote."""

    @examples(300)
    @hypothesis.given(steps, deputies, actions)
    def check(given: list[dict[str, Any]], standing_in: dict[str, str], tried: list[tuple[str, ...]]) -> None:
        by_flow = flow(*(step(f"s{n}", **one) for n, one in enumerate(given)))
        staff = Staff(deputies=standing_in)
        request = approving.begin(draft(), by_flow, staff, at=AT).request
        for action in tried:
            decision = act(request, by_flow, staff, action)
            if decision.refused:
                assert request == decision.request
                continue
            assert request.status == "pending" or action[0] == "resubmit"
            assert request.history == decision.request.history[: len(request.history)]
            request = decision.request
            done = satisfied(request, by_flow)
            if request.status == "approved":
                assert all(done)
            elif request.status == "pending":
                at = [one.key for one in by_flow.steps].index(request.step or "")
                assert (all(done[:at]), done[at]) == (True, False)
                assert request.waiting_for
            assert (request.waiting_for == ()) == (request.status != "pending")

    check()
