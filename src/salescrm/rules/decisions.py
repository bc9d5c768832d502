"""What a rule gives: a verdict with its reasons, as a value that a person can be told in their language."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date, datetime
from typing import Final, TypeAlias

import attrs

from salescrm.labels import Label, Language

__all__ = ["Decision", "Input", "InputValue", "shown"]

InputValue: TypeAlias = datetime | date | int | str | bool | tuple[str, ...] | None

_NOTHING: Final = Label("none", "无")


@attrs.frozen(kw_only=True)
class Input:
    """One thing that a rule looked at: its *value*, and the *threshold* that it was held against, if any."""

    name: Label
    value: InputValue
    threshold: InputValue = None


@attrs.frozen(kw_only=True)
class Decision(ABC):
    """
    What a rule decided, and why.

    Attributes:
        verdict: The outcome, a stable word to branch on.
        rule: The key of the rule that decided, where there are several.
        policy_version: Which version of the policy it was.
        inputs: What was looked at.
        next_change: The day or moment at which, if nothing happens meanwhile, the verdict would be another.
    """

    verdict: str
    rule: str | None = None
    policy_version: int
    inputs: tuple[Input, ...] = ()
    next_change: date | datetime | None = None

    @abstractmethod
    def explain(self, lang: Language) -> str:
        """The decision as a sentence that a salesperson understands."""


def shown(value: InputValue, lang: Language) -> str:
    """*value* as a sentence shows it; a moment as its day."""
    match value:
        case None:
            return _NOTHING.text(lang)
        case datetime():
            return f"{value:%Y-%m-%d}"
        case date():
            return value.isoformat()
        case tuple():
            return ("、" if lang == "zh" else ", ").join(value)
        case _:
            return str(value)
