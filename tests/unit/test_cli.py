"""What the command line promises: one clear sentence where something is wrong, and nothing but JSON where JSON was asked for."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import salescrm
from salescrm import F
from salescrm.cli.commands import cli

pytestmark = pytest.mark.engine("sqlite")

PLAN = """
    name = "cli"
    currency = "CNY"
    [maps.stages]
    open = "new"
    [[pipelines]]
    key = "short"
    en = "Short"
    zh = "短流程"
    stages = [
        { key = "new", en = "New", zh = "新建", probability = 10 },
        { key = "won", en = "Won", zh = "成交", kind = "won" },
    ]
    [[records]]
    name = "customers"
    file = "customers.csv"
    entity = "Customer"
    key = "name"
    fields.name = "name"
    fields.founded_year = "founded"
    [[records]]
    name = "deals"
    file = "deals.csv"
    entity = "Opportunity"
    key = "no"
    fields.name = "no"
    fields.customer_id = { column = "customer", refers = "customers" }
    fields.amount = "amount"
    [records.history]
    pipeline = "short"
    stage = { column = "stage", map = "stages" }
    dates = { new = "opened", won = "closed" }
"""


class Desk:
    """A folder with a plan and its files, and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'crm.db'}"
        self.plan = folder / "plan.toml"
        self.plan.write_text(dedent(PLAN), encoding="utf-8")
        self.write("customers.csv", "name,founded\nAcme,1999\nBolt,2001\n")
        self.write(
            "deals.csv",
            "no,customer,amount,stage,opened,closed\n1,Acme,5,won,2026-01-01,2026-01-09\n2,,,open,2026-02-01,\n",
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, *arguments: str | Path, url: str | None = None) -> Result:
        result = CliRunner().invoke(cli, [*map(str, arguments), "--url", url or self.url])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert "Traceback" not in result.output
        return result

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_import_then_report(desk: Desk) -> None:
    """An empty database is set up on the way, and the plan's pipeline is known to whoever asks later."""
    done = desk.run("import", desk.plan, desk.folder)
    funnel = desk.json("report", "funnel", "--pipeline", "short")
    rows = desk.json("report", "performance", "--by", "close_quarter")["rows"]

    assert 0 == done.exit_code
    assert "salescrm report funnel --pipeline short" in done.stdout
    assert "Set up the empty database" in done.stderr
    assert [("new", 1, 2), ("won", 1, 1)] == [
        (stage["stage"], stage["count"], stage["reached"]) for stage in funnel["stages"]
    ]
    assert (1, 5, 8.0) == (funnel["won"], funnel["stages"][1]["amount"], funnel["cycle_days"]["median"])
    assert [("2026Q1", 1, 5)] == [(row["key"], row["won"], row["revenue"]) for row in rows]


def test_import_twice(desk: Desk) -> None:
    """The second time nothing is added, and nothing is wrong with that."""
    first, second = (desk.json("import", desk.plan, desk.folder) for _ in range(2))
    assert (4, 4, 0) == (first["rows"], first["added"], first["unchanged"])
    assert (4, 0, 4) == (second["rows"], second["added"], second["unchanged"])


def test_a_changed_plan_counts(desk: Desk) -> None:
    """What the last import said of its pipeline is what reports show."""
    desk.run("import", desk.plan, desk.folder)
    desk.plan.write_text(dedent(PLAN).replace('"新建"', '"新商机"'), encoding="utf-8")
    desk.run("import", desk.plan, desk.folder)
    assert "新商机" in desk.run("report", "funnel", "--pipeline", "short", "--lang", "zh").stdout


