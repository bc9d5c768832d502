"""Every command line that a page shows is one that `salescrm` takes, and the README's first one does its job."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from salescrm.cli.commands import cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
SHOWN = sorted(
    {
        line.strip()
        for page in PAGES
        for line in re.findall(
            r"(?:^|`|&& )(salescrm [a-z][^`&\n]*)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
)


def test_commands_are_shown() -> None:
    """The search for them finds some."""
    assert any(line.startswith("salescrm import") for line in SHOWN)


@pytest.mark.parametrize("line", SHOWN)
def test_command_line_is_understood(line: str) -> None:
    """The command, its options and the number of its arguments are there."""
    _, *words = shlex.split(line)
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command = found
    command.make_parser(click.Context(command)).parse_args(words)


@pytest.mark.engine("sqlite")
def test_first_command_of_the_readme_shows_a_funnel(tmp_path: Path) -> None:
    """In an empty folder, with nothing but the package: a database, a funnel, and what to try next."""
    script = Path(sys.executable).with_name("salescrm")
    done = subprocess.run(
        [script, "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "salescrm report" in done.stdout
    assert list(tmp_path.glob("*.db"))
