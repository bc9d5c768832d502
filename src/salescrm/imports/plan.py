"""
The import plan: which file holds which records, which column fills which field, as data from TOML.

A plan says nothing about engines and is good for any number of runs: a record's id is derived from the plan's name, the
name of its *records* and the source key, so that a second run finds what the first one brought.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args, get_origin

import attrs

from salescrm import jsonable
from salescrm.errors import Invalid, InvalidDefinition
from salescrm.policy import Policy
from salescrm.policy.plain import from_plain as policy_from_plain
from salescrm.schema import nearest
from salescrm.stages import Pipeline

if TYPE_CHECKING:
    import cattrs

__all__ = ["Cell", "History", "ImportEntity", "ImportPlan", "OnRepeat", "Records", "load_plan", "loads_plan"]

ImportEntity: TypeAlias = Literal["Team", "Member", "Product", "Customer", "Contact", "Opportunity"]
OnRepeat: TypeAlias = Literal["skip", "update"]
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Cell:
    """
    Where a field's value comes from; in TOML the name of a column alone, or a table of these.

    Attributes:
        column: The column, or several in *columns*, joined by *join* where they are not blank.
        value: A constant instead.
        map: The plan's map that each column's text goes through; what it does not name stays as it is.
        default: What a blank cell stands for.
        refers: The records whose key this is: the field then holds their id.
        times: What a number is multiplied by: 1000000 for a column in millions.
        bands: Each name with the least number that falls into it: head-counts to sizes.
        formats: How a day or moment is written (strptime); ISO 8601 without any.
        split: What separates the items of a list.
        currency: Of an amount; the plan's where it is None.
    """

    column: str | None = None
    columns: tuple[str, ...] = ()
    join: str = " "
    value: str | None = None
    default: str | None = None
    map: str | None = None
    refers: str | None = None
    times: Decimal = Decimal(1)
    bands: Mapping[str, int] = _NOTHING
    formats: tuple[str, ...] = ()
    split: str | None = None
    currency: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns it reads."""
        return self.columns if self.column is None else (self.column,)


@attrs.frozen(kw_only=True)
class History:
    """
    How an opportunity's stage and the history behind it are read.

    The history is written as it was: today's requirements and permissions are not asked of it.

    Attributes:
        pipeline: One of the plan's own, or of the policy.
        stage: The cell that says where the deal stands; after its map, the key of a stage.
        dates: By stage, the column that tells when it was entered; blank where the deal never was there.
        undated: When a deal was opened of which no column tells.
        formats: How these dates are written (strptime); ISO 8601 without any.
    """

    pipeline: str
    stage: Cell
    dates: Mapping[str, str]
    undated: date | None = None
    formats: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Records:
    """
    The records of one entity that one file holds; a file may hold several (agents, their managers, their teams).

    Attributes:
        name: What other records refer to them by; part of every derived id, so it should not change between runs.
        key: The columns that tell one record from another.
        optional: A row with a blank key holds none of these records; without it, such a row is refused.
        id: ``derived``, or ``key`` for members and teams: the key itself is the id, as the host's own user id.
        fields: By field, where its value comes from; ``region.city`` and ``extra.name`` reach inside.
        history: Opportunities only, and there a must.
        lines: Opportunities only: one product line per entry, its fields as in *fields*.
    """

    name: str
    file: str
    entity: ImportEntity
    key: tuple[str, ...]
    optional: bool = False
    id: Literal["derived", "key"] = "derived"
    fields: Mapping[str, Cell]
    history: History | None = None
    lines: tuple[Mapping[str, Cell], ...] = ()


@attrs.frozen(kw_only=True)
class ImportPlan:
    """
    What is imported from where; its *records* are taken in order, so what is referred to comes first.

    Attributes:
        name: Part of every derived id: the same source under the same name is the same record.
        on_repeat: What becomes of a record that is there already: left alone, or brought to what the file says.
        currency: Of amounts that don't say; the policy's where it is None.
        time_zone: In which dates without a time begin; the policy's where it is None.
        encoding: Of the files, by Python's name; recognised where it is None.
        maps: By name, what a text in a file stands for.
        pipelines: That the opportunities are in, written as in a policy, unless the policy has them.
    """

    name: str
    on_repeat: OnRepeat = "skip"
    currency: str | None = None
    time_zone: str | None = None
    encoding: str | None = None
    delimiter: str = ","
    maps: Mapping[str, Mapping[str, str]] = _NOTHING
    pipelines: tuple[Pipeline, ...] = ()
    records: tuple[Records, ...]


