"""The root of all errors, what was wrong, who was first, and what is the matter with the engine; what rules refuse is in `refusals`."""

from __future__ import annotations

from itertools import islice
from typing import Any, ClassVar

import attrs

from salescrm.labels import Label

__all__ = [
    "Conflict",
    "CrmError",
    "Duplicate",
    "EngineError",
    "Invalid",
    "InvalidCursor",
    "InvalidDefinition",
    "InvalidQuestion",
    "InvalidValue",
    "Misconfigured",
    "NotFound",
    "SchemaOutdated",
    "StaleWrite",
    "StoreError",
    "TenantRequired",
    "Transient",
    "UnknownField",
    "Unmet",
    "WorkEnded",
    "ascii_safe",
    "fact",
]


@attrs.frozen
class Unmet:
    """One requirement that is not met: a stable *code*, and the *subject* it is about (a field, a stage, a role)."""

    code: str
    subject: str
    #: The sentence, with ``{subject}``; also its key in ``locale/``.
    template: str
    #: What people call the subject, where the host has named it.
    name: Label | None = None

    @property
    def reason(self) -> str:
        """The sentence in English."""
        return self.template.format(subject=self.name.en if self.name else self.subject)

    def __str__(self) -> str:
        return self.reason


def fact(value: Any) -> str:
    """*value* as a sentence shows it: text in quotes, cut where it would drown the sentence."""
    if isinstance(value, str):
        value = value[:100]  # a text of a megabyte is cut before it is quoted
    try:
        if isinstance(value, tuple | list | frozenset | set):
            return ", ".join(fact(one) for one in islice(value, 50))
        shown = str(value) if isinstance(value, Unmet) else ascii_safe(repr(value))
    except (ValueError, RecursionError):  # more digits, or deeper, than Python shows
        shown = f"a {type(value).__name__} too long to show"
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def ascii_safe(text: str) -> str:
    """*text* with what no terminal can encode (lone surrogates) spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class CrmError(Exception):
    """The root: ``except CrmError`` catches all that salescrm raises on purpose."""

    #: The sentence, with the facts by name; also its key in ``locale/``.
    template: ClassVar[str] = "Something went wrong"

    def facts(self) -> dict[str, str]:
        """Each fact by name, ready to stand in a sentence."""
        kind: type = type(self)
        names = (a.name for a in attrs.fields(kind)) if attrs.has(kind) else ()
        return {name: self.fact(name) for name in names}

    def fact(self, name: str) -> str:
        """One fact as text; names of things stand bare, values from outside are quoted."""
        value = getattr(self, name)
        if name not in self.bare:
            return fact(value)
        # Our own words, but a name from outside may be among them.
        text = ascii_safe(str(value)[:500])
        return text if len(text) < 500 else f"{text[:497]}..."

    #: Facts that are our own words (entity, field, reason): shown without quotes.
    bare: ClassVar[frozenset[str]] = frozenset(
        {"entity", "field", "reason", "action", "expected", "hook", "plugin", "state", "hint", "what"}
    )

    def __str__(self) -> str:
        return self.template.format(**self.facts())


class Invalid(CrmError, ValueError):
    """What was asked or given is wrong; nothing was written."""


@attrs.frozen
class InvalidValue(Invalid):
    """One value of one field can't be taken."""

    entity: str
    field: str
    value: Any
    expected: str

    template = "{entity}.{field}: {value} can't be taken; expected {expected}"


@attrs.frozen
class UnknownField(Invalid):
    """No such field on that entity."""

    entity: str
    name: str
    near: tuple[str, ...] = ()

    template = "{entity} has no field {name}; nearest: {near}"

    def fact(self, name: str) -> str:
        return "none" if name == "near" and not self.near else super().fact(name)


@attrs.frozen
class InvalidQuestion(Invalid):
    """A question that no engine may see: too deep, too wide, or of the wrong kind for the field."""

    reason: str

    template = "This question can't be asked: {reason}"


@attrs.frozen
class InvalidCursor(Invalid):
    """A page cursor that was changed, or belongs to another question."""

    reason: str

    template = "This cursor can't be used: {reason}; start again from the first page"


@attrs.frozen
class InvalidDefinition(Invalid):
    """A definition (pipeline, policy, import plan) that contradicts itself; *problems* names all of it."""

    what: str
    problems: tuple[str, ...]

    template = "{what} can't be used: {problems}"

    def fact(self, name: str) -> str:
        return "; ".join(self.problems) if name == "problems" else super().fact(name)


@attrs.frozen
class TenantRequired(Invalid):
    """A multi-tenant Crm was asked for records before it was told whose."""

    template = "This Crm serves many tenants; choose one first with crm.for_tenant(...)"


@attrs.frozen
class NotFound(CrmError, LookupError):
    """No such record, or none that this member may see."""

    entity: str
    id: str

    template = "{entity} {id} was not found"


class Conflict(CrmError):
    """Somebody else was there first."""


@attrs.frozen
class StaleWrite(Conflict):
    """Someone saved this record after you read it; read it again and retry."""

    entity: str
    id: str
    expected_version: int

    template = "{entity} {id} has moved past version {expected_version}; read it again and retry"


@attrs.frozen
class Duplicate(Conflict):
    """A value that must be unique is taken; *key* names the unique key's fields."""

    entity: str
    key: tuple[str, ...]

    template = "Another {entity} has the same {key}"

    def fact(self, name: str) -> str:
        return ", ".join(self.key) if name == "key" else super().fact(name)


@attrs.frozen
class WorkEnded(CrmError):
    """This unit of work is over; begin another."""

    reason: str

    template = "This Work has ended ({reason}); begin another"


class StoreError(CrmError):
    """The engine, or the way to it."""


@attrs.frozen
class EngineError(StoreError):
    """The engine refused for a reason of its own; the driver's error is this one's cause."""

    reason: str

    template = "The engine refused: {reason}"


@attrs.frozen
class Transient(StoreError):
    """
    The engine asks for another try of the whole function: a lock, a deadlock, a lost connection.

    Where *outcome_unknown*, the connection was lost while committing: what was written may be there.  Only a command
    with an idempotency key can safely be tried again.
    """

    reason: str
    outcome_unknown: bool = False

    template = "The store was busy or out of reach ({reason}); try the whole function again"


@attrs.frozen
class Misconfigured(StoreError):
    """A missing package, URL part or capability; *hint* says what to do."""

    reason: str
    hint: str

    template = "{reason}; {hint}"


@attrs.frozen
class SchemaOutdated(StoreError):
    """The tables are not those of this version; run the migration first."""

    found: str | None
    expected: str

    template = "The tables are at {found}, this version needs {expected}; run salescrm migrate"
