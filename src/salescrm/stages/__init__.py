"""The stage machine: pipelines as checked data, and pure functions that move opportunities through them."""

from __future__ import annotations

from salescrm.stages.ages import StageStay, history, is_stalled, stalled, time_by_stage, time_in_stage
from salescrm.stages.diagram import to_mermaid
from salescrm.stages.moving import Meets, Move, enter, evidence_of, move
from salescrm.stages.pipeline import EVIDENCE, Pipeline, Requirement, Stage, StageKind
from salescrm.stages.rules import kind_of, refusal
from salescrm.stages.shipped import shipped

__all__ = [
    "EVIDENCE",
    "Meets",
    "Move",
    "Pipeline",
    "Requirement",
    "Stage",
    "StageKind",
    "StageStay",
    "enter",
    "evidence_of",
    "history",
    "is_stalled",
    "kind_of",
    "move",
    "refusal",
    "shipped",
    "stalled",
    "time_by_stage",
    "time_in_stage",
    "to_mermaid",
]
