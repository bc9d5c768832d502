"""Stages and pipelines as checked data: what a sales team's process is; moving through it is in `moving`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.labels import Label
from salescrm.query import Where

__all__ = ["EVIDENCE", "Pipeline", "Requirement", "Stage", "StageKind"]

StageKind: TypeAlias = Literal["open", "won", "lost"]

#: The evidence that salescrm itself knows of; a host may hand in facts of its own under other codes.
EVIDENCE: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "follow-up-since-last-move": Label("a follow-up since the last move", "进入当前阶段后的跟进记录"),
        "competitor-named": Label("a named competitor", "已填写竞争对手"),
        "product-lines": Label("product lines", "产品明细"),
        "accepted-quote": Label("an accepted quote", "客户已接受的报价"),
    }
)


@attrs.frozen(kw_only=True)
class Requirement:
    """A question about the opportunity that must be answered yes before it may enter a stage."""

    #: Stable, for a host to branch on.
    code: str
    where: Where
    #: What must hold, in words.
    label: Label


@attrs.frozen(kw_only=True)
class Stage:
    """
    One stage, and what must be there before an opportunity may enter it.

    Attributes:
        key: What is stored; 1 to 64 characters that show.
        probability: Percent; a won stage has 100, a lost one 0.
        next: The keys of the stages that may follow. None: an open stage leads to the one after it and to every lost
            one, a won stage to a won one after it, a lost stage nowhere.
        initial: Where opportunities start; without any, at the first open stage.
        requires: Fields of the opportunity that must be set; a custom one as ``extra.name``.
        reason_required: For a lost stage: a reason must be given.
        evidence: Codes of facts that must hold; see `EVIDENCE`.
        roles: Who may enter; of none: everyone.
        stalled_after: How long an opportunity may stay before it counts as stalled.
    """

    key: str
    label: Label
    kind: StageKind = "open"
    probability: int = attrs.field()
    next: tuple[str, ...] | None = None
    initial: bool = False
    requires: tuple[str, ...] = ()
    note_required: bool = False
    reason_required: bool = False
    conditions: tuple[Requirement, ...] = ()
    evidence: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    stalled_after: timedelta | None = None

    @probability.default
    def _probability(self) -> int:
        return 100 if self.kind == "won" else 0


@attrs.frozen(kw_only=True)
class Pipeline:
    """
    Stages in their order: open ones, then won ones; lost ones stand anywhere.

    Which moves are allowed is what each stage's *next* says, and what the pipeline permits beyond that.
    The furthest stage and skipping are counted along `path`, the open and won stages.

    Raises:
        InvalidDefinition: The stages contradict themselves; every problem is named.
    """

    key: str
    label: Label
    stages: tuple[Stage, ...] = attrs.field(converter=tuple[Stage, ...])
    #: Opportunities may jump over open stages.
    may_skip: bool = False
    #: They may return to an earlier stage.
    may_go_back: bool = False
    #: They may return from won or lost to an open stage.
    may_reopen: bool = False

    def __attrs_post_init__(self) -> None:
        from salescrm.stages.checks import problems_of

        if problems := tuple(problems_of(self)):
            raise InvalidDefinition(f"Pipeline {self.key}", problems)

    @cached_property
    def by_key(self) -> Mapping[str, Stage]:
        """The stages by key."""
        return {stage.key: stage for stage in self.stages}

    @cached_property
    def path(self) -> tuple[Stage, ...]:
        """The open and won stages, in order."""
        return tuple(stage for stage in self.stages if stage.kind != "lost")

    @cached_property
    def initial(self) -> Stage:
        """Where opportunities start."""
        marked = (stage for stage in self.path if stage.initial)
        return next(marked, self.path[0])

    def of_kind(self, kind: StageKind) -> tuple[Stage, ...]:
        """The stages of *kind*, in order."""
        return tuple(stage for stage in self.stages if stage.kind == kind)

    def stage(self, key: str) -> Stage:
        """The stage called *key*.

        Raises:
            InvalidValue: There is none; the error names those that are.
        """
        for stage in self.stages:
            if stage.key == key:
                return stage
        raise InvalidValue("Opportunity", "stage", key, "one of " + ", ".join(self.by_key))

    def position(self, key: str) -> int:
        """How far along `path` the stage *key* lies, from 0; -1 for one that is lost or not there."""
        return next((n for n, stage in enumerate(self.path) if stage.key == key), -1)

    def next_of(self, key: str) -> tuple[str, ...]:
        """The keys of the stages that may follow *key* without any special permission."""
        stage = self.stage(key)
        if stage.next is not None:
            return stage.next
        if stage.kind == "lost":
            return ()
        following = tuple(one.key for one in self.path[self.position(key) + 1 :][:1])
        lost = tuple(one.key for one in self.of_kind("lost"))
        return following + lost if stage.kind == "open" else following
