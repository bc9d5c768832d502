"""A pipeline as a Mermaid state diagram."""

from __future__ import annotations

from collections.abc import Iterator

from salescrm.labels import Label, Language
from salescrm.stages.pipeline import Pipeline, Stage

__all__ = ["to_mermaid"]


def to_mermaid(pipeline: Pipeline, lang: Language) -> str:
    """
    The source of a ``stateDiagram-v2``: stages with their probabilities, the ways between them, where it starts and ends.

    What the pipeline permits beyond each stage's own ways is a note, for drawn as arrows it would hide them.
    """
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in _lines(pipeline, lang))]) + "\n"


def _lines(pipeline: Pipeline, lang: Language) -> Iterator[str]:
    # Keys may be any text, and "end" is a word of Mermaid's.
    ids = {stage.key: f"s{n}" for n, stage in enumerate(pipeline.stages, start=1)}
    for stage in pipeline.stages:
        yield f'state "{_shown(stage, lang)}" as {ids[stage.key]}'
    yield f"[*] --> {ids[pipeline.initial.key]}"
    for stage in pipeline.stages:
        for key in pipeline.next_of(stage.key):
            yield f"{ids[stage.key]} --> {ids[key]}"
    for stage in pipeline.stages:
        if stage.kind != "open" and not pipeline.next_of(stage.key):
            yield f"{ids[stage.key]} --> [*]"
    permitted = [label.text(lang) for label in _permissions(pipeline)]
    if permitted:
        yield f"note right of {ids[pipeline.initial.key]}"
        yield from (f"    {line}" for line in permitted)
        yield "end note"


def _shown(stage: Stage, lang: Language) -> str:
    name = stage.label.text(lang).replace("#", "#35;").replace('"', "#quot;").replace(";", "#59;")
    return f"{name} {stage.probability}%" if stage.kind == "open" else name


def _permissions(pipeline: Pipeline) -> Iterator[Label]:
    if pipeline.may_skip:
        yield Label("may skip stages", "可跳过阶段")
    if pipeline.may_go_back:
        yield Label("may go back", "可退回前面的阶段")
    if pipeline.may_reopen:
        yield Label("may be reopened", "结束后可重新打开")
