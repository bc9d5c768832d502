"""
Policies as data and as text: JSON and TOML, strictly read, with everything that is wrong named at once.

The data is the policy's own attributes, with three liberties for those who write it by hand: a name is ``en`` and
``zh`` beside the key, a duration is text with its unit (``"14 days"``), and what is left out of a part is as it ships.
Conditions are questions in the form of `salescrm.query.plain`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args, get_origin

import attrs

from salescrm import jsonable
from salescrm.errors import Invalid, InvalidDefinition, Misconfigured
from salescrm.policy.approvals import ApprovalFlow, ApprovalStep, Superior
from salescrm.policy.assignments import AssignmentRule, LoadWeights, Strategy
from salescrm.policy.calendars import WorkCalendar
from salescrm.policy.parts import ExtraField
from salescrm.policy.policy import Policy
from salescrm.policy.pools import ClaimLimits, Never, Pool, Protection, RecycleRule
from salescrm.policy.vocabulary import Choice
from salescrm.query import Where
from salescrm.query import dump as dump_where
from salescrm.query import load as load_where
from salescrm.schema import nearest
from salescrm.stages import Pipeline, Requirement, Stage

if TYPE_CHECKING:
    import cattrs

__all__ = ["PolicyFormat", "dumps", "from_plain", "load", "loads", "plain_value", "to_plain"]

PolicyFormat: TypeAlias = Literal["toml", "json"]
#: Read and written with their names beside their keys; what stands inside another comes first, since it is built in.
_NAMED: Final = (
    Choice,
    ExtraField,
    Requirement,
    Stage,
    Pipeline,
    WorkCalendar,
    RecycleRule,
    Pool,
    AssignmentRule,
    ApprovalStep,
    ApprovalFlow,
)
#: Parts without a name, of which only what is not as it ships is written.
_PARTS: Final = (ClaimLimits, Protection, Strategy, LoadWeights, Superior)
#: The largest first: a duration is written in the largest unit that it is a whole number of.
_UNITS: Final = MappingProxyType(
    {unit: timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds", "milliseconds")}
)


def load(path: str | Path) -> Policy:
    """
    The policy in the file *path*: JSON where it is called ``.json``, TOML otherwise; UTF-8.

    Raises:
        InvalidDefinition: It is no policy, or a bad one; every problem is named.
        OSError: The file can't be read.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InvalidDefinition("Policy", (f"the file is not UTF-8: {problem}",)) from problem
    return loads(text, format="json" if path.suffix.lower() == ".json" else "toml")


def loads(text: str, *, format: PolicyFormat = "toml") -> Policy:
    """The policy that *text* holds; raises as `load` does."""
    try:
        data = json.loads(text) if format == "json" else tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise InvalidDefinition("Policy", (f"this is no {format.upper()}: {problem}",)) from problem
    return from_plain(data)


def dumps(policy: Policy, *, format: PolicyFormat = "toml") -> str:
    """
    *policy* as text; `loads` gives it back, equal.

    Raises:
        Misconfigured: TOML is wanted and tomli-w is not installed (extra ``cli``).
    """
    data = to_plain(policy)
    if format == "json":
        return json.dumps(data, ensure_ascii=False, indent=2) + "\n"
    try:
        import tomli_w
    except ImportError:
        raise Misconfigured("writing TOML needs tomli-w", "install salescrm[cli], or write JSON") from None
    return tomli_w.dumps(data)


def to_plain(policy: Policy) -> dict[str, Any]:
    """*policy* as JSON-able data."""
    data: dict[str, Any] = _without_none(_converter().unstructure(policy))
    return data


def plain_value(value: Any) -> Any:
    """A part of a policy, or one setting's *value*, in the form that it has in `to_plain`."""
    if isinstance(value, get_args(Where)):
        return dump_where(value)
    return _without_none(_converter().unstructure(value))


def _without_none(data: Any) -> Any:
    """*data* without what has no value: TOML has no word for it, and what is left out is as it ships."""
    if isinstance(data, dict):
        return {name: _without_none(value) for name, value in data.items() if value is not None}
    return [_without_none(one) for one in data] if isinstance(data, list) else data


def from_plain(data: object) -> Policy:
    """
    The policy that `to_plain` gave *data* for; what is left out is as it ships.

    Raises:
        InvalidDefinition: It is no policy, or a bad one; every problem is named.
    """
    if not isinstance(data, Mapping):
        raise InvalidDefinition("Policy", ("a table of settings is wanted",))
    try:
        policy: Policy = _converter().structure(data, Policy)
    except Exception as problem:  # cattrs raises groups of whatever went wrong inside
        raise InvalidDefinition("Policy", tuple(_problems(problem))) from problem
    return policy