def load_plan(path: str | Path) -> ImportPlan:
    """
    The plan in the TOML file *path*, UTF-8.

    Raises:
        InvalidDefinition: It is no plan; everything that can be told without the files is named at once.
        OSError: The file can't be read.
    """
    try:
        return loads_plan(Path(path).read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise InvalidDefinition("Import plan", (f"the file is not UTF-8: {problem}",)) from problem


def loads_plan(text: str) -> ImportPlan:
    """The plan that the TOML *text* holds; raises as `load_plan` does."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise InvalidDefinition("Import plan", (f"this is no TOML: {problem}",)) from problem
    problems: list[str] = []
    pipelines: tuple[Pipeline, ...] = ()
    try:
        pipelines = _pipelines(data.pop("pipelines", []))
    except InvalidDefinition as problem:
        problems += problem.problems
    plan = None
    try:
        plan = _converter().structure(data, ImportPlan)
    except Exception as problem:  # noqa: BLE001  # cattrs raises groups of whatever went wrong inside
        problems += _problems(problem)
    if plan is None or problems:
        raise InvalidDefinition("Import plan", tuple(problems))
    return attrs.evolve(plan, pipelines=pipelines)


def _pipelines(data: Any) -> tuple[Pipeline, ...]:
    """Pipelines are read as a policy reads its own."""
    if not data:
        return ()
    first = data[0].get("key") if isinstance(data, list) and isinstance(data[0], Mapping) else None
    shipped = {pipeline.key for pipeline in Policy().pipelines}
    policy = policy_from_plain({"pipelines": data, "default_pipeline": first})
    if doubled := shipped & {pipeline.key for pipeline in policy.pipelines}:
        raise InvalidDefinition(
            "Import plan", (f"{', '.join(sorted(doubled))}: a shipped pipeline has this key",)
        )
    return policy.pipelines


@cache
def _converter() -> cattrs.Converter:
    from cattrs.gen import make_dict_structure_fn

    made = jsonable.converter().copy()
    made.register_structure_hook_func(_is_literal, _choice)
    made.register_structure_hook(Decimal, _decimal)
    table: Callable[[Any, Any], Cell] = make_dict_structure_fn(Cell, made, _cattrs_forbid_extra_keys=True)
    made.register_structure_hook(
        Cell, lambda data, kind: Cell(column=data) if isinstance(data, str) else table(data, kind)
    )
    records: Callable[[Any, Any], Records] = make_dict_structure_fn(
        Records, made, _cattrs_forbid_extra_keys=True
    )
    made.register_structure_hook(Records, lambda data, kind: records(_with_key(data), kind))
    return made


def _with_key(data: Any) -> Any:
    """A key of one column is written as its name alone."""
    key = data.get("key") if isinstance(data, Mapping) else None
    return {**data, "key": [key]} if isinstance(key, str) else data


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _choice(data: Any, kind: Any) -> Any:
    if data in get_args(kind):
        return data
    raise ValueError(f"one of {', '.join(get_args(kind))} is wanted, not {data!r}")


def _decimal(data: Any, _: Any) -> Decimal:
    if type(data) in (int, float):
        number = Decimal(str(data))
        if number.is_finite() and number > 0:
            return number
    raise ValueError(f"a number above zero is wanted, not {data!r}")


def _problems(problem: BaseException, place: str = "") -> Iterator[str]:
    """Everything that went wrong inside *problem*, each with the place where it did."""
    from cattrs.errors import ForbiddenExtraKeysError

    match problem:
        case BaseExceptionGroup():
            for one in problem.exceptions:
                yield from _problems(one, place + _step(one))
        case ForbiddenExtraKeysError():
            known = [a.name for a in attrs.fields(problem.cl)]
            for key in sorted(map(str, problem.extra_fields)):
                near = ", ".join(nearest(key, known)) or "none"
                yield f"{place.removeprefix('.')}: there is no setting {key}; nearest: {near}".removeprefix(
                    ": "
                )
        case KeyError():
            yield f"{place}.{problem.args[0]}: this is missing".removeprefix(".")
        case Invalid() | ValueError():
            yield f"{place.removeprefix('.')}: {problem}".removeprefix(": ")
        case _:
            yield f"{place.removeprefix('.')}: a table or a list is wanted".removeprefix(": ")


def _step(problem: BaseException) -> str:
    """Where in its parent *problem* lies, as cattrs notes it: an attribute, or the place in a list, from 1."""
    for note in getattr(problem, "__notes__", ()):
        if hasattr(note, "name"):
            return f".{note.name}" if not isinstance(problem, KeyError) else ""
        if hasattr(note, "index"):
            index = note.index
            return f"[{index + 1}]" if isinstance(index, int) else f".{index}"
    return ""
