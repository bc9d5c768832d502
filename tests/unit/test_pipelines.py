"""Which pipelines are refused, which ship, and how one is drawn."""

from __future__ import annotations

import attrs
import pytest

from salescrm.errors import InvalidDefinition
from salescrm.labels import Label
from salescrm.stages import Pipeline, Stage, shipped, to_mermaid
from tests.unit.pipelines import DAY, STRICT, pipeline, stage


class TestDefinitions:
    @pytest.mark.parametrize(
        "stages, problem",
        [
            ((stage("a"), stage("a"), stage("won", "won")), "2 stages have the key a"),
            ((stage("a", initial=True), stage("b", initial=True), stage("won", "won")), "more than one initial stage: a, b"),
            ((stage("won", "won"),), "there is no open stage to start in"),
            ((stage("a"), stage("lost", "lost")), "there is no won stage to end in"),
            ((stage("a", next=("b", "won")), stage("b", next=("b2",)), stage("won", "won")), "stage b leads to b2, which is no stage; nearest: b"),
            ((stage("a", next=("won",)), stage("b"), stage("won", "won")), "stage b can't be reached from a"),
            ((stage("a"), stage("b", next=()), stage("won", "won")), "stage b has no way to a won or lost stage"),
            ((stage("a", next=("a", "won")), stage("won", "won")), "stage a leads to itself"),
            ((stage("a"), stage("won", "won"), stage("b")), "stage b is open but stands after the won stage won"),
            ((stage("a", probability=101), stage("won", "won")), "stage a has the probability 101; 0 to 100 is wanted"),
            ((stage("a", probability=True), stage("won", "won")), "stage a has the probability True; 0 to 100 is wanted"),
            ((stage("a", probability=60), stage("b", probability=40), stage("won", "won")), "the probability falls from 60 in a to 40 in b"),
            ((stage("a"), stage("won", "won", probability=90)), "stage won is won, so its probability is 100, not 90"),
            ((stage("a"), stage("won", "won"), stage("lost", "lost", probability=5)), "stage lost is lost, so its probability is 0, not 5"),
            ((stage("a"), stage("won", "won", next=("lost",)), stage("lost", "lost")), "stage won is won and leads to lost, which is lost; reopen between them"),
            ((stage("a", requires=("amout",)), stage("won", "won")), "stage a requires amout, which an opportunity does not have; nearest: amount"),
            ((stage("a", reason_required=True), stage("won", "won")), "stage a asks for a lost reason, but is not lost"),
            ((stage("a", evidence=("Quote",)), stage("won", "won")), "stage a: 'Quote' is no code; small letters, digits and hyphens are wanted"),
            ((stage("a"), stage("won", "won", stalled_after=DAY)), "stage won is won; only an open stage can stall"),
            ((stage(" "), stage("won", "won")), "' ' is no key; 1 to 64 characters that show are wanted"),
        ],
    )  # fmt: skip
    def test_what_contradicts_itself_is_refused(self, stages: tuple[Stage, ...], problem: str) -> None:
        """No pipeline comes into being that an opportunity could get stuck in, or that means two things."""
        with pytest.raises(InvalidDefinition) as refusal:
            pipeline(*stages)

        assert problem in refusal.value.problems

    def test_all_problems_are_named_at_once(self) -> None:
        """Who writes a pipeline does not find out one mistake at a time."""
        with pytest.raises(InvalidDefinition) as refusal:
            Pipeline(
                key="", label=Label("x", ""), stages=[stage("a", requires=("x",), next=("z",)), stage("a")]
            )

        assert len(refusal.value.problems) == 6

    def test_changing_a_good_one_into_a_bad_one_is_refused_too(self) -> None:
        """Whatever way a pipeline is made, it is checked."""
        with pytest.raises(InvalidDefinition):
            attrs.evolve(STRICT, stages=STRICT.stages[:3])

    def test_a_way_that_needs_a_permission_counts(self) -> None:
        """A stage that is reached by skipping alone is reached."""
        stages = (stage("a", next=("c",)), stage("b"), stage("c"), stage("won", "won"))
        with pytest.raises(InvalidDefinition):
            pipeline(*stages)

        assert pipeline(*stages, may_skip=True).initial.key == "a"

    def test_four_ship(self) -> None:
        """As the domain has them: rising probabilities, both languages, lost with a reason."""
        made = {one.key: one for one in shipped()}

        assert list(made) == ["standard", "status", "full", "intent"]
        assert [s.label.zh for s in made["standard"].path] == [
            "初步接触",
            "需求分析",
            "方案提供",
            "商务谈判",
            "合同签订",
            "回款完成",
        ]
        assert [s.label.zh for s in made["status"].path] == [
            "初步接触",
            "需求明确",
            "方案沟通",
            "谈判中",
            "成交",
        ]
        assert [s.label.zh for s in made["full"].path] == [
            "线索",
            "需求分析",
            "方案报价",
            "合同谈判",
            "成交",
            "售后",
        ]
        assert [s.label.zh for s in made["intent"].path] == ["意向", "需求", "方案", "报价", "合同"]
        for one in made.values():
            opens = [s.probability for s in one.of_kind("open")]
            assert opens == sorted(set(opens))
            assert [s.reason_required for s in one.of_kind("lost")] == [True]


def test_the_diagram_is_the_pipeline() -> None:
    """Stages by name, the ways between them, and what is permitted beyond."""
    drawn = to_mermaid(attrs.evolve(STRICT, may_reopen=True), "en")

    assert drawn == (
        "stateDiagram-v2\n"
        '    state "A 0%" as s1\n'
        '    state "B 0%" as s2\n'
        '    state "C 0%" as s3\n'
        '    state "Won" as s4\n'
        '    state "Lost" as s5\n'
        "    [*] --> s1\n"
        "    s1 --> s2\n"
        "    s1 --> s5\n"
        "    s2 --> s3\n"
        "    s2 --> s5\n"
        "    s3 --> s4\n"
        "    s3 --> s5\n"
        "    s4 --> [*]\n"
        "    s5 --> [*]\n"
        "    note right of s1\n"
        "        may be reopened\n"
        "    end note\n"
    )
    assert 'state "A（中） 0%" as s1' in to_mermaid(STRICT, "zh")
