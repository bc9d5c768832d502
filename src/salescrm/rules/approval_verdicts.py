"""What an approval comes to: the verdicts, and the sentence for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.entities import ApprovalRequest
from salescrm.labels import Label, Language
from salescrm.rules.decisions import Decision

__all__ = ["ApprovalCode", "ApprovalDecision"]

#: What became of the request, or why it stays as it was.
ApprovalCode: TypeAlias = Literal[
    "waiting",
    "approved",
    "rejected",
    "withdrawn",
    "wrong-state",
    "not-an-approver",
    "already-voted",
    "not-the-requester",
    "nobody-fits",
    "own-request",
    "unknown-member",
    "already-asked",
    "step-gone",
]

_DONE: Final = frozenset({"waiting", "approved", "rejected", "withdrawn"})
_SENTENCES: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "waiting": Label("{flow}, step {step}: it waits for {who}", "{flow}（{step}）：等待{who}审批"),
        "approved": Label("{flow}: it is approved", "{flow}：已审批通过"),
        "rejected": Label("{flow}: {who} rejected it: {reason}", "{flow}：被{who}驳回，理由：{reason}"),
        "withdrawn": Label("{flow}: {who} withdrew it", "{flow}：已由{who}撤回"),
        "wrong-state": Label("{flow}: it is not open to this any more", "{flow}：当前状态下不能再这样操作"),
        "not-an-approver": Label("{flow}: {who} is not asked in step {step}", "{flow}：{who}不是“{step}”的审批人"),
        "already-voted": Label("{flow}: {who} has voted in step {step} already", "{flow}：{who}在“{step}”已审批过"),
        "not-the-requester": Label(
            "{flow}: only who asked for it may do this, not {who}", "{flow}：只有申请人可以这样做，{who}不是申请人"
        ),
        "nobody-fits": Label("{flow}: there is nobody to ask in step {step}", "{flow}：“{step}”没有合适的审批人"),
        "own-request": Label(
            "{flow}: {who} asked for it and can't decide on it in step {step}",
            "{flow}：{who}是申请人，不能在“{step}”审批自己的申请",
        ),
        "unknown-member": Label("{flow}: {who} does not work here", "{flow}：{who}不是在职成员"),
        "already-asked": Label("{flow}: {who} is asked in step {step} anyway", "{flow}：{who}本来就是“{step}”的审批人"),
        "step-gone": Label(
            "{flow}: the policy no longer has the step that it is at", "{flow}：现行政策中已没有它所在的步骤"
        ),
    }
)  # fmt: skip
#: How many names a sentence shows.
_SHOWN: Final = 5
_MORE: Final = Label(" and {0} more", "等{0}人")


@attrs.frozen(kw_only=True)
class ApprovalDecision(Decision):
    """
    What became of a request: *request* as it now is, or as it was where the verdict is a refusal.

    Attributes:
        who: The names of those the verdict is about: who is waited for, who rejected, who may not.
    """

    verdict: ApprovalCode
    request: ApprovalRequest
    flow: Label
    step: Label | None = None
    who: tuple[str, ...] = ()
    reason: str = ""

    @property
    def refused(self) -> bool:
        """Whether nothing was done."""
        return self.verdict not in _DONE

    def explain(self, lang: Language) -> str:
        """The verdict as a sentence."""
        shown = ("、" if lang == "zh" else ", ").join(self.who[:_SHOWN])
        if len(self.who) > _SHOWN:
            more = len(self.who) if lang == "zh" else len(self.who) - _SHOWN
            shown += _MORE.text(lang).format(more)
        step = self.step.text(lang) if self.step else "?"
        told = _SENTENCES[self.verdict].text(lang)
        return told.format(flow=self.flow.text(lang), step=step, who=shown, reason=self.reason)
