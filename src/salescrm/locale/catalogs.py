"""The catalogs of the two languages: gettext's .mo files, read from the package and never chosen by the machine."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args

import attrs

from salescrm.errors import InvalidValue
from salescrm.labels import Language

__all__ = ["Catalog", "catalog"]

_PLACE: Final = re.compile(r"\{(\w+)\}")
#: A longer text is a person's own, not one of ours with something filled in; ours don't stand in each other deeper.
_LONGEST: Final = 5_000
_DEEPEST: Final = 4


@attrs.frozen
class Pattern:
    """A sentence with places to fill in: what stands around them, and the translation with its places numbered."""

    around: tuple[str, ...]
    translated: str

    @property
    def particular(self) -> int:
        """How much of it is fixed: the more, the surer a match."""
        return sum(map(len, self.around))

    def filled(self, text: str) -> tuple[str, ...] | None:
        """What stands in the places if *text* is this sentence; each as short as it can be, found in linear time."""
        first, *inner, last = self.around
        if not (text.startswith(first) and text.endswith(last)):
            return None
        found, at, end = [], len(first), len(text) - len(last)
        for literal in inner:
            next_one = text.find(literal, at, end)
            if next_one < 0:
                return None
            found.append(text[at:next_one])
            at = next_one + len(literal)
        return (*found, text[at:end]) if at <= end else None

    def said(self, parts: Sequence[str]) -> str:
        """The translation with *parts* in its places."""
        # Not str.format: a sentence may show braces of its own.
        return _PLACE.sub(lambda place: parts[int(place[1])], self.translated)


@attrs.frozen(eq=False)
class Catalog:
    """
    What one language says for names and sentences.

    Attributes:
        names: By key: ``Customer``, ``Customer.kind``, ``Customer.kind.person``.
        sentences: By the English sentence, with ``{…}`` where something is filled in.
        patterns: Those with something to fill in, the most particular first.
    """

    names: Mapping[str, str]
    sentences: Mapping[str, str]
    patterns: tuple[Pattern, ...]

    def name(self, *keys: str) -> str | None:
        """The name under the first of *keys* that has one."""
        return next((self.names[key] for key in keys if key in self.names), None)

    def sentence(self, text: str, *, depth: int = 0) -> str:
        """
        The English *text* in this language; as it is where nothing is known of it.

        A text with values filled in is recognised by what stands around them, and so are sentences inside sentences; an
        entity inside a sentence goes by its name.
        """
        said = self.sentences.get(text)
        if said is not None or len(text) > _LONGEST or depth > _DEEPEST:
            return said or text
        if depth and text[:1].isupper() and text in self.names:
            return self.names[text]
        for pattern in self.patterns:
            if (filled := pattern.filled(text)) is not None:
                return pattern.said([self.sentence(part, depth=depth + 1) for part in filled])
        return text


@cache
def catalog(lang: Language) -> Catalog:
    """The catalog of *lang*.

    Raises:
        InvalidValue: There is no such language.
    """
    if lang not in get_args(Language):
        raise InvalidValue("Policy", "language", lang, f"one of {', '.join(get_args(Language))}")
    file = Path(__file__).parent / lang / "LC_MESSAGES" / "salescrm.mo"
    names: dict[str, str] = {}
    sentences: dict[str, str] = {}
    for key, text in _entries(file.read_bytes()):
        # gettext joins context and text with EOT; the header's key is empty.
        context, mark, name = key.partition("\x04")
        if mark and context == "label":
            names[name] = text
        elif key:
            sentences[key] = text
    patterns = [_pattern(key, text) for key, text in sentences.items() if _PLACE.search(key)]
    patterns.sort(key=lambda pattern: pattern.particular, reverse=True)
    return Catalog(MappingProxyType(names), MappingProxyType(sentences), tuple(patterns))


def _entries(data: bytes) -> Iterator[tuple[str, str]]:
    """The pairs in a .mo file (GNU gettext manual, "The Format of GNU MO Files"), in the byte order it was written in."""
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, keys, texts = struct.unpack_from(f"{order}3I", data, 8)
    for n in range(count):
        (length, start), (size, begin) = (
            struct.unpack_from(f"{order}2I", data, table + 8 * n) for table in (keys, texts)
        )
        yield data[start : start + length].decode(), data[begin : begin + size].decode()


def _pattern(template: str, translated: str) -> Pattern:
    numbers = {name: f"{{{n}}}" for n, name in enumerate(_PLACE.findall(template))}
    return Pattern(
        tuple(_PLACE.split(template)[::2]), _PLACE.sub(lambda found: numbers[found[1]], translated)
    )
