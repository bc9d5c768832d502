"""
How the source becomes the reference: an extension of griffe, which reads it for mkdocs.

A ``#:`` comment above an attribute is its docstring, ``__special__`` members are not listed, and the few marks of
reStructuredText in our docstrings are said in Markdown.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import griffe

__all__ = ["Reference"]


class Reference(griffe.Extension):
    """Called by griffe for whatever it has met."""

    def on_instance(self, *, node: ast.AST | griffe.ObjectNode, obj: griffe.Object, **_: Any) -> None:
        """A module, class, function or attribute."""
        if obj.name.startswith("__"):
            obj.public = False
        if isinstance(obj, griffe.Attribute) and obj.docstring is None:
            obj.docstring = _note(obj)
        if obj.docstring is not None:
            text = re.sub(r"^::$\n", "", obj.docstring.value, flags=re.MULTILINE)
            text = re.sub(r"::$", ":", text, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r":\w+:(?=`)", "", text)


def _note(attribute: griffe.Attribute) -> griffe.Docstring | None:
    """What the ``#:`` lines right above *attribute* say."""
    if attribute.lineno is None or not isinstance(attribute.filepath, Path):
        return None
    above = attribute.lines_collection[attribute.filepath][: attribute.lineno - 1]
    notes: list[str] = []
    while above and above[-1].strip().startswith("#:"):
        notes.insert(0, above.pop().strip().removeprefix("#:").strip())
    return griffe.Docstring("\n".join(notes), parent=attribute) if notes else None
