"""What the READMEs open with runs on every engine, their commands are those of CI, and their links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import salescrm
from salescrm import Crm

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh.md")


def blocks(readme: str, language: str) -> list[str]:
    """The code blocks in *language*, in order."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def opening_test(readme: str) -> Callable[[Crm], None]:
    """The test function that *readme* opens with."""
    names: dict[str, Any] = {}
    # The README's own text, as it stands there.
    exec(compile(blocks(readme, "python")[0], readme, "exec"), names)
    [test] = [value for name, value in names.items() if name.startswith("test_")]
    return test  # type: ignore[no-any-return]  # from a namespace of anything


@pytest.mark.parametrize("readme", READMES)
def test_opening_test_passes_on_every_engine(readme: str, engine_url: str) -> None:
    """The very block that a reader sees first."""
    with salescrm.connect(engine_url) as crm:
        crm.migrate()
        opening_test(readme)(crm)


@pytest.mark.parametrize("readme", READMES)
def test_opening_test_asks_for_the_plugins_fixture(readme: str) -> None:
    """Copied into a host's tests it finds its fixture, and runs once per engine there."""
    import salescrm_pytest

    code = opening_test(readme).__code__

    assert [name for name in code.co_varnames[: code.co_argcount] if not hasattr(salescrm_pytest, name)] == []


@pytest.mark.parametrize("readme", READMES)
def test_two_commands_are_given(readme: str) -> None:
    """One for the main job (and the same on real files), one for the tests; CI runs the second one."""
    main_job, real_files, tests = blocks(readme, "console")
    assert main_job == "python -m pip install '.[cli,sql]' && salescrm demo\n"
    assert real_files.startswith("salescrm import examples/maven/plan.toml ")
    assert tests == "python -m pip install -e '.[test]' && python -m pytest\n"
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert all(part in ci.replace(" --quiet", "") for part in tests.strip().split(" && "))


@pytest.mark.parametrize("readme", READMES)
def test_links_lead_somewhere(readme: str) -> None:
    """Each relative link is a file or a folder of the repository."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / readme).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert len(links) > 10


def test_both_languages_show_the_same() -> None:
    """The Chinese README is no excerpt: as many sections, tables, blocks and links as the English one."""

    def outline(readme: str) -> dict[str, int]:
        text = (ROOT / readme).read_text(encoding="utf-8")
        marks = {"sections": r"^##", "rows": r"^\|", "blocks": r"^```\w", "links": r"\]\("}
        return {name: len(re.findall(mark, text, flags=re.MULTILINE)) for name, mark in marks.items()}

    assert outline("README.md") == outline("README.zh.md")
