"""
The catalogs of `salescrm.locale`: what the source says is gathered, what no catalog has is named, .po becomes .mo.

    python -m tools.messages            name what is missing or left over; exit code 1 if anything is
    python -m tools.messages --compile  write each .mo from its .po

There is no marking of texts in the source: an error's template, and the sentences that are handed to errors as facts
(what was expected, why, a hint), are found by where they stand.  An f-string becomes a pattern: ``at most {0} levels``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

__all__ = ["LABEL", "LANGUAGES", "catalog", "compiled", "gathered", "main", "po"]

PACKAGE: Final = Path(__file__).parents[1] / "src" / "salescrm"
LANGUAGES: Final = ("en", "zh")
#: The context of names of entities, fields and choices, which are looked up by key.
LABEL: Final = "label"

#: By the name that is called, which arguments are sentences; -1 is the last one.
SENTENCES: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "InvalidValue": (3,),
        "wrong": (-1,),
        "refused": (-1,),
        "_refused": (-1,),
        "InvalidQuestion": (0,),
        "InvalidCursor": (0,),
        "InvalidDefinition": (0, 1),
        "WorkEnded": (0,),
        "Transient": (0,),
        "EngineError": (0,),
        "Misconfigured": (0, 1),
        "StateRefused": (2, 3),
        "Unmet": (2,),
        "unmet": (1,),
        # Said by a method of our own, which hands it on.
        "_end": (0,),
        "_planned": (1,),
        "_twice": (0,),
    }
)
#: Modules whose functions yield sentences, each problem of a definition, or raise them for others to gather.
YIELDING: Final = frozenset(
    {
        "approval_checks",
        "assignments",
        "binding",
        "calendars",
        "checks",
        "jsonable",
        "plain",
        "plan",
        "pool_checks",
    }
)


def gathered() -> dict[str, str]:
    """Every sentence and pattern that a person can meet, and where it stands."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node, line in _sentences(tree, yielding=path.stem in YIELDING):
            for text in _texts(node, tree):
                if " " in text or text.isalpha():  # else it is a key, a path or nothing but what is filled in
                    found.setdefault(text, f"{path.relative_to(PACKAGE.parent)}:{line}")
    return found


def _sentences(tree: ast.Module, *, yielding: bool) -> Iterator[tuple[ast.expr, int]]:
    """Each expression that becomes a sentence."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name("template")], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name("template"), value=ast.expr() as value)
            ):
                yield value, node.lineno
            case ast.Call(func=(ast.Name(id=name) | ast.Attribute(attr=name)), args=args) if (
                name in SENTENCES
            ):
                for place in SENTENCES[name]:
                    if place < len(args):
                        yield args[place], node.lineno
            case ast.Call(func=ast.Attribute(listed, "append"), args=[value]) if ast.unparse(listed).endswith(
                "problems"
            ):
                yield value, node.lineno
            case ast.Yield(value=ast.expr() as value) if yielding:
                yield value, node.lineno
            case ast.Call(func=ast.Name("ValueError"), args=[value]) if yielding:
                yield value, node.lineno
            case _:
                pass


def _texts(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    """The texts that *node* can come to, with ``{0}``, ``{1}`` for what is filled in."""
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.JoinedStr(parts):
            filled = iter(range(len(parts)))
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"{{{next(filled)}}}" for part in parts
            )
            for part in parts:
                if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
                    yield from _assigned(part.value.id, tree)
        case ast.BinOp(ast.Constant(str(text)), ast.Add(), _):
            yield f"{text}{{0}}"
        case ast.IfExp(_, one, other):
            yield from _texts(one, tree)
            yield from _texts(other, tree)
        case ast.BoolOp(ast.Or(), [*_, other]):  # what is said where there is nothing to fill in
            yield from _texts(other, tree)
        case ast.Tuple(parts):
            for part in parts:
                yield from _texts(part, tree)
        case ast.Subscript(value) | ast.Call(
            ast.Attribute(value, "removeprefix")
        ):  # cut to a length, or at the front
            yield from _texts(value, tree)
        case ast.Name(name) | ast.Attribute(attr=name):
            yield from _assigned(name, tree)
        case _:
            pass


def _assigned(name: str, tree: ast.Module) -> Iterator[str]:
    """The texts that *name* is given anywhere in the module."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(target) | ast.Attribute(attr=target)], value=ast.expr() as value)
                | ast.AnnAssign(target=ast.Name(target), value=ast.expr() as value)
            ) if target == name and not isinstance(value, ast.Name | ast.Attribute):
                yield from _texts(value, tree)
            case _:
                pass


def po(lang: str) -> Path:
    """Where the catalog of *lang* is written by hand."""
    return PACKAGE / "locale" / lang / "LC_MESSAGES" / "salescrm.po"


def catalog(lang: str) -> Catalog:
    """The catalog of *lang*, as it is written."""
    with po(lang).open("rb") as file:
        return read_po(file, locale=lang, abort_invalid=True)


def compiled(lang: str) -> bytes:
    """The .mo of *lang*, as it is to be."""
    import io

    made = io.BytesIO()
    write_mo(made, catalog(lang))
    return made.getvalue()


def main(arguments: list[str]) -> int:
    """Compile, or name what the Chinese catalog has too little or too much of."""
    if arguments == ["--compile"]:
        for lang in LANGUAGES:
            po(lang).with_suffix(".mo").write_bytes(compiled(lang))
        return 0
    said, written = (
        gathered(),
        {str(one.id) for one in catalog("zh") if one.id and not one.context and one.string},
    )
    for text in sorted(said.keys() - written):
        sys.stdout.write(f"missing: {text!r} ({said[text]})\n")
    for text in sorted(written - said.keys()):
        sys.stdout.write(f"left over: {text!r}\n")
    return int(said.keys() != written)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
