"""A name in both languages, for what a host names itself: stages, choices, custom fields; our own words are in `locale`."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = ["Label", "Language"]

Language: TypeAlias = Literal["en", "zh"]


@attrs.frozen
class Label:
    """What people call something, in English and in Chinese."""

    en: str
    zh: str

    def text(self, lang: Language) -> str:
        """The name in *lang*."""
        return self.zh if lang == "zh" else self.en

    @property
    def is_blank(self) -> bool:
        """Whether one of the two shows nothing."""
        return not (self.en.strip() and self.zh.strip())
