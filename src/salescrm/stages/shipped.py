"""The four pipelines that ship, as data; a host defines its own the same way."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from salescrm.labels import Label
from salescrm.stages.pipeline import Pipeline, Stage

__all__ = ["shipped"]


@cache
def shipped() -> tuple[Pipeline, ...]:
    """``standard``, ``status``, ``full`` and ``intent``; an opportunity may be lost from any open stage, with a reason."""
    return (_standard(), _status(), _full(), _intent())


def _open(key: str, en: str, zh: str, probability: int, *, stalled_after: int) -> Stage:
    """An open stage in which an opportunity stalls after so many days."""
    return Stage(
        key=key,
        label=Label(en, zh),
        probability=probability,
        stalled_after=timedelta(days=stalled_after),
    )


def _won(key: str, en: str, zh: str) -> Stage:
    return Stage(key=key, label=Label(en, zh), kind="won")


def _lost() -> Stage:
    return Stage(key="lost", label=Label("Lost", "流失"), kind="lost", reason_required=True)


def _standard() -> Pipeline:
    """From the operating manual: it is won when it is paid, and a signed contract may still be lost."""
    return Pipeline(
        key="standard",
        label=Label("Standard", "标准流程"),
        stages=(
            _open("initial_contact", "Initial contact", "初步接触", 10, stalled_after=14),
            _open("needs_analysis", "Needs analysis", "需求分析", 30, stalled_after=14),
            _open("proposal", "Proposal", "方案提供", 50, stalled_after=21),
            _open("negotiation", "Negotiation", "商务谈判", 70, stalled_after=21),
            _open("contract_signed", "Contract signed", "合同签订", 90, stalled_after=45),
            _won("paid", "Paid", "回款完成"),
            _lost(),
        ),
        may_skip=True,
        may_go_back=True,
        may_reopen=True,
    )


def _status() -> Pipeline:
    """From the record of a customer's state: whatever it is now is what one enters."""
    return Pipeline(
        key="status",
        label=Label("Status", "状态管理"),
        stages=(
            _open("initial_contact", "Initial contact", "初步接触", 10, stalled_after=14),
            _open("needs_clear", "Needs clear", "需求明确", 30, stalled_after=14),
            _open("solution_discussed", "Solution discussed", "方案沟通", 50, stalled_after=21),
            _open("negotiating", "Negotiating", "谈判中", 75, stalled_after=21),
            _won("won", "Won", "成交"),
            _lost(),
        ),
        may_skip=True,
        may_go_back=True,
        may_reopen=True,
    )


def _full() -> Pipeline:
    """From the lead to the service after the sale, step by step."""
    return Pipeline(
        key="full",
        label=Label("Full", "全流程"),
        stages=(
            _open("lead", "Lead", "线索", 5, stalled_after=7),
            _open("needs_analysis", "Needs analysis", "需求分析", 25, stalled_after=14),
            _open("quoted", "Quoted", "方案报价", 50, stalled_after=21),
            _open("contract_negotiation", "Contract negotiation", "合同谈判", 80, stalled_after=30),
            _won("won", "Won", "成交"),
            _won("after_sales", "After-sales", "售后"),
            _lost(),
        ),
        may_go_back=True,
        may_reopen=True,
    )


def _intent() -> Pipeline:
    """The bare funnel: one way, and what is lost begins anew."""
    return Pipeline(
        key="intent",
        label=Label("Intent funnel", "意向漏斗"),
        stages=(
            _open("interest", "Interest", "意向", 10, stalled_after=14),
            _open("need", "Need", "需求", 30, stalled_after=14),
            _open("proposal", "Proposal", "方案", 50, stalled_after=21),
            _open("quote", "Quote", "报价", 70, stalled_after=21),
            _won("contract", "Contract", "合同"),
            _lost(),
        ),
    )