def test_refused_rows_are_findings(desk: Desk) -> None:
    """Exit code 1; told with line, column, value and reason, in a file too, in which nothing is a formula."""
    desk.write("customers.csv", "name,founded\nAcme,old\n=1+1,x\nBolt,2001\n")
    refused = desk.folder / "refused.csv"

    shown = desk.run("import", desk.plan, desk.folder, "--refused", refused)
    told = desk.run("import", desk.plan, desk.folder, "--json", "--lang", "zh")

    assert (1, 1) == (shown.exit_code, told.exit_code)
    assert "customers.csv:2 founded='old': expected a number" in shown.stderr
    rows = json.loads(told.stdout)["refused_rows"]
    assert [
        ("customers.csv", 2, "founded", "old"),
        ("customers.csv", 3, "founded", "x"),
        ("deals.csv", 2, "customer", "Acme"),
    ] == [(row["file"], row["line"], row["column"], row["value"]) for row in rows]
    assert rows[0]["reason"].startswith("应为：")
    assert "应为：已有客户的键" == rows[2]["reason"]
    with refused.open(encoding="utf-8-sig", newline="") as file:
        written = list(csv.DictReader(file))
    assert ["old", "x", "Acme"] == [row["value"] for row in written]


def test_values_in_the_refused_file_are_no_formulas(desk: Desk) -> None:
    desk.write("customers.csv", "name,founded\nAcme,=cmd()\n")
    desk.run("import", desk.plan, desk.folder, "--refused", desk.folder / "refused.csv")
    assert "'=cmd()" in (desk.folder / "refused.csv").read_text(encoding="utf-8-sig")


def test_tenants_are_apart(desk: Desk) -> None:
    desk.run("import", desk.plan, desk.folder, "--tenant", "a")
    assert 4 == desk.json("import", desk.plan, desk.folder, "--tenant", "b")["added"]


def test_the_acting_member_is_kept(desk: Desk) -> None:
    desk.run("import", desk.plan, desk.folder, "--as", "li")
    with salescrm.connect(desk.url) as crm, crm.begin(by="me") as work:
        assert {"li"} == {one.created_by for one in work.customers.stream()}


