"""The lists that people choose from where a field takes any text: levels, sources, industries, reasons; in both languages."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Literal, TypeAlias

import attrs

from salescrm.labels import Label

__all__ = ["Choice", "Choices", "ChosenField", "shipped_choices"]

#: The fields that have such a list; level and source are a customer's and an opportunity's alike.
ChosenField: TypeAlias = Literal["level", "source", "channel", "industry", "size", "lost_reason", "role"]


@attrs.frozen(kw_only=True)
class Choice:
    """One of a list: what is stored, and what people call it."""

    key: str
    label: Label


@attrs.frozen(kw_only=True)
class Choices:
    """What is offered for a field, in order; the field takes other texts too."""

    field: ChosenField
    options: tuple[Choice, ...] = attrs.field(converter=tuple[Choice, ...])


def _choices(field: ChosenField, options: Iterable[tuple[str, str, str]]) -> Choices:
    return Choices(field=field, options=[Choice(key=key, label=Label(en, zh)) for key, en, zh in options])


@cache
def shipped_choices() -> tuple[Choices, ...]:
    """The lists that ship."""
    return (
        _choices(
            "level",
            [
                ("A", "A: key account", "A 级（重点客户）"),
                ("B", "B: regular", "B 级（普通客户）"),
                ("C", "C: occasional", "C 级（一般客户）"),
                ("D", "D: little prospect", "D 级（低意向客户）"),
            ],
        ),
        _choices(
            "source",
            [
                ("online", "Online", "线上"),
                ("referral", "Referral", "转介绍"),
                ("exhibition", "Exhibition", "展会"),
                ("cold_call", "Cold call", "陌生拜访"),
                ("advertising", "Advertising", "广告"),
                ("partner", "Partner", "合作伙伴"),
                ("other", "Other", "其他"),
            ],
        ),
        _choices(
            "channel",
            [
                ("direct", "Direct", "直销"),
                ("distributor", "Distributor", "经销"),
                ("e_commerce", "E-commerce", "电商"),
            ],
        ),
        _choices(
            "industry",
            [
                ("manufacturing", "Manufacturing", "制造业"),
                ("technology", "Technology", "信息技术"),
                ("retail", "Retail", "零售"),
                ("finance", "Finance", "金融"),
                ("medical", "Medical", "医疗"),
                ("education", "Education", "教育"),
                ("construction", "Construction and property", "建筑地产"),
                ("logistics", "Logistics", "物流运输"),
                ("government", "Government", "政府及事业单位"),
                ("services", "Services", "服务业"),
                ("other", "Other", "其他"),
            ],
        ),
        _choices(
            "size",
            [
                ("1-9", "1 to 9 people", "1–9 人"),
                ("10-49", "10 to 49 people", "10–49 人"),
                ("50-99", "50 to 99 people", "50–99 人"),
                ("100-499", "100 to 499 people", "100–499 人"),
                ("500-999", "500 to 999 people", "500–999 人"),
                ("1000+", "1000 people and more", "1000 人以上"),
            ],
        ),
        _choices(
            "lost_reason",
            [
                ("price", "Price too high", "价格过高"),
                ("competitor", "Chose a competitor", "选择了竞争对手"),
                ("no_budget", "No budget", "没有预算"),
                ("no_need", "No need any more", "需求取消"),
                ("features", "Product does not fit", "产品不符合需求"),
                ("no_answer", "Could not be reached any more", "联系不上客户"),
                ("other", "Other", "其他"),
            ],
        ),
        _choices(
            "role",
            [
                ("rep", "Sales representative", "销售"),
                ("manager", "Manager", "主管"),
                ("finance", "Finance", "财务"),
                ("service", "Customer service", "客服"),
                ("success", "Customer success", "客户成功"),
                ("admin", "Administrator", "管理员"),
            ],
        ),
    )
