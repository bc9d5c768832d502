"""The command that looks at a policy file: what is wrong with it, what it surely does not mean, what it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from salescrm.cli.chosen import FILE, as_json, language, speaking
from salescrm.cli.showing import show_json
from salescrm.errors import InvalidDefinition
from salescrm.labels import Language
from salescrm.locale.catalogs import catalog
from salescrm.policy import Change, Finding, diff, findings, load

__all__ = ["check_policy_command"]


@click.command("check-policy")
@click.argument("file", type=FILE)
@click.option("--against", type=FILE, help="An older version: what FILE changes of it is shown.")
@click.option(
    "--calendar",
    "calendars",
    multiple=True,
    metavar="KEY",
    help="A working calendar that the host program brings itself; may be repeated.",
)
@language()
@as_json()
def check_policy_command(
    file: Path, against: Path | None, calendars: tuple[str, ...], chosen_lang: Language | None, as_json: bool
) -> None:
    """
    Tell everything that is wrong with the policy in FILE, or surely not meant.

    Exit code 1 if there is anything.
    """
    lang, problems, found, changes = chosen_lang or "en", tuple[str, ...](), tuple[Finding, ...](), None
    with speaking(lang):
        old = None if against is None else load(against)
        try:
            policy = load(file)
        except InvalidDefinition as refused:
            problems = tuple(catalog(lang).sentence(one) if lang == "zh" else one for one in refused.problems)
        else:
            lang = chosen_lang or policy.language
            found = findings(policy, calendars=calendars)
            changes = None if old is None else diff(old, policy)
    if as_json:
        show_json(_plain(file, problems, found, changes, lang))
    else:
        _tell(problems, found, changes, lang)
    if problems or found:
        raise click.exceptions.Exit(1)


def _plain(
    file: Path,
    problems: tuple[str, ...],
    found: tuple[Finding, ...],
    changes: tuple[Change, ...] | None,
    lang: Language,
) -> dict[str, Any]:
    data: dict[str, Any] = {"file": file.name, "ok": not problems and not found, "problems": problems}
    data["findings"] = [
        {"code": one.code, "pool": one.pool, "rule": one.rule, "sentence": one.explain(lang)} for one in found
    ]
    if changes is not None:
        data["changes"] = [
            {"path": one.path, "kind": one.kind, "was": one.was, "becomes": one.becomes} for one in changes
        ]
    return data


def _tell(
    problems: tuple[str, ...],
    found: tuple[Finding, ...],
    changes: tuple[Change, ...] | None,
    lang: Language,
) -> None:
    for one in (*problems, *(finding.explain(lang) for finding in found)):
        click.echo(one)
    if not problems and not found:
        click.echo("没有发现问题" if lang == "zh" else "Nothing is wrong with it")
    if changes is not None:
        click.echo(_changed(len(changes), lang))
        for change in changes:
            click.echo(f"  {change.explain(lang)}")


def _changed(count: int, lang: Language) -> str:
    if not count:
        return "与旧版本没有差别" if lang == "zh" else "It changes nothing"
    return f"与旧版本有 {count} 处不同：" if lang == "zh" else f"It changes {count} settings:"
