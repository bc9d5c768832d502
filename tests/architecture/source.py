"""The package as its syntax trees: what the architecture tests read; nothing is imported to be looked at."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src" / "salescrm"


@attrs.frozen
class Import:
    """One imported module, absolute, and whether only a type checker sees it."""

    target: str
    line: int
    typing_only: bool

    @property
    def package(self) -> str:
        """The distribution's or our own first name: ``sqlalchemy``, ``salescrm``."""
        return self.target.split(".")[0]

    @property
    def room(self) -> str | None:
        """Which of our top-level modules this is, or nothing for someone else's and for ``salescrm`` itself."""
        return self.target.split(".")[1] if self.target.startswith("salescrm.") else None


@attrs.frozen
class Source:
    """One file of the package."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name, ``salescrm.backends.sql.store``."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str | None:
        """The top-level module it belongs to, ``backends``; nothing for the package's own ``__init__``."""
        return Import(self.name, 0, typing_only=False).room

    @property
    def public(self) -> bool:
        """Whether its name says that it may be used from outside; migrations are scripts, not modules."""
        return "migrations" not in self.path.parts and not any(
            part.startswith("_") for part in self.name.split(".")
        )

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"

    def imports(self) -> Iterator[Import]:
        """Every import in the file, in functions too; a name from ``salescrm`` counts as the module of that name."""
        typing_only = {
            inner
            for node in ast.walk(self.tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                targets = (
                    [f"{origin}.{alias.name}" for alias in node.names] if origin == "salescrm" else [origin]
                )
            else:
                continue
            for target in targets:
                yield Import(target, node.lineno, node in typing_only)

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.path.name == "__init__.py" else self.name.split(".")[:-1]
        base = package[: len(package) - node.level + 1]
        return ".".join([*base, *([node.module] if node.module else [])])


@cache
def sources() -> tuple[Source, ...]:
    """Every file of the package, in order of its path."""
    paths = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
    texts = [(path, path.read_text(encoding="utf-8")) for path in paths]
    return tuple(Source(path, text, ast.parse(text, str(path))) for path, text in texts)


@cache
def rooms() -> frozenset[str]:
    """The top-level modules that are there."""
    return frozenset(source.room for source in sources() if source.room is not None)


@cache
def levels() -> Mapping[str, int]:
    """How high each top-level module stands, from the import contract in ``pyproject.toml``; 0 is the lowest."""
    layers: list[str] = _contract()["layers"]
    return {
        name.strip().strip("()"): height
        for height, layer in enumerate(reversed(layers))
        for name in layer.split(":")
    }


@cache
def upward_for_types() -> frozenset[tuple[str, str]]:
    """Which module may name a type of which higher one, from the same contract."""
    pairs = (line.split("->") for line in _contract()["ignore_imports"])
    return frozenset((low.strip().split(".")[1], high.strip().split(".")[1]) for low, high in pairs)


def _contract() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, list[str]]
    (found,) = (one for one in project["tool"]["importlinter"]["contracts"] if one["id"] == "layers")
    return found
