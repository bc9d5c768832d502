"""What the commands about pools and policies promise: a tick is told in numbers, and a policy's faults and changes line by line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import salescrm
from salescrm.cli.commands import cli
from salescrm.policy import load
from salescrm.testing import Clock

pytestmark = pytest.mark.engine("sqlite")

NORTH = """
language = "{language}"
version = {version}
{since}
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
limit = {limit}
"""


class Desk:
    """A folder with policies and a database, and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'crm.db'}"

    def policy(
        self,
        name: str = "policy.toml",
        *,
        limit: int = 30,
        version: int = 1,
        since: str = "",
        language: str = "zh",
    ) -> Path:
        text = NORTH.format(limit=limit, version=version, since=since, language=language)
        return self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def owned(self, *, days_ago: int, policy: Path) -> None:
        """A customer that ann took on so many days ago, and forgot."""
        clock = Clock(datetime.now(UTC) - timedelta(days=days_ago))
        with salescrm.connect(self.url, policy=load(policy), clock=clock) as crm:
            crm.migrate()
            crm.run(lambda work: work.customers.create(name="云帆科技", owner_id="ann").id, by="li")

    def run(self, *arguments: str | Path) -> Result:
        result = CliRunner().invoke(cli, [*map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    def tick(self, *arguments: str | Path) -> Result:
        return self.run("tick", "--url", self.url, *arguments)

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_tick_lets_fall_what_is_due_and_says_so(desk: Desk) -> None:
    """Once: a second tick on the same day has nothing left to do."""
    policy = desk.policy()
    desk.owned(days_ago=60, policy=policy)

    first, second = desk.tick("--policy", policy), desk.tick("--policy", policy, "--lang", "en")

    assert (0, "落入公海 1 个客户，预警 0 条，执行 1 次\n") == (first.exit_code, first.stdout)
    assert (0, "0 customers fell, 0 warnings, 0 runs\n") == (second.exit_code, second.stdout)


def test_tick_as_json(desk: Desk) -> None:
    """A warning seven days ahead, and nothing on standard output beside the numbers."""
    policy = desk.policy()
    desk.owned(days_ago=24, policy=policy)
    ran = json.loads(desk.tick("--policy", policy, "--json").stdout)
    assert {"recycled": 0, "warned": 1, "nights": 1} == ran


def test_tick_goes_by_the_version_that_holds(desk: Desk) -> None:
    """All versions are given, in any order; the one to come does not decide yet."""
    strict = desk.policy("v1.toml", limit=30)
    future = (datetime.now(UTC) + timedelta(days=9)).isoformat(timespec="seconds")
    lax = desk.policy("v2.toml", limit=90, version=2, since=f"effective_from = {future}")
    desk.owned(days_ago=60, policy=strict)
    ran = json.loads(desk.tick("--policy", lax, "--policy", strict, "--json").stdout)
    assert 1 == ran["recycled"]


def test_versions_that_do_not_go_together_are_refused(desk: Desk) -> None:
    """Before anything is opened."""
    one, other = desk.policy("v1.toml"), desk.policy("v2.toml")
    refused = desk.tick("--policy", one, "--policy", other)
    assert (2, "") == (refused.exit_code, refused.stdout)
    assert "version 1 is to follow version 1" in refused.stderr
    assert not (desk.folder / "crm.db").exists()


def test_tick_without_the_calendar_of_a_rule_is_refused(desk: Desk) -> None:
    """One sentence with the rule and the calendar; nothing has been run."""
    policy = desk.policy()
    desk.owned(days_ago=60, policy=policy)
    policy.write_text(policy.read_text(encoding="utf-8") + 'calendar = "office"\n', encoding="utf-8")
    refused = desk.tick("--policy", policy)
    assert (2, "") == (refused.exit_code, refused.stdout)
    assert "公海 north：规则 quiet：calendar 为 'office'" in refused.stderr


def test_check_policy_tells_what_is_not_meant(desk: Desk) -> None:
    """Findings are lines of their own, and an exit code of 1."""
    silent = desk.write(
        "silent.toml",
        NORTH.format(limit=30, version=1, since="", language="zh").replace("everyone = true", ""),
    )

    told = desk.run("check-policy", silent)
    english = desk.run("check-policy", silent, "--lang", "en")
    data = desk.json("check-policy", silent)

    assert (1, "公海 north：没有人可以领取：没有成员，没有团队，也未对所有人开放\n") == (
        told.exit_code,
        told.stdout,
    )
    assert english.stdout.startswith("pool north: nobody can claim from it")
    assert (False, []) == (data["ok"], data["problems"])
    assert [("nobody-claims", "north", None)] == [
        (one["code"], one["pool"], one["rule"]) for one in data["findings"]
    ]


def test_check_policy_believes_in_the_calendars_it_is_told_of(desk: Desk) -> None:
    """Those that a host brings; any other is a finding."""
    policy = desk.policy()
    policy.write_text(policy.read_text(encoding="utf-8") + 'calendar = "office"\n', encoding="utf-8")
    assert (1, 0) == (
        desk.run("check-policy", policy).exit_code,
        desk.run("check-policy", policy, "--calendar", "shop", "--calendar", "office").exit_code,
    )


def test_check_policy_shows_what_changes(desk: Desk) -> None:
    """Setting by setting; a change is nothing wrong."""
    old, new = desk.policy("v1.toml"), desk.policy("v2.toml", limit=45, version=2)

    told = desk.run("check-policy", new, "--against", old)
    english = desk.run("check-policy", new, "--against", old, "--lang", "en")
    data = desk.json("check-policy", new, "--against", old)

    assert 0 == told.exit_code
    assert [
        "没有发现问题",
        "与旧版本有 2 处不同：",
        "  version：由 1 改为 2",
        "  pools.north.rules.quiet.limit：由 30 改为 45",
    ] == told.stdout.splitlines()
    assert "  pools.north.rules.quiet.limit: 30 becomes 45" in english.stdout.splitlines()
    assert {"path": "pools.north.rules.quiet.limit", "kind": "changed", "was": 30, "becomes": 45} in data[
        "changes"
    ]


def test_check_policy_says_where_nothing_changes(desk: Desk) -> None:
    policy = desk.policy(language="en")
    assert ["Nothing is wrong with it", "It changes nothing"] == desk.run(
        "check-policy", policy, "--against", policy
    ).stdout.splitlines()
    assert [] == desk.json("check-policy", policy, "--against", policy)["changes"]
    assert "changes" not in desk.json("check-policy", policy)


def test_check_policy_against_a_bad_version(desk: Desk) -> None:
    """Is asked wrongly: that one has to be right first."""
    refused = desk.run("check-policy", desk.policy(), "--against", desk.policy("bad.toml", limit=0))
    assert (2, "") == (refused.exit_code, refused.stdout)
    assert "limit is 0" in refused.stderr
