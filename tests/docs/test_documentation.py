"""Nothing public stays undocumented: hooks with their arguments, errors, every name of ``salescrm``, every page."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import salescrm
from salescrm import errors
from salescrm.hooks import Specification

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOOKS = {
    name: [argument for argument in inspect.signature(hook).parameters if argument != "self"]
    for name, hook in vars(Specification).items()
    if not name.startswith("_")
}
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def referenced() -> list[str]:
    """The modules that the reference shows, all of their public members with them."""
    return [
        module
        for page in sorted((DOCS / "reference").glob("*.md"))
        for module in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]


def shows(name: str, value: Any) -> bool:
    """Whether one of the modules in the reference defines *name* as *value*, and says so in its ``__all__``."""
    for path in referenced():
        module = import_module(path)
        defined_here = getattr(value, "__module__", path) == path or not inspect.isclass(value)
        if name in getattr(module, "__all__", ()) and getattr(module, name) is value and defined_here:
            return True
    return False


@pytest.mark.parametrize("table", ["README.md", "README.zh.md", "docs/index.md", "mkdocs.yml"])
def test_every_guide_can_be_found(table: str) -> None:
    """From each place where one looks for what to read next; a page may be there in the reader's own language only."""
    text = (ROOT / table).read_text(encoding="utf-8")
    missing = [
        page
        for page in PAGES
        if page.startswith(("howto/", "explanation/"))
        if page not in text and page.replace(".zh.md", ".md") not in text
        if page.replace(".md", ".zh.md") not in text
    ]
    assert [] == missing


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_documented_with_its_arguments(hook: str) -> None:
    """The table of the how-to has each hook, with the arguments it takes, in their order."""
    page = (DOCS / "howto" / "write-a-hook.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{hook}` \| ([^|]*) \|", page, flags=re.MULTILINE)
    assert row, f"{hook} has no row in docs/howto/write-a-hook.md"
    assert re.findall(r"`(\w+)`", row[1]) == HOOKS[hook]
    assert inspect.getdoc(getattr(Specification, hook))


def test_only_hooks_that_exist_are_documented() -> None:
    """A hook that is gone leaves the table."""
    page = (DOCS / "howto" / "write-a-hook.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE))
    assert documented == set(HOOKS)


@pytest.mark.parametrize("name", salescrm.__all__)
def test_public_name_is_in_the_reference(name: str) -> None:
    """Whatever one imports from ``salescrm`` can be looked up."""
    assert shows(name, getattr(salescrm, name))


@pytest.mark.parametrize("name", errors.__all__)
def test_error_is_in_the_reference(name: str) -> None:
    """Each error class is shown, and its docstring says what happened."""
    error = getattr(errors, name)
    assert shows(name, error)
    assert error.__doc__
    assert not error.__doc__.startswith("Method generated"), f"{name} has no docstring of its own"


def test_error_tree_is_drawn_in_full() -> None:
    """The tree at the top of ``salescrm.errors`` has every error, and none that isn't there."""
    drawn = set(re.findall(r"[├└]─ (\w+)", errors.__doc__ or ""))
    raised = {name for name in errors.__all__ if issubclass(getattr(errors, name), BaseException)} - {
        "CrmError"
    }
    assert drawn == raised


def test_every_page_is_in_the_navigation() -> None:
    """A page that no one can find is a mistake, and so is a way to nowhere."""

    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", config, flags=re.MULTILINE)) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_block_runs_or_is_shown_from_a_file_that_runs(page: str) -> None:
    """Python in the documentation is a ``python`` block, which Sybil runs, or a ``py`` block with nothing but an example."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        assert language in {"python", "py", "console", "text", "toml"}
        if language == "py":
            shown = re.fullmatch(r'--8<-- "(examples/\w+\.py)"\n', body)
            assert shown
            assert (ROOT / shown[1]).exists()


def test_prose_is_one_sentence_per_line() -> None:
    """A change to one sentence is a change to one line; tables, lists and blocks aside."""
    wrong = []
    for page in (*PAGES, "../README.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        lines = (line for line in prose.splitlines() if not line.startswith(("|", "-", "#", ":::", " ")))
        wrong += [f"{page}: {line}" for line in lines if re.search(r"[a-z)`]\. [A-Z`]", line)]
    assert wrong == []
