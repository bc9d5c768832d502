"""What a move and an entry promise: what they do, and that a refusal names all that is missing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from salescrm.entities import Competitor, Opportunity, StageChange
from salescrm.errors import InvalidValue, MoveRefused, Unmet
from salescrm.events import (
    OpportunityLost,
    OpportunityMoved,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityWon,
)
from salescrm.kinds import Extra
from salescrm.query import F
from salescrm.stages import Pipeline, Requirement, enter, shipped
from salescrm.values import Id, Money
from tests.unit.pipelines import DAY, LI, LOOSE, NOON, STRICT, answers, deal, go, label, pipeline, stage


def refused(opportunity: Opportunity, to: str, where: Pipeline, **more: object) -> list[tuple[str, str]]:
    """The codes and subjects of everything that is missing."""
    with pytest.raises(MoveRefused) as refusal:
        go(opportunity, to, where, **more)
    return [(unmet.code, unmet.subject) for unmet in refusal.value.unmet]


class TestMoves:
    def test_a_step_forward(self) -> None:
        """The stage, when it was entered, its probability, the line of history and the event."""
        done = go(deal(amount=Money.of(5, "CNY")), "b", STRICT, note="sent")

        assert done.opportunity == deal(
            amount=Money.of(5, "CNY"),
            stage="b",
            furthest_stage="b",
            stage_entered_at=NOON + DAY,
            advanced_at=NOON + DAY,
        )
        assert done.change == StageChange(
            opportunity_id=Id("o1"),
            pipeline="p",
            kind="advanced",
            from_stage="a",
            to_stage="b",
            at=NOON + DAY,
            by=LI,
            note="sent",
            amount=Money.of(5, "CNY"),
        )
        assert done.event == OpportunityMoved(
            record_id=Id("o1"),
            pipeline="p",
            from_stage="a",
            to_stage="b",
            kind="advanced",
            amount=Money.of(5, "CNY"),
        )

    def test_winning(self) -> None:
        """Won in a won stage, at 100 %, at that moment, with the amount agreed."""
        done = go(
            deal(stage="c", probability=80, probability_overridden=True), "won", amount=Money.of(9, "CNY")
        )

        won = done.opportunity
        assert (won.status, won.closed_at, won.probability, won.probability_overridden) == (
            "won",
            NOON + DAY,
            100,
            False,
        )
        assert won.amount == done.change.amount == Money.of(9, "CNY")
        assert (done.change.kind, type(done.event)) == ("won", OpportunityWon)

    def test_losing(self) -> None:
        """Lost with its reason, at 0 %; how far it had come stays."""
        done = go(deal(stage="b", furthest_stage="c", probability=50), "lost", reason="price")

        lost = done.opportunity
        assert (lost.status, lost.closed_at, lost.probability, lost.lost_reason) == (
            "lost",
            NOON + DAY,
            0,
            "price",
        )
        assert lost.furthest_stage == "c"
        assert isinstance(done.event, OpportunityLost)
        assert done.event.reason == "price"

    def test_reopening(self) -> None:
        """Open again, as if it had not ended; the history knows."""
        lost = go(deal(stage="b", furthest_stage="b"), "lost", reason="price").opportunity

        done = go(lost, "b", at=NOON + 2 * DAY)

        assert (done.opportunity.status, done.opportunity.closed_at, done.opportunity.lost_reason) == (
            "open",
            None,
            None,
        )
        assert (done.change.kind, type(done.event)) == ("reopened", OpportunityReopened)

    def test_going_back_keeps_how_far_it_came(self) -> None:
        """A funnel counts what was reached."""
        done = go(deal(stage="c", furthest_stage="c"), "a")

        assert (done.change.kind, done.opportunity.furthest_stage) == ("went_back", "c")

    def test_skipping_is_called_so(self) -> None:
        """Whoever looks at the history sees that a stage was left out."""
        assert go(deal(), "c").change.kind == "skipped"

    def test_a_probability_given_by_hand_stays_while_open(self) -> None:
        """It is flagged, and moves do not lose it."""
        done = go(deal(probability=66, probability_overridden=True), "b")

        assert (done.opportunity.probability, done.opportunity.probability_overridden) == (66, True)

    def test_after_the_sale_it_stays_won_since_then(self) -> None:
        """From won to after-sales is a step, not a second win."""
        full = shipped()[2]
        won = deal(
            pipeline="full", stage="won", furthest_stage="won", status="won", closed_at=NOON, probability=100
        )

        done = go(won, "after_sales", full)

        assert (done.opportunity.status, done.opportunity.closed_at) == ("won", NOON)
        assert (done.change.kind, done.event.name) == ("advanced", "OpportunityMoved")

    @pytest.mark.parametrize(
        "at_stage, to, code",
        [
            ("a", "a", "already-there"),
            ("a", "c", "may-not-skip"),
            ("a", "won", "may-not-skip"),
            ("c", "b", "may-not-go-back"),
            ("won", "c", "may-not-reopen"),
            ("lost", "a", "may-not-reopen"),
            ("won", "lost", "reopen-first"),
            ("lost", "won", "reopen-first"),
        ],
    )
    def test_what_is_not_permitted_is_refused(self, at_stage: str, to: str, code: str) -> None:
        """Skipping, going back and reopening are permissions; a won one is never lost without reopening."""
        status = STRICT.stage(at_stage).kind
        assert refused(deal(stage=at_stage, status=status), to, STRICT) == [(code, to)]

    def test_even_a_permissive_pipeline_reopens_before_it_loses(self) -> None:
        """A won deal that is lost without a trace would falsify every report."""
        assert refused(deal(stage="won", status="won"), "lost", LOOSE) == [("reopen-first", "lost")]

    def test_a_stage_that_names_its_followers_leads_nowhere_else(self) -> None:
        """A list that leaves out the lost stage means it."""
        narrow = pipeline(
            stage("a", next=("b",)),
            stage("b", next=("won", "lost", "a")),
            stage("won", "won"),
            stage("lost", "lost"),
        )

        assert refused(deal(), "lost", narrow) == [("not-next", "lost")]
        assert go(deal(stage="b"), "a", narrow).change.kind == "went_back"

    def test_everything_unmet_is_named_at_once(self) -> None:
        """Who is refused knows the whole way."""
        demanding = pipeline(
            stage("a"),
            stage(
                "b",
                requires=("amount", "next_step", "extra.site"),
                note_required=True,
                evidence=("follow-up-since-last-move", "competitor-named", "accepted-quote"),
                conditions=(
                    Requirement(code="large", where=F.amount >= Money.of(100, "CNY"), label=label("Large")),
                ),
                roles=("manager",),
            ),
            stage("c"),
            stage("won", "won"),
            stage("lost", "lost", reason_required=True),
        )

        assert refused(
            deal(next_step=" "), "b", demanding, at=NOON - DAY, note=" ", roles=frozenset({"rep"})
        ) == [
            ("too-early", "2026-03-15T12:00:00.000+00:00"),
            ("field-missing", "amount"),
            ("field-missing", "next_step"),
            ("field-missing", "extra.site"),
            ("note-missing", "note"),
            ("evidence-missing", "follow-up-since-last-move"),
            ("evidence-missing", "competitor-named"),
            ("evidence-missing", "accepted-quote"),
            ("condition-unmet", "large"),
            ("role-missing", "manager"),
        ]
        assert refused(deal(), "lost", demanding, reason="") == [("reason-missing", "lost_reason")]
        ready = deal(
            next_step="call",
            extra=Extra({"site": "Hangzhou"}),
            competitors=(Competitor(name="Rival"),),
            last_follow_up_at=NOON,
        )
        done = go(
            ready,
            "b",
            demanding,
            note="go",
            roles=frozenset({"manager"}),
            facts=frozenset({"accepted-quote"}),
            amount=Money.of(100, "CNY"),
        )
        assert done.opportunity.stage == "b"

    def test_the_sentence_names_everything(self) -> None:
        """A person reads the whole of it."""
        strict = pipeline(
            stage("a"), stage("b", requires=("amount",), note_required=True), stage("won", "won")
        )
        with pytest.raises(MoveRefused) as refusal:
            go(deal(), "b", strict)

        assert (
            str(refusal.value)
            == "Opportunity 'o1' can't move to B: amount must be filled in; a note must be given"
        )
        assert refusal.value.unmet[0] == Unmet("field-missing", "amount", "{subject} must be filled in")

    def test_a_follow_up_before_the_last_move_is_no_evidence(self) -> None:
        """Each stage wants a conversation of its own."""
        asking = pipeline(
            stage("a"), stage("b", evidence=("follow-up-since-last-move",)), stage("won", "won")
        )
        early = NOON - timedelta(milliseconds=1)

        assert refused(deal(last_follow_up_at=early), "b", asking) == [
            ("evidence-missing", "follow-up-since-last-move")
        ]

    def test_wrong_arguments_are_not_refusals(self) -> None:
        """A stage that is not there, a reason for a deal that is not lost: the caller is wrong, not the deal."""
        with pytest.raises(InvalidValue, match="one of a, b, c, won, lost"):
            go(deal(), "d")
        with pytest.raises(InvalidValue, match="only a lost stage"):
            go(deal(), "b", reason="price")
        with pytest.raises(InvalidValue, match="the pipeline p"):
            go(deal(pipeline="other"), "b")
        with pytest.raises(InvalidValue, match="time zone"):
            go(deal(), "b", at=NOON.replace(tzinfo=None))


class TestEntering:
    def test_the_first_stage(self) -> None:
        """It is open there from that moment, and the history begins."""
        done = enter(
            deal(stage="", furthest_stage=""), pipeline=shipped()[0], at=NOON + DAY, by=LI, meets=answers
        )

        opened = done.opportunity
        assert (opened.pipeline, opened.stage, opened.furthest_stage) == (
            "standard",
            "initial_contact",
            "initial_contact",
        )
        assert (opened.status, opened.probability, opened.opened_at) == ("open", 10, NOON + DAY)
        assert (done.change.kind, done.change.from_stage) == ("entered", None)
        assert isinstance(done.event, OpportunityOpened)

    def test_a_later_stage_needs_the_permission_to_skip(self) -> None:
        """Starting in the middle is a skip; starting at the end is nothing."""
        assert (
            enter(deal(), pipeline=LOOSE, at=NOON, by=LI, meets=answers, stage="c").opportunity.stage == "c"
        )
        for to, code in (("c", "may-not-skip"), ("won", "not-open"), ("lost", "not-open")):
            with pytest.raises(MoveRefused) as refusal:
                enter(deal(), pipeline=STRICT, at=NOON, by=LI, meets=answers, stage=to)
            assert [unmet.code for unmet in refusal.value.unmet] == [code]

    def test_the_first_stage_may_ask_for_something_too(self) -> None:
        """What is opened without a customer may be worth nothing."""
        asking = pipeline(stage("a", requires=("customer_id",)), stage("won", "won"))
        with pytest.raises(MoveRefused):
            enter(deal(), pipeline=asking, at=NOON, by=LI, meets=answers)
