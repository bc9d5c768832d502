"""What the tables of reports say, in both languages; names of stages and choices come from the policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from salescrm.labels import Label, Language
from salescrm.reports.figures import Period
from salescrm.values import Moment

__all__ = ["WORDS", "period_note"]

WORDS: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "funnel": Label("Sales funnel", "销售漏斗"),
        "performance": Label("Performance", "业绩"),
        "stage": Label("Stage", "阶段"),
        "count": Label("Now", "现有"),
        "amount": Label("Amount", "金额"),
        "reached": Label("Reached", "到达"),
        "to_next": Label("→ next", "→ 下一步"),
        "to_won": Label("→ won", "→ 成交"),
        "ended": Label(
            "{total} deals: {open} open, {won} won, {lost} lost · won of closed {closed}, won of all {all}",
            "共 {total} 个商机：进行中 {open}，赢单 {won}，输单 {lost} · 赢单率（占已结束）{closed}，（占全部）{all}",
        ),
        "cycle": Label(
            "From opening to winning: {mean} days on average, {median} in the median",
            "成交周期：平均 {mean} 天，中位数 {median} 天",
        ),
        "total": Label("Deals", "商机"),
        "open": Label("Open", "进行中"),
        "won": Label("Won", "赢单"),
        "lost": Label("Lost", "输单"),
        "of_closed": Label("Won/closed", "赢单率"),
        "of_all": Label("Won/all", "占全部"),
        "revenue": Label("Revenue", "成交金额"),
        "mean": Label("Mean days", "平均天数"),
        "median": Label("Median", "中位"),
        "owner": Label("Owner", "负责人"),
        "manager": Label("Manager", "主管"),
        "team": Label("Team", "团队"),
        "product": Label("Product", "产品"),
        "industry": Label("Industry", "行业"),
        "close_quarter": Label("Closed in", "结束季度"),
        "all_deals": Label("All deals", "全部商机"),
        "opened_in": Label("Deals opened {days}", "{days} 创建的商机"),
        "closed_in": Label("Deals closed {days}", "{days} 结束的商机"),
        "simulation": Label("What the nights will do", "公海回收预演"),
        "simulated": Label(
            "From {since} to {until}: {falls} customers fall, {warnings} warnings, {nights} nights",
            "{since} 至 {until}：落入公海 {falls} 个客户，预警 {warnings} 条，共 {nights} 个夜间批次",
        ),
        "stops": Label(
            "From {at} on the runs refuse to start: {problems}", "{at} 起夜间批次将拒绝执行：{problems}"
        ),
        "falls_of": Label(
            "{customer} falls from {owner} into {pool} on {day} by the rule “{rule}”{also}",
            "{customer}将于{day}从{owner}名下落入{pool}，规则“{rule}”{also}",
        ),
        "also": Label("; also by {rules}", "；同时触发{rules}"),
        "warned_of": Label(
            "On {day}, {told} will be warned: {customer} falls into {pool} on {falls_on}, in {days} days",
            "{day}将提醒{told}：{customer}将于{falls_on}落入{pool}，还有{days}天",
        ),
        "day": Label("Day", "日期"),
        "pool": Label("Pool", "公海"),
        "rule": Label("Rule", "规则"),
        "falls": Label("Fall", "落入公海"),
        "warnings": Label("Warnings", "预警"),
        "more": Label("and {many} more lines", "另有 {many} 行"),
        "backtest": Label("Two policies on the same history", "两套规则回测"),
        "wrong": Label("Wrongly", "误回收"),
        "refused": Label("Refused", "拒绝领取"),
        "held": Label("Held", "平均持有"),
        "really": Label("really", "实际"),
        "replayed": Label(
            "From {since} to {until}; {recycled} customers really fell",
            "{since} 至 {until}，实际落入公海 {recycled} 个客户",
        ),
        "side": Label(
            "{policy}: {falls} would have fallen, {wrong} of them wrongly ({forgone} were bought from the same owner later);"
            " {spared} of those that fell would have stayed until then; {refused} of {claims} claims refused; evenness {even}",
            "{policy}：落入公海 {falls} 个，其中误回收 {wrong} 个（之后又向原负责人成交 {forgone}）；"
            "实际落入者中 {spared} 个届时不会落入；{claims} 次领取中拒绝 {refused} 次；均衡度 {even}",
        ),
        "differ": Label(
            "{both} fall under both, {only_a} under A only, {only_b} under B only",
            "两套规则都会落入 {both} 个，仅 A {only_a} 个，仅 B {only_b} 个",
        ),
        "would_fall": Label(
            "{customer} would have fallen from {owner} into {pool} on {day} by the rule “{rule}”",
            "{customer}会于{day}从{owner}名下落入{pool}，规则“{rule}”",
        ),
        "but_bought": Label(", but bought from them on {on} ({amount})", "，但于{on}又向其成交（{amount}）"),
        "refused_of": Label("{at}: {why}", "{at}：{why}"),
        "as_of": Label("as of {at} ({zone})", "截至 {at}（{zone}）"),
    }
)


def period_note(period: Period, as_of: Moment, time_zone: str, lang: Language) -> str:
    """Which deals are counted, as of when, in which time zone."""
    at = as_of.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M")
    asked = WORDS["as_of"].text(lang).format(at=at, zone=time_zone)
    if period.since is None and period.until is None:
        deals = WORDS["all_deals"].text(lang)
    else:
        name = "opened_in" if period.counted_by == "opened_at" else "closed_in"
        deals = WORDS[name].text(lang).format(days=f"{_day(period.since)} – {_day(period.until)}")
    return f"{deals} · {asked}"


def _day(on: date | None) -> str:
    return "…" if on is None else on.isoformat()
