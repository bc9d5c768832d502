"""What tells versions of a policy apart: the settings that differ, by the keys of things, and the moment from which each holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from salescrm.errors import InvalidDefinition, InvalidValue
from salescrm.labels import Label
from salescrm.policy import Change, Policies, Policy, Pool, PoolWarning, RecycleRule, diff
from salescrm.query import F
from tests.unit.test_policy import rich

NAME = Label("Name", "名称")
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def rule(**given: Any) -> RecycleRule:
    return RecycleRule(**{"key": "quiet", "label": NAME, "anchor": "no_follow_up", "limit": 30, **given})


def pool(**given: Any) -> Pool:
    return Pool(**{"key": "north", "label": NAME, "everyone": True, "rules": [rule()], **given})


def changes(old: Pool, new: Pool) -> list[tuple[str, str, Any, Any]]:
    found = diff(Policy(pools=[old]), Policy(pools=[new]))
    return [(one.path, one.kind, one.was, one.becomes) for one in found]


def test_a_setting_is_found_by_the_keys_on_its_way() -> None:
    """A rule before it changes nothing about its path."""
    old = pool(rules=[rule()])
    new = pool(rules=[rule(key="deal", anchor="no_deal", limit=90), rule(limit=45)])

    assert [
        ("pools.north.rules.deal", "added", None, {
            "key": "deal", "en": "Name", "zh": "名称", "anchor": "no_deal", "limit": 90,
        }),
        ("pools.north.rules.quiet.limit", "changed", 30, 45),
    ] == sorted(changes(old, new))  # fmt: skip


def test_what_is_gone_is_told_with_what_it_was() -> None:
    [gone] = diff(Policy(pools=[pool(), pool(key="south")]), Policy(pools=[pool()]))
    assert ("pools.south", "removed", None) == (gone.path, gone.kind, gone.becomes)
    assert "south" == gone.was["key"]


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"label": Label("Name", "北区")}, ("pools.north.zh", "changed", "名称", "北区")),
        (
            {"where": F.level == "A"},
            ("pools.north.where", "changed", {"always": True}, {"field": "level", "eq": "A"}),
        ),
        ({"members": ["ann"]}, ("pools.north.members", "changed", [], ["ann"])),
        ({"time_zone": "UTC"}, ("pools.north.time_zone", "changed", None, "UTC")),
        (
            {"rules": [rule(warnings=[PoolWarning(days=7), PoolWarning(days=1, to="manager")])]},
            (
                "pools.north.rules.quiet.warnings",
                "changed",
                [{"days": days, "to": "owner"} for days in (7, 3, 1)],
                [{"days": 7, "to": "owner"}, {"days": 1, "to": "manager"}],
            ),
        ),
        ({"rules": [rule(exempt=[])]}, ("pools.north.rules.quiet.exempt", "changed", None, [])),
    ],
)
def test_each_kind_of_setting(given: dict[str, Any], expected: tuple[str, str, Any, Any]) -> None:
    """Names, questions, lists and what was left out before."""
    assert [expected] == changes(pool(), pool(**given))


def test_an_order_that_decides_is_a_change() -> None:
    """Of rules that fire on one night, the first one decides."""
    one, other = rule(), rule(key="deal", anchor="no_deal")
    expected = ("pools.north.rules", "reordered", ["quiet", "deal"], ["deal", "quiet"])
    assert [expected] == changes(pool(rules=[one, other]), pool(rules=[other, one]))


def test_a_key_with_a_point_is_quoted() -> None:
    [change] = diff(Policy(pools=[pool(key="华北.一")]), Policy(pools=[pool(key="华北.一", priority=1)]))
    assert 'pools."华北.一".priority' == change.path


def test_a_change_is_a_sentence() -> None:
    """In both languages; what was not set is called so."""
    changed = Change(path="pools.north.rules.quiet.limit", kind="changed", was=30, becomes="never")
    added = Change(path="pools.south", kind="added", becomes={"key": "south", "en": "South", "zh": "南区"})
    unset = Change(path="pools.north.claims.cap", kind="changed", was=9)

    assert "pools.north.rules.quiet.limit: 30 becomes never" == changed.explain("en")
    assert "pools.north.rules.quiet.limit：由 30 改为 never" == changed.explain("zh")
    assert ("pools.south is new: South", "pools.south：新增 南区") == (
        added.explain("en"),
        added.explain("zh"),
    )
    assert "pools.north.claims.cap：由 9 改为 无" == unset.explain("zh")
    joined = Change(path="pools.north.members", kind="changed", was=[], becomes=["ann", "bo"])
    assert "pools.north.members: nothing becomes ann, bo" == joined.explain("en")
    assert "pools.north.members：由 无 改为 ann、bo" == joined.explain("zh")


def different() -> list[Policy]:
    """Policies that differ from a rich one in one setting each, wherever there is one."""
    base = rich()
    settings: list[tuple[str, Any]] = [
        ("version", 8),
        ("effective_from", None),
        ("mobile_required", False),
        ("follow_up_days", attrs.evolve(base.follow_up_days, low=9)),
        ("numbering", base.numbering[::-1]),
        ("extra_fields", (*base.extra_fields, attrs.evolve(base.extra_fields[0], name="other"))),
        ("choices", ()),
        ("calendars", (attrs.evolve(base.calendars[0], known_until=None), *base.calendars[1:])),
        ("pools", (attrs.evolve(base.pools[0], opportunities="keep"), base.pools[1])),
        (
            "pools",
            (attrs.evolve(base.pools[0], claims=attrs.evolve(base.pools[0].claims, cap=8)), base.pools[1]),
        ),
        ("pipelines", (attrs.evolve(base.pipelines[0], may_reopen=False),)),
    ]
    return [attrs.evolve(base, **{name: value}) for name, value in settings]


@pytest.mark.parametrize("other", different())
def test_a_difference_is_found_wherever_it_is(other: Policy) -> None:
    """And nothing else; forward and backward."""
    [change], [back] = diff(rich(), other), diff(other, rich())
    assert change.path == back.path
    assert (change.was, change.becomes) == (back.becomes, back.was)


def test_equal_policies_do_not_differ() -> None:
    assert () == diff(rich(), rich())


def version(number: int, since: datetime | None = None) -> Policy:
    return Policy(version=number, effective_from=since)


def test_a_version_holds_from_its_moment_to_the_next_ones() -> None:
    """To the millisecond; the first one also before it was written."""
    first, second = version(1, APRIL), version(2, APRIL + timedelta(days=30))
    policies = Policies([second, first])

    assert [first, first, second] == [
        policies.at(APRIL - timedelta(days=900)),
        policies.at(APRIL + timedelta(days=30, milliseconds=-1)),
        policies.at(APRIL + timedelta(days=30)),
    ]
    assert second is policies.last


def test_a_moment_is_one_whatever_the_zone_it_is_written_in() -> None:
    """Cut to milliseconds, as all moments are: else a version would differ from its own file."""
    written = datetime.fromisoformat("2026-04-01T08:00:00.000999+08:00")
    assert APRIL == version(1, written).effective_from


@pytest.mark.parametrize(
    "versions, problem",
    [
        ([], "there is no version of it"),
        ([version(2), version(1, APRIL)], "version 1 is to follow version 2; count upward"),
        ([version(1, APRIL), version(1, APRIL + timedelta(1))], "version 1 is to follow version 1; count upward"),
        ([version(1, APRIL), version(2, APRIL)], "version 2 needs a moment of its own from which it holds"),
    ],
)  # fmt: skip
def test_versions_that_do_not_go_together(versions: list[Policy], problem: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        Policies(versions)
    assert problem in refusal.value.problems


def test_a_moment_without_a_zone_is_in_no_version() -> None:
    with pytest.raises(InvalidValue, match="a datetime with a time zone"):
        Policies([version(1)]).at(datetime(2026, 4, 1))