@cache
def _converter() -> cattrs.Converter:
    from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

    made = jsonable.converter().copy()

    def is_where(kind: Any) -> bool:
        return bool(kind == Where)

    def is_choice(kind: Any) -> bool:
        return bool(get_origin(kind) == Literal)

    made.register_structure_hook_func(is_where, lambda data, _: load_where(data))
    made.register_unstructure_hook_func(is_where, dump_where)
    made.register_structure_hook_func(is_choice, _load_choice)
    made.register_structure_hook(timedelta, _load_duration)
    made.register_unstructure_hook(timedelta, _dump_duration)
    made.register_structure_hook_func(_is_limit, _load_limit)
    for part in _PARTS:
        made.register_unstructure_hook(
            part, make_dict_unstructure_fn(part, made, _cattrs_omit_if_default=True)
        )
    for kind in _NAMED:
        structure: Callable[[Mapping[str, Any], Any], Any] = make_dict_structure_fn(
            kind, made, _cattrs_forbid_extra_keys=True
        )
        unstructure = make_dict_unstructure_fn(kind, made, _cattrs_omit_if_default=True)
        made.register_structure_hook(kind, _with_names(structure))
        made.register_unstructure_hook(kind, _names_out(unstructure))
    return made


def _with_names(structure: Callable[[Mapping[str, Any], Any], Any]) -> Callable[[Any, Any], Any]:
    def read(data: Any, kind: Any) -> Any:
        rest = dict(data)
        rest["label"] = {lang: rest.pop(lang) for lang in ("en", "zh") if lang in rest}
        return structure(rest, kind)

    return read


def _names_out(unstructure: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    def write(value: Any) -> dict[str, Any]:
        data = unstructure(value)
        label = data.pop("label")
        # The name comes right behind the key, where a reader looks for it.
        first = {name: data.pop(name) for name in list(data)[:1]}
        return {**first, **label, **data}

    return write


def _dump_duration(value: timedelta) -> str:
    unit = next(unit for unit, length in _UNITS.items() if not value % length)
    return f"{value // _UNITS[unit]} {unit}"


def _load_duration(data: Any, _: Any) -> timedelta:
    match data.split() if isinstance(data, str) else ():
        case [number, unit] if number.isascii() and number.isdigit() and len(number) <= 15 and unit in _UNITS:
            return int(number) * _UNITS[unit]
    raise ValueError(f'a duration such as "14 days" is wanted, not {data!r}')


def _is_limit(kind: Any) -> bool:
    return bool(kind == int | Never)


def _load_limit(data: Any, _: Any) -> int | Never:
    if data == "never":
        return "never"
    if type(data) is int:
        return data
    raise ValueError(f'a whole number of days, or "never", is wanted, not {data!r}')


def _load_choice(data: Any, kind: Any) -> Any:
    if data in get_args(kind):
        return data
    raise ValueError(f"one of {', '.join(get_args(kind))} is wanted, not {data!r}")


def _problems(problem: BaseException, place: str = "") -> Iterator[str]:
    """Everything that went wrong inside *problem*, each with the place where it did."""
    match problem:
        case BaseExceptionGroup():
            for one in problem.exceptions:
                yield from _problems(one, f"{place}{_step(one)}")
        case InvalidDefinition():
            for one in problem.problems:
                yield one if problem.what == "Policy" else f"{problem.what}: {one}"
        case _:
            at = place.replace(".label", "").removeprefix(".")
            for said in _said(problem):
                yield f"{at}: {said}" if at else said


def _step(problem: BaseException) -> str:
    """Where in its parent *problem* lies, as cattrs notes it: an attribute or the place in a list, from 1."""
    for note in getattr(problem, "__notes__", ()):
        if hasattr(note, "name"):
            return f".{note.name}"
        if hasattr(note, "index"):
            return f"[{note.index + 1}]"
    return ""


def _said(problem: BaseException) -> Iterator[str]:
    from cattrs.errors import ForbiddenExtraKeysError

    match problem:
        case ForbiddenExtraKeysError():
            known = [a.name for a in attrs.fields(problem.cl) if a.name != "label"]
            known += ["en", "zh"] if problem.cl in _NAMED else []
            for key in sorted(map(str, problem.extra_fields)):
                yield f"there is no setting {key}; nearest: {', '.join(nearest(key, known)) or 'none'}"
        case KeyError():
            yield "this is missing"
        case Invalid() | ValueError():
            yield str(problem)
        case TypeError() | AttributeError():
            yield "a table or a list is wanted"
        case _:
            yield f"this can't be taken: {problem}"
