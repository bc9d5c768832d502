"""How long deals stay in their stages, exactly, and the one meaning of stalled."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from salescrm.entities import StageChange
from salescrm.stages import enter, history, is_stalled, stalled, time_by_stage, time_in_stage
from salescrm.values import Id
from tests.unit.pipelines import DAY, LI, LOOSE, NOON, STRICT, answers, deal, go, pipeline, stage


class TestAges:
    @given(
        st.integers(0, 10**10),
        st.integers(1, 10**10),
        st.sampled_from(["a", "b", "won", "lost", "gone"]),
        st.sampled_from(["p", "q"]),
    )
    def test_the_question_and_the_entity_agree_on_what_is_stalled(
        self, age: int, limit: int, at_stage: str, of: str
    ) -> None:
        """One meaning of ``>=``, to the millisecond."""
        aging = pipeline(
            stage("a", stalled_after=timedelta(milliseconds=limit)),
            stage("b", stalled_after=timedelta(milliseconds=age or 1)),
            stage("won", "won"),
            stage("lost", "lost"),
        )
        opportunity = deal(stage=at_stage, pipeline=of)
        now = NOON + timedelta(milliseconds=age)

        assert answers(opportunity, stalled(aging), now) == is_stalled(opportunity, pipeline=aging, now=now)

    def test_the_boundary(self) -> None:
        """Stalled at the limit, not a millisecond before."""
        aging = pipeline(stage("a", stalled_after=DAY), stage("won", "won"))
        short = NOON + DAY - timedelta(milliseconds=1)

        assert not is_stalled(deal(), pipeline=aging, now=short)
        assert not answers(deal(), stalled(aging), short)
        assert is_stalled(deal(), pipeline=aging, now=NOON + DAY)
        assert answers(deal(), stalled(aging), NOON + DAY)
        assert time_in_stage(deal(), now=short) == timedelta(milliseconds=86_399_999)

    def test_nothing_stalls_where_no_stage_has_an_age(self) -> None:
        """The question is there, and nothing answers it."""
        assert not answers(deal(), stalled(STRICT), NOON + 1000 * DAY)

    @given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8), st.integers(0, 10**9))
    def test_durations_add_up(self, offsets: list[int], later: int) -> None:
        """No millisecond is lost or counted twice, in whatever order the changes come."""
        changes = [
            StageChange(
                opportunity_id=Id("o1"),
                pipeline="p",
                kind="advanced",
                to_stage="ab"[n % 2],
                at=NOON + timedelta(milliseconds=offset),
                by=LI,
            )
            for n, offset in enumerate(offsets)
        ]
        until = NOON + timedelta(milliseconds=max(offsets) + later)

        stays = history(changes, until=until)

        assert sum((stay.duration for stay in stays), timedelta(0)) == until - stays[0].entered_at
        assert sum(time_by_stage(stays).values(), timedelta(0)) == until - stays[0].entered_at
        assert [stay.left_at for stay in stays] == [*(stay.entered_at for stay in stays[1:]), None]

    def test_history_as_it_was(self) -> None:
        """What came later is not known yet."""
        first = enter(deal(), pipeline=LOOSE, at=NOON, by=LI, meets=answers)
        second = go(first.opportunity, "b", at=NOON + DAY)

        stays = history([first.change, second.change], until=NOON + timedelta(hours=6))

        assert [(stay.stage, stay.left_at, stay.duration) for stay in stays] == [
            ("a", None, timedelta(hours=6))
        ]
