"""Which moves a pipeline allows, and what kind of move each is; what a single opportunity must bring is in `moving`."""

from __future__ import annotations

from salescrm.entities.opportunities import MoveKind
from salescrm.errors import Unmet
from salescrm.stages.pipeline import Pipeline, Stage

__all__ = ["kind_of", "refusal"]


def kind_of(pipeline: Pipeline, stage: Stage, to: Stage) -> MoveKind:
    """What a move from *stage* to *to* is called."""
    if to.kind == "lost":
        return "lost"
    if stage.kind != "open" and to.kind == "open":
        return "reopened"
    if stage.kind != "won" and to.kind == "won":
        return "won"
    if pipeline.position(to.key) < pipeline.position(stage.key):
        return "went_back"
    return "advanced" if to.key in pipeline.next_of(stage.key) else "skipped"


def refusal(pipeline: Pipeline, stage: Stage, to: Stage) -> Unmet | None:
    """Why *pipeline* does not let anything go from *stage* to *to*; None where it does."""

    def unmet(code: str, template: str) -> Unmet:
        return Unmet(code, to.key, template, to.label)

    if stage.key == to.key:
        return unmet("already-there", "it is in {subject} already")
    if stage.kind != "open" and to.kind not in {"open", stage.kind}:
        return unmet("reopen-first", "it is closed; reopen it before it goes to {subject}")
    if to.key in pipeline.next_of(stage.key):
        return None
    match kind_of(pipeline, stage, to):
        case "reopened":
            if not pipeline.may_reopen:
                return unmet(
                    "may-not-reopen", "this pipeline does not let what is closed go back to {subject}"
                )
        case "went_back":
            if not pipeline.may_go_back:
                return unmet("may-not-go-back", "this pipeline does not let it go back to {subject}")
        case "skipped" | "won":
            if not pipeline.may_skip:
                return unmet(
                    "may-not-skip", "this pipeline does not let it skip stages on the way to {subject}"
                )
        case _:
            return unmet("not-next", "{subject} does not follow the stage it is in")
    return None
