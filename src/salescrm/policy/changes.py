"""What one policy says otherwise than another: setting by setting, by the keys of things and not by their places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from salescrm.labels import Label, Language
from salescrm.policy.plain import plain_value
from salescrm.policy.policy import Policy
from salescrm.query import Where

__all__ = ["Change", "ChangeKind", "diff"]

ChangeKind: TypeAlias = Literal["added", "removed", "changed", "reordered"]

_SENTENCES: Final[Mapping[ChangeKind, Label]] = MappingProxyType(
    {
        "added": Label("{path} is new: {becomes}", "{path}：新增 {becomes}"),
        "removed": Label("{path} is gone: {was}", "{path}：删除 {was}"),
        "changed": Label("{path}: {was} becomes {becomes}", "{path}：由 {was} 改为 {becomes}"),
        "reordered": Label(
            "{path}: the order {was} becomes {becomes}", "{path}：顺序由 {was} 改为 {becomes}"
        ),
    }
)
_NOTHING: Final = Label("nothing", "无")
#: What a thing is known by among its like: its key, or what stands for one.
_KEYS: Final = (("key",), ("code",), ("field",), ("entity", "name"), ("entity",))
#: A step of a path that needs no quotes.
_BARE: Final = re.compile(r"[\w+-]+|[A-Z]\w+\.\w+")


@attrs.frozen(kw_only=True)
class Change:
    """
    One setting that two policies say differently.

    Attributes:
        path: Where it stands, things by their keys: ``pools.north.rules.quiet.limit``.
        was: What the old policy says, as data in the form of `salescrm.policy.plain`; *becomes*, what the new one does.
            Of what was reordered, the keys.
    """

    path: str
    kind: ChangeKind
    was: Any = None
    becomes: Any = None

    def explain(self, lang: Language) -> str:
        """The change as a sentence."""
        was, becomes = _shown(self.was, lang), _shown(self.becomes, lang)
        return _SENTENCES[self.kind].text(lang).format(path=self.path, was=was, becomes=becomes)


def diff(old: Policy, new: Policy) -> tuple[Change, ...]:
    """What *new* says otherwise than *old*, in the order of the policy's settings; empty only where they are equal."""
    return tuple(_differences("", old, new))


def _differences(path: str, old: Any, new: Any) -> Iterator[Change]:
    if old == new and type(old) is type(new):
        return
    if _is_keyed(old) and _is_keyed(new):
        yield from _by_key(path, old, new)
    elif type(old) is type(new) and attrs.has(type(old)) and not isinstance(old, get_args(Where)):
        for field in attrs.fields(type(old)):
            # A name stands beside the key, as in a file.
            step = path if field.name == "label" else _joined(path, field.name)
            yield from _differences(step, getattr(old, field.name), getattr(new, field.name))
    else:
        yield Change(path=path, kind="changed", was=plain_value(old), becomes=plain_value(new))


def _by_key(path: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> Iterator[Change]:
    before, after = ({str(_key(one)): one for one in things} for things in (old, new))
    for key, one in before.items():
        if key not in after:
            yield Change(path=_joined(path, key), kind="removed", was=plain_value(one))
    for key, one in after.items():
        if key in before:
            yield from _differences(_joined(path, key), before[key], one)
        else:
            yield Change(path=_joined(path, key), kind="added", becomes=plain_value(one))
    was, becomes = [key for key in before if key in after], [key for key in after if key in before]
    if was != becomes:
        yield Change(path=path, kind="reordered", was=was, becomes=becomes)


def _is_keyed(value: Any) -> bool:
    """Whether *value* is a list of things that each have a key; an empty list may be one."""
    return isinstance(value, tuple) and all(attrs.has(type(one)) and _key(one) is not None for one in value)


def _key(thing: Any) -> str | None:
    """What *thing* is known by, None where it is nothing of that kind."""
    for names in _KEYS:
        if all(hasattr(thing, name) for name in names):
            return ".".join(str(getattr(thing, name)) for name in names)
    return None


def _joined(path: str, step: str) -> str:
    if not _BARE.fullmatch(step):
        step = json.dumps(step, ensure_ascii=False)
    return f"{path}.{step}" if path else step


def _shown(value: Any, lang: Language) -> str:
    match value:
        case None:
            return _NOTHING.text(lang)
        case {"en": str(en), "zh": str(zh)}:
            return zh if lang == "zh" else en
        case str():
            return value
        case list() if all(isinstance(one, str) for one in value):
            return ("、" if lang == "zh" else ", ").join(value) or _NOTHING.text(lang)
        case _:
            return json.dumps(value, ensure_ascii=False)
