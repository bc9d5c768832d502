"""The public names: each is at home where the package says, in both of its lists."""

from __future__ import annotations

import ast
from pathlib import Path

import salescrm


def test_every_public_name_is_there_and_listed_where_type_checkers_look() -> None:
    source = ast.parse(Path(salescrm.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.name
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("salescrm")
        for alias in node.names
    }

    assert seen == set(salescrm.__all__)
    assert sorted(salescrm.__all__) == sorted(dir(salescrm))
    for name in salescrm.__all__:
        assert name == name.strip()
        assert getattr(salescrm, name) is not None


def test_no_other_name_is_made_up() -> None:
    assert not hasattr(salescrm, "no_such_name")
