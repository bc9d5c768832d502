"""How each file of the package is made: its size, its opening, its public names, and no state of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.architecture.source import Source, sources

MOST_LINES: Final = 400

#: Annotations that say nothing, or that let a type checker's reader change what stands behind.
OPEN: Final = re.compile(r"^(Final)?$|\b(dict|list|set|bytearray|defaultdict|Counter|deque|Mutable\w+)\b")

MUTABLE_CALLS: Final = frozenset(
    {"list", "dict", "set", "bytearray", "defaultdict", "Counter", "deque", "OrderedDict", "ChainMap"}
    | {"WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "Lock", "RLock", "local", "ContextVar"}
)


def test_no_file_outgrows_its_room() -> None:
    """A file near 300 lines has become two rooms; 400 is the end."""
    lengths = {source.at(1): source.text.count("\n") for source in sources()}
    assert {} == {place: length for place, length in lengths.items() if length > MOST_LINES}


def test_every_file_opens_with_what_lives_there() -> None:
    """One sentence, before anything else."""
    assert [] == [
        source.at(1) for source in sources() if source.text.strip() and not ast.get_docstring(source.tree)
    ]


def test_every_public_module_lists_its_names() -> None:
    """`__all__` is the promise; the rest may change."""
    listed = [source for source in sources() if source.public and source.text.strip()]
    assert [] == [source.at(1) for source in listed if _all(source) is None and _binds(source)]


def test_listed_names_exist() -> None:
    """A name in `__all__` that nobody defines breaks whoever believes it."""
    missing = [
        f"{source.at(1)} {name}"
        for source in sources()
        for name in _all(source) or ()
        if name not in _binds(source) and "__getattr__" not in _binds(source)
    ]
    assert [] == missing


def test_modules_hold_no_mutable_state() -> None:
    """What a module holds is constant: a tuple, a frozenset, a proxy, or a table annotated as read-only."""
    stateful = [
        source.at(statement.lineno)
        for source in sources()
        if "migrations" not in source.path.parts
        for statement in _statements(source.tree.body)
        if _is_state(statement)
    ]
    stateful += [
        source.at(node.lineno)
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Global)
    ]
    assert [] == stateful


def test_every_ignore_names_its_code_and_its_reason() -> None:
    """`# type: ignore[code]  # why`, `# noqa: CODE  # why`."""
    reasoned = re.compile(r"# (type: ignore\[[\w, -]+\]|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*)\s+(#|-|—) *\S")
    bare = [
        source.at(number)
        for source in sources()
        for number, line in enumerate(source.text.splitlines(), 1)
        if re.search(r"# (type: ignore|noqa|pyright:)", line) and not reasoned.search(line)
    ]
    assert [] == bare


def test_nothing_is_left_for_later() -> None:
    """No stub, no note to self: what is not done is not there."""
    later = re.compile(r"NotImplementedError|\b(TODO|FIXME|XXX|HACK)\b")
    found = [
        source.at(number)
        for source in sources()
        for number, line in enumerate(source.text.splitlines(), 1)
        if later.search(line)
    ]
    assert [] == found


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run at import, those inside `if` and `try` too."""
    for statement in body:
        yield statement
        for field in ("body", "orelse", "finalbody"):
            if isinstance(statement, (ast.If, ast.Try, ast.With)):
                yield from _statements(getattr(statement, field, []))


def _is_state(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assign):
        names, annotation = [ast.unparse(target) for target in statement.targets], ""
    elif isinstance(statement, ast.AnnAssign):
        names, annotation = [ast.unparse(statement.target)], ast.unparse(statement.annotation)
    else:
        return False
    if names == ["__all__"] or not OPEN.search(annotation) or statement.value is None:
        return False
    return _is_mutable(statement.value)


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).split(".")[-1].split("[")[0] in MUTABLE_CALLS
    return isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp))


def _all(source: Source) -> list[str] | None:
    for statement in source.tree.body:
        if isinstance(statement, ast.Assign) and ["__all__"] == [
            ast.unparse(target) for target in statement.targets
        ]:
            names: list[str] = ast.literal_eval(statement.value)
            return names
    return None


def _binds(source: Source) -> frozenset[str]:
    """The names that the module has after its import."""
    names: set[str] = set()
    for statement in _statements(source.tree.body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            names.update(
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            )
    return frozenset(names)
