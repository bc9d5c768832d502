"""Tables of numbers: the pipeline that groups, and the plain rows of what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from salescrm.backends.mongo.compile import Pipeline, every, followed, hops_of, joins, matching, split
from salescrm.backends.mongo.documents import decoder
from salescrm.backends.mongo.expressions import key_of, kind_of, number, present, value
from salescrm.kinds import Kind
from salescrm.plans import CountIf, Follow, InBucket, Number, Source, TallyPlan, WholeDays

__all__ = ["rows", "tallying"]


def tallying(
    tenant: str, plan: TallyPlan, values: Sequence[Any], *, collection: Callable[[Follow], str]
) -> Pipeline:
    """The pipeline of a tally: per group keys ``_id.k0`` …, numbers ``n0`` …, and ``m0`` … how many values a sum had."""
    local, joined = split(plan.where)
    before = tuple(dict.fromkeys(followed(joined)))
    others = dict.fromkeys((*hops_of(plan.keys), *hops_of(plan.numbers)))
    pipeline: Pipeline = [{"$match": every([{"tenant": tenant}, matching(local, values)])}]
    pipeline += joins(tenant, before, collection)
    pipeline += [{"$match": matching(joined, values)}] if before else []
    pipeline += joins(tenant, [one for one in others if one not in before], collection)
    keys = {f"k{index}": key_of(one, values) for index, one in enumerate(plan.keys)}
    only = plan.numbers[0] if len(plan.numbers) == 1 else None
    if isinstance(only, Number) and only.kind == "distinct":
        return [*pipeline, *_distinct(keys, value(only.source))]
    group: dict[str, Any] = {"_id": keys or None}
    sizes: dict[str, Any] = {}
    for index, measure in enumerate(plan.numbers):
        group[f"n{index}"] = number(measure, values)
        if isinstance(measure, Number) and measure.kind == "sum":
            group[f"m{index}"] = {"$sum": {"$cond": [present(value(measure.source)), 1, 0]}}
        if isinstance(measure, Number) and measure.kind == "distinct":
            sizes[f"n{index}"] = {"$size": {"$setDifference": [f"$n{index}", [None]]}}
    pipeline.append({"$group": group})
    return [*pipeline, {"$set": sizes}] if sizes else pipeline


def _distinct(keys: Mapping[str, Any], counted: Any) -> Pipeline:
    """
    How many different values there are per group, when nothing else is asked: one group for each value, then its count.

    A set per group, as for several numbers at once, has to fit into one document, which ends at 16 MB.
    """
    counts = {"$sum": {"$cond": [present("$_id.v"), 1, 0]}}
    outer = {name: f"$_id.{name}" for name in keys} or None
    return [{"$group": {"_id": {**keys, "v": counted}}}, {"$group": {"_id": outer, "n0": counts}}]


def rows(plan: TallyPlan, groups: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """One row per group, keys then numbers; without keys there is one even of no records."""
    if not groups and not plan.keys:
        return [tuple(_of_nothing(one) for one in plan.numbers)]
    keys = [(f"k{index}", decoder(_kind_of_key(one))) for index, one in enumerate(plan.keys)]
    numbers = [_number(index, one) for index, one in enumerate(plan.numbers)]
    return [
        (*(decode(group["_id"][name]) for name, decode in keys), *(one(group) for one in numbers))
        for group in groups
    ]


def _kind_of_key(one: Source | InBucket | WholeDays) -> Kind:
    return Kind.WHOLE if isinstance(one, InBucket | WholeDays) else kind_of(one)


def _of_nothing(one: CountIf | Number) -> int | None:
    return 0 if isinstance(one, CountIf) or one.kind in {"count", "distinct"} else None


def _number(index: int, one: CountIf | Number) -> Callable[[Mapping[str, Any]], Any]:
    """A function from a group's document to the plain number."""
    name = f"n{index}"
    if isinstance(one, CountIf) or one.kind in {"count", "distinct"}:
        return lambda group: int(group[name])
    if one.kind == "sum":
        return lambda group: int(group[name].to_decimal()) if group[f"m{index}"] else None
    decode = decoder(kind_of(one.source))
    return lambda group: decode(group[name])
