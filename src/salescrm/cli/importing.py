"""The command that imports a company's files, and how it tells what became of their rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from salescrm.cli.chosen import DEFAULT_URL, FILE, Chosen, common
from salescrm.cli.showing import counting, show, show_json, told
from salescrm.errors import InvalidValue
from salescrm.imports import ImportResult, RefusedRow, check_plan, import_files, load_plan
from salescrm.labels import Language
from salescrm.locale import label, message
from salescrm.locale.catalogs import catalog
from salescrm.reports import Column, Sheet

__all__ = ["import_files_command"]

#: How many refused rows are shown; a file takes them all.
_SHOWN: Final = 20


@click.command("import")
@click.argument("plan", type=FILE)
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--refused",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="A CSV file for every refused row.",
)
@common()
def import_files_command(chosen: Chosen, plan: Path, directory: Path, refused: Path | None) -> None:
    """
    Import the files of DIRECTORY as PLAN says; safe to run again.

    An empty database is set up on the way.
    """
    wanted = load_plan(plan)
    # Before the database is set up or a file is opened for writing.
    check_plan(wanted, chosen.policy, directory)
    rows: list[RefusedRow] = []
    with (
        _refused_file(refused, chosen.lang) as write,
        chosen.crm(prepare=True) as crm,
        counting() as progress,
    ):

        def keep(row: RefusedRow) -> None:
            write(row)
            if chosen.json or len(rows) < _SHOWN:
                rows.append(row)

        result = import_files(crm, wanted, directory, by=chosen.member, progress=progress, refused=keep)
    if chosen.json:
        show_json({**result.to_plain(), "refused_rows": [_plain(row, chosen.lang) for row in rows]})
    else:
        _show_import(result, rows, chosen)
        for pipeline in wanted.pipelines:
            url = "" if chosen.url == DEFAULT_URL else f" --url {chosen.shown_url}"
            click.echo(
                chosen.say("Try next: ", "接下来可以试试：")
                + f"salescrm report funnel --pipeline {pipeline.key}{url}"
            )
    if result.counts.refused or rows:
        raise click.exceptions.Exit(1)


def _show_import(result: ImportResult, rows: list[RefusedRow], chosen: Chosen) -> None:
    """What became of the rows."""
    heads = (
        ("Records", "记录"),
        ("", ""),
        ("File", "文件"),
        ("Rows", "行数"),
        ("Added", "新增"),
        ("Updated", "更新"),
        ("Unchanged", "未变"),
        ("Refused", "拒绝"),
    )
    columns = tuple(Column(chosen.say(*head), number=n > 2) for n, head in enumerate(heads))
    lines = []
    for one in result.records:
        counts = one.counts
        numbers = (counts.rows, counts.added, counts.updated, counts.unchanged, counts.refused)
        what = (one.name, label(chosen.lang, one.entity), one.file)
        lines.append((*what, *(f"{number:,}" for number in numbers)))
    title = f"{chosen.say('Import', '导入')} · {result.plan}"
    show(Sheet(title=title, columns=columns, rows=tuple(lines)))
    for row in rows:
        where = f"{row.file}:{row.line}" + (f" {row.column}={row.value!r}" if row.column else "")
        told(f"{where}: {_reason(row, chosen.lang)}")
    if (more := result.counts.refused - len(rows)) > 0:
        told(
            chosen.say(
                f"… and {more} more; --refused FILE takes them all",
                f"……还有 {more} 行；用 --refused 文件 保存全部",
            )
        )


@contextmanager
def _refused_file(path: Path | None, lang: Language) -> Iterator[Callable[[RefusedRow], None]]:
    """Writes refused rows to *path* as they come."""
    if path is None:
        yield lambda row: None
        return
    # With a mark, so that a spreadsheet reads it as UTF-8 too.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "line", "records", "column", "value", "reason"))
        yield lambda row: writer.writerow(
            _harmless(cell)
            for cell in (row.file, row.line, row.records, row.column, row.value, _reason(row, lang))
        )


def _harmless(cell: object) -> object:
    """*cell* so that no spreadsheet takes it for a formula, and any encoding can be written."""
    if not isinstance(cell, str):
        return cell
    text = cell.encode("utf-8", "backslashreplace").decode()
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _reason(row: RefusedRow, lang: Language) -> str:
    if lang == "zh" and isinstance(row.problem, InvalidValue):
        return f"应为：{catalog(lang).sentence(row.problem.expected)}"
    return row.reason if lang == "en" else message(row.problem, lang)


def _plain(row: RefusedRow, lang: Language) -> dict[str, Any]:
    return {**row.to_plain(), "reason": _reason(row, lang)}
