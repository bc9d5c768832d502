"""
What an engine says it would do with a statement: which indexes it enters, and what is wrong with the rest.

A list is read well when its records come out of an index in order: no record is looked at that no index led to, and
nothing is sorted but the few rows that came through a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import attrs
import pytest

from salescrm.backends.sql.channels import Channel

__all__ = [
    "Plan",
    "Said",
    "mongo_fits",
    "mongo_is_plain",
    "mongo_stages",
    "overheard",
    "postgres_plan",
    "sqlite_plan",
]


@attrs.frozen
class Said:
    """One statement as a store gave it to the driver."""

    text: str
    parameters: tuple[Any, ...]


@attrs.frozen
class Plan:
    """The indexes that the engine enters, what it reads from end to end or sorts, whether it looks at records at all."""

    indexes: frozenset[str]
    scans: tuple[str, ...]
    sorts: tuple[str, ...]
    index_only: bool
    shown: str
    #: In the engine's own unit, where it says so.
    cost: float = 0.0


@contextmanager
def overheard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Said]]:
    """The statements that stores run meanwhile, on whatever channel."""
    said: list[Said] = []

    def listen(name: str) -> None:
        spoken = getattr(Channel, name)

        def heard(channel: Channel, text: str, parameters: Sequence[Any], *rest: Any) -> Any:
            if not text.startswith(("FETCH", "CLOSE")):
                said.append(Said(text, tuple(parameters)))
            return spoken(channel, text, parameters, *rest)

        patched.setattr(Channel, name, heard)

    with monkeypatch.context() as patched:
        for name in ("rows", "count", "lists"):
            listen(name)
        yield said


def sqlite_plan(channel: Channel, said: Said) -> Plan:
    """SQLite's plan: lines of a tree."""
    rows = channel.rows(f"EXPLAIN QUERY PLAN {said.text}", said.parameters)
    details = [(parent, detail) for _, parent, _, detail in rows]
    looks = [(parent, text) for parent, text in details if text.startswith(("SCAN", "SEARCH"))]
    # Of our tables; what was put together from several ranges, and the elements of a list, are small.
    real = [
        (parent, text) for parent, text in looks if not re.match(r"\w+ (\(subquery|json_each|anon_\d)", text)
    ]
    temporary = [(parent, text) for parent, text in details if "TEMP B-TREE" in text]
    found = [re.search(r"USING (COVERING )?INDEX (\S+)", text) for _, text in real]
    keys = {f"pk_{text.split()[1]}" for _, text in real if "USING PRIMARY KEY" in text}
    return Plan(
        indexes=frozenset({one[2] for one in found if one} | keys),
        scans=tuple(text for _, text in real if text.startswith("SCAN") and "USING" not in text),
        sorts=tuple(text for parent, text in temporary if parent in {one for one, _ in real}),
        index_only=all(one is not None and bool(one[1]) for one in found),
        shown="\n".join(text for _, text in details),
    )


def postgres_plan(channel: Channel, said: Said, *, generic: bool = False) -> Plan:
    """PostgreSQL's plan: a tree of nodes. *generic*: the one that a prepared statement may settle on for all values."""
    options = "FORMAT JSON, GENERIC_PLAN" if generic else "FORMAT JSON"
    parameters: Any = None if generic else said.parameters
    ((answer,),) = channel.rows(f"EXPLAIN ({options}) {said.text}", parameters)
    root = answer[0]["Plan"]
    nodes = list(_nodes(root))
    indexes = {node["Index Name"] for node in nodes if "Index Name" in node}
    sorts = [node for node in nodes if node["Node Type"] in ("Sort", "Incremental Sort")]
    lookers = [node for node in nodes if "Relation Name" in node]
    return Plan(
        indexes=frozenset(indexes),
        scans=tuple(f"scans {node['Relation Name']}" for node in nodes if node["Node Type"] == "Seq Scan"),
        sorts=tuple(f"sorts by {node['Sort Key']}" for node in sorts if _unlimited(node)),
        index_only=all(node["Node Type"] == "Index Only Scan" for node in lookers),
        shown="\n".join(f"{n['Node Type']} {n.get('Index Name', '')}".strip() for n in nodes),
        cost=root["Total Cost"],
    )


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _unlimited(sort: Mapping[str, Any]) -> bool:
    """Whether records reach *sort* without passing a limit."""
    return any(
        "Relation Name" in below or (below["Node Type"] != "Limit" and _unlimited(below))
        for below in sort.get("Plans", ())
    )


def mongo_stages(database: Any, command: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages of the server's plan for a find that was sent."""
    asked = {name: command[name] for name in ("find", "filter", "sort", "limit") if name in command}
    explained = database.command("explain", asked, verbosity="queryPlanner")
    return tuple(_stages(explained["queryPlanner"]["winningPlan"]))


def _stages(plan: Mapping[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for below in (plan.get("inputStage"), *plan.get("inputStages", ())):
        if below is not None:
            yield from _stages(below)


def mongo_fits(indexes: Mapping[str, Any], command: Mapping[str, Any], *, sorts: bool) -> bool:
    """
    Whether MongoDB can read the find out of one of *indexes*: first what is compared for equality, then the order.

    What the tests' own server says about all but the plainest finds differs from MongoDB, so this is worked out here.
    With *sorts* the order need not be the index's.
    """
    equal = {name for name, condition in command["filter"].items() if _is_equality(condition)}
    order = [] if sorts else list(command.get("sort", {}))
    for index in indexes.values():
        keys = [key for key, _ in index["key"]]
        led = len(list(takewhile(equal.__contains__, keys)))
        rest = [key for key in order if key not in keys[:led]]
        # The tenant alone leads to too much.
        if keys[led : led + len(rest)] == rest and (led > 1 or (led and rest)):
            return True
    return False


def mongo_is_plain(indexes: Mapping[str, Any], command: Mapping[str, Any]) -> bool:
    """Whether the find asks only for fields of one index, so that the tests' own server may be asked about it."""
    asked = set(command["filter"])
    return any(asked <= {key for key, _ in index["key"]} for index in indexes.values())


def _is_equality(condition: Any) -> bool:
    return not isinstance(condition, Mapping) or "$eq" in condition