@pytest.mark.parametrize(
    "arguments, code, told",
    [
        (["report", "funnel"], 1, "is empty: import something first, or run salescrm migrate"),
        (["report", "funnel", "--lang", "zh"], 1, "是空的"),
        (["report", "funnel", "--url", "oracle://x"], 2, "no backend serves oracle://"),
        (["report", "weather"], 2, "No such command 'weather'"),
        (["report", "performance", "--by", "weather"], 2, "'weather' is not one of"),
        (["report", "funnel", "--since", "yesterday"], 2, "does not match the format"),
        (["report", "funnel", "--policy", "gone.toml"], 2, "does not exist"),
        (["import", "gone.toml", "."], 2, "does not exist"),
        (["migrate", "--tenant", "a/b"], 2, "1 to 64 of the characters"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, told: str
) -> None:
    """On standard error, with the exit code that says whose fault it is."""
    monkeypatch.chdir(desk.folder)
    with_url = arguments if "--url" in arguments else [*arguments, "--url", desk.url]
    result = CliRunner().invoke(cli, with_url)

    assert code == result.exit_code
    assert told in result.stderr
    assert "" == result.stdout
    assert "Traceback" not in result.stderr


def test_a_pipeline_that_is_not_there(desk: Desk) -> None:
    desk.run("migrate")
    result = desk.run("report", "funnel", "--pipeline", "shord")
    assert 2 == result.exit_code
    assert "'shord' can't be taken; expected one of standard, status, full, intent" in result.stderr


def test_a_plan_with_problems_names_them_all(desk: Desk) -> None:
    """One a line; the database is not even set up."""
    desk.plan.write_text(
        dedent(PLAN).replace('key = "no"', 'key = "number"').replace("amount =", "amont ="), encoding="utf-8"
    )
    result = desk.run("import", desk.plan, desk.folder)

    assert 2 == result.exit_code
    assert not (desk.folder / "crm.db").exists()
    assert "  - deals: key: deals.csv has no column number; nearest: customer" in result.stderr.splitlines()
    assert any(
        line.startswith("  - deals: amont: Opportunity has no such field")
        for line in result.stderr.splitlines()
    )


def test_a_database_that_can_not_be_opened(desk: Desk) -> None:
    result = desk.run("migrate", url="sqlite:////nowhere/at/all/crm.db")
    assert 2 == result.exit_code
    assert 1 == len(result.stderr.strip().splitlines())


def test_migrate_says_so(desk: Desk) -> None:
    assert "up to date" in desk.run("migrate").stdout
    assert desk.json("migrate")["migrated"]
    assert 0 == desk.run("report", "funnel").exit_code


def test_passwords_are_not_shown(desk: Desk) -> None:
    """In no message that names the address."""
    result = desk.run("report", "funnel", url="postgresql+psycopg://li:secret@127.0.0.1:1/none")
    assert 1 == result.exit_code
    assert "secret" not in result.output


def test_check_policy(desk: Desk) -> None:
    """0 where nothing is wrong, 1 with every problem named, in either language."""
    good = desk.write("good.toml", 'language = "zh"\ncurrency = "USD"\n')
    bad = desk.write("bad.toml", 'version = 0\ncurrency = "DOLLAR"\n')
    run = CliRunner().invoke

    fine = run(cli, ["check-policy", str(good)])
    found = run(cli, ["check-policy", str(bad)])
    data = run(cli, ["check-policy", str(bad), "--json", "--lang", "zh"])

    assert (0, "没有发现问题\n") == (fine.exit_code, fine.stdout)
    assert (1, 2) == (found.exit_code, len(found.stdout.splitlines()))
    assert "currency is 'DOLLAR'" in found.stdout
    assert 1 == data.exit_code
    plain = json.loads(data.stdout)
    assert (False, 2) == (plain["ok"], len(plain["problems"]))
    assert not plain["problems"][0].isascii()


def test_policy_decides_the_language(desk: Desk) -> None:
    """And never the machine; who asks for the other gets it."""
    policy = desk.write("policy.toml", 'language = "zh"\n')
    desk.run("migrate")
    assert "销售漏斗" in desk.run("report", "funnel", "--policy", policy).stdout
    assert "Sales funnel" in desk.run("report", "funnel", "--policy", policy, "--lang", "en").stdout
    assert "Sales funnel" in desk.run("report", "funnel").stdout


def test_reports_of_a_period(desk: Desk) -> None:
    desk.run("import", desk.plan, desk.folder)
    period = ("--since", "2026-02-01", "--until", "2026-02-01")
    funnel = desk.json("report", "funnel", "--pipeline", "short", *period)
    rows = desk.json(
        "report", "performance", "--pipeline", "short", "--counted-by", "closed_at", "--since", "2026-01-09"
    )
    assert (1, 0) == (funnel["total"], funnel["won"])
    assert [1] == [row["total"] for row in rows["rows"]]


def test_demo_shows_a_team_at_work(desk: Desk) -> None:
    """In Chinese, with what to try next; a second time the data is there already."""
    first, second = desk.run("demo"), desk.run("demo", "--lang", "en")

    assert (0, 0) == (first.exit_code, second.exit_code)
    assert "12 个客户、16 个商机、7 条跟进" in first.stdout
    assert "初步接触" in first.stdout
    assert "█" in first.stdout
    assert f"salescrm report performance --by owner --url {desk.url} --lang zh" in first.stdout
    assert "The sample data was there already: 12 customers" in second.stdout
    rows = desk.json("report", "performance", "--by", "owner")["rows"]
    assert {"李娜", "张伟", "陈静"} == {row["key"] for row in rows}
    with salescrm.connect(desk.url) as crm, crm.begin(by="me") as work:
        won = work.opportunities.find(F.status == "won")[0]
        assert len(work.opportunities.history(won)) == 6
        assert work.follow_ups.count(F.status == "planned") == 4
        assert {"demo-li", "demo-zhang", "demo-chen"} == {
            one.created_by for one in work.opportunities.stream()
        }


def test_demo_stays_out_of_real_data(desk: Desk) -> None:
    """A sample does not belong among a company's customers."""
    desk.run("import", desk.plan, desk.folder)
    result = desk.run("demo")
    assert 1 == result.exit_code
    with salescrm.connect(desk.url) as crm, crm.begin(by="me") as work:
        assert 2 == work.customers.count()


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_no_figure_is_ever_cut(desk: Desk, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    """On a narrow terminal the bars go first."""
    monkeypatch.setenv("COLUMNS", width)
    desk.run("demo")
    shown = desk.run("report", "performance", "--by", "product", "--lang", "zh").stdout
    assert "…" not in shown
    assert "792,000" in shown
    assert ("█" in shown) == (width == "200")


RULES = """
    [[pools]]
    key = "north"
    en = "North"
    zh = "北区公海"
    everyone = true
    [[pools.rules]]
    key = "quiet"
    en = "Not followed up"
    zh = "久未跟进"
    anchor = "no_follow_up"
    limit = 30
"""


def test_pools_are_simulated(desk: Desk) -> None:
    """Under the policy that is told, or under another one to try; a table for people, JSON for programs; nothing is changed."""
    rules = desk.write("rules.toml", dedent(RULES))
    stricter = desk.write("stricter.toml", dedent(RULES.replace("30", "5")))
    with salescrm.connect(desk.url) as crm:
        crm.migrate()
        crm.run(lambda work: work.customers.create(name="云帆", owner_id="ann").id, by="li")
        now = crm.kit.clock()
    soon = (now + timedelta(days=20)).date().isoformat()
    command: list[str | Path] = ["pools", "simulate", "--until", soon, "--policy", rules]
    assert [] == desk.json(*command)["falls"]
    (fall,) = desk.json(*command, "--what-if", stricter)["falls"]
    assert ("云帆", "ann", "quiet") == (fall["customer"], fall["owner_id"], fall["rule"])
    shown = desk.run(*command, "--what-if", stricter, "--by", "owner", "--lang", "zh")
    assert "公海回收预演 · 负责人" in shown.stdout
    past = desk.run("pools", "simulate", "--until", "2020-01-01", "--policy", rules)
    assert (2, "") == (past.exit_code, past.stdout)
    with salescrm.connect(desk.url) as crm, crm.begin(by="li") as work:
        assert 1 == work.customers.count(F.owner_id == "ann")


def test_every_command_has_help() -> None:
    for command in (
        [],
        ["import"],
        ["report"],
        ["report", "funnel"],
        ["demo"],
        ["migrate"],
        ["tick"],
        ["check-policy"],
        ["pools"],
        ["pools", "simulate"],
    ):
        result = CliRunner().invoke(cli, [*command, "--help"])
        assert 0 == result.exit_code
        assert "Usage:" in result.stdout


def test_every_store_command_takes_the_common_options() -> None:
    report = cli.commands["report"]
    assert isinstance(report, click.Group)
    commands = [cli.commands[name] for name in ("demo", "migrate", "import", "tick")] + list(
        report.commands.values()
    )
    for command in commands:
        options = {option for parameter in command.params for option in parameter.opts}
        assert {"--url", "--tenant", "--policy", "--lang", "--json"} <= options


def test_it_runs_as_a_program(desk: Desk) -> None:
    """A real process: JSON on standard output, the rest on standard error."""
    code = "from salescrm.cli import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "import",
        str(desk.plan),
        str(desk.folder),
        "--url",
        desk.url,
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (0, 4) == (done.returncode, json.loads(done.stdout)["added"])
    missing = subprocess.run([*command[:3], "import"], capture_output=True, text=True, check=False)
    assert (2, "") == (missing.returncode, missing.stdout)


@pytest.mark.parametrize("encoding", ["cp1252", "gbk"])
def test_a_terminal_that_can_not_show_everything_shows_the_rest(encoding: str) -> None:
    """A pipe on Windows: names become question marks, figures stay, and JSON stays JSON."""
    code = "from salescrm.cli import main; main()"
    command = [sys.executable, "-c", code, "demo", "--url", "memory://", "--lang", "zh"]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    shown = subprocess.run(command, env=env, capture_output=True, check=False)
    data = subprocess.run([*command, "--json"], env=env, capture_output=True, check=True)

    assert (0, b"") == (shown.returncode, shown.stderr)
    assert "1,128,000" in shown.stdout.decode(encoding)
    assert "初步接触" == json.loads(data.stdout.decode(encoding))["stages"][0]["label"]["zh"]


def test_missing_packages_are_named() -> None:
    """Without the extra there is no command line, but there is a sentence."""
    code = "import sys; sys.modules['rich'] = None; from salescrm.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "pip install 'salescrm[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
