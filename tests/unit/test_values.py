"""What the other values of fields promise: moments, days, text, regions, credit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescrm.errors import InvalidValue
from salescrm.values import (
    Money,
    Region,
    clean_line,
    clean_text,
    credit_code,
    day,
    email,
    fold,
    moment,
    phone,
)

NOON = datetime(2026, 3, 15, 12, 0, 0, 123000, tzinfo=UTC)


@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_is_utc_in_whole_milliseconds_or_refused(value: datetime) -> None:
    try:
        cut = moment(value)
    except InvalidValue:
        assert not 1001 <= value.year <= 9997
        return

    assert UTC is cut.tzinfo
    assert 0 == cut.microsecond % 1000
    assert timedelta(0) <= value.astimezone(UTC) - cut < timedelta(milliseconds=1)
    assert cut is moment(cut)


def test_moments_before_1970_are_cut_down_too() -> None:
    assert datetime(1969, 12, 31, 23, 59, 59, 999000, UTC) == moment(
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)
    )


@pytest.mark.parametrize("fold_", [0, 1])
def test_the_hour_that_comes_twice_is_two_moments(fold_: int) -> None:
    twice = datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"), fold=fold_)

    assert datetime(2026, 11, 1, 5 + fold_, 30, tzinfo=UTC) == moment(twice)


EAST = timezone(timedelta(hours=14))
WEST = timezone(timedelta(hours=-12))


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 1),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=EAST),
        datetime(9999, 12, 31, 23, tzinfo=WEST),
        datetime(999, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(9999, 1, 1, tzinfo=UTC),
        datetime(1000, 1, 1, tzinfo=EAST),
        date(2026, 1, 1),
        "2026-01-01T00:00:00Z",
        1767225600,
        None,
    ],
)
def test_what_is_no_moment_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidValue) as refusal:
        moment(value, entity="FollowUp", field="planned_at")

    assert ("FollowUp", "planned_at") == (refusal.value.entity, refusal.value.field)


def test_the_first_and_the_last_moment_can_be_shown_in_every_zone() -> None:
    for edge in (datetime(1000, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999000, UTC)):
        assert edge is moment(edge)
        assert edge == moment(edge.astimezone(EAST)) == moment(edge.astimezone(WEST))


class Stamp(datetime):
    """A datetime as data frames have it."""


def test_subclasses_become_plain() -> None:
    stamp = Stamp(2026, 3, 15, 12, 0, 0, 123456, UTC)

    assert (datetime, NOON) == (type(moment(stamp)), moment(stamp))


def test_a_day_is_a_date_without_time() -> None:
    assert date(2026, 2, 28) == day(date(2026, 2, 28))
    for refused in (NOON, date(999, 1, 1), date(9999, 1, 1), "2026-02-28", None):
        with pytest.raises(InvalidValue):
            day(refused)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(text) == fold(fold(text))


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_is_no_other_way(text: str) -> None:
    assert text.casefold() == fold(text)


@pytest.mark.parametrize(
    "one, other",
    [
        ("CAFÉ", "cafe\u0301"),
        ("STRASSE", "straße"),
        ("İ", "i\u0307"),
        ("ＡＢＣ１２３", "abc123"),
        ("ﾃｽﾄ", "テスト"),
        ("ΣΑΣ", "σας"),
    ],
)
def test_caseless_search_meets(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_clean_text_is_unchanged(text: str) -> None:
    assert text is clean_text(text, entity="Customer", field="name", limit=20)


class Text(str):
    """A str that isn't exactly one."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value", ["a\0", "é\0", "\ud800", "ok\udfff", "x" * 21, "é" * 21, None, b"x", 7, Text("x")]
)
def test_text_no_engine_could_keep_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue) as refusal:
        clean_text(value, entity="Customer", field="name", limit=20)

    assert str(refusal.value).startswith("Customer.name: ")


@pytest.mark.parametrize(
    "sign", [*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029", "\u202a", "\u202e", "\u2069"]
)
def test_a_line_is_one_line_that_looks_like_what_it_is(sign: str) -> None:
    """Prose may have line breaks and the like; a name may not."""
    with pytest.raises(InvalidValue):
        clean_line(f"a{sign}b", entity="Customer", field="name", limit=20)


@pytest.mark.parametrize(
    "text", ["", " a  b ", "👩‍👩‍👧", "ß İ ｶﾅ ＡＢＣ", "e\u0301", "שלום\u200f!", "\u3000中", "a\u00adb"]
)
def test_a_line_keeps_what_people_write(text: str) -> None:
    """Joined emoji, accents, any width, the marks of scripts that run from right to left: unchanged."""
    assert text == clean_line(text, entity="Customer", field="name", limit=20)


def test_a_region_says_what_it_knows_once() -> None:
    assert "广东省 深圳市 南山区" == str(Region("广东省", "深圳市", "南山区"))
    assert "北京市 朝阳区" == str(Region("北京市", "北京市", "朝阳区"))
    assert "" == str(Region())
    with pytest.raises(InvalidValue) as refusal:
        Region("广东省", city="深圳\0")
    assert ("Region", "city") == (refusal.value.entity, refusal.value.field)


COMPANIES = ["91350100M000100Y43", "91330100799655058B", "9144030071526726XG", "914403001922038216"]


@pytest.mark.parametrize("code", COMPANIES)
def test_real_credit_codes_hold(code: str) -> None:
    assert code == credit_code(code) == credit_code(f" {code.lower()} ")
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in code)
    assert code == credit_code(wide) == credit_code(f"{code[:8]} {code[8:]}")


@given(st.sampled_from(COMPANIES), st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_one_mistyped_character_never_passes(code: str, place: int, typed: str) -> None:
    mistyped = code[:place] + typed + code[place + 1 :]
    if mistyped == code:
        return

    with pytest.raises(InvalidValue):
        credit_code(mistyped)


@given(st.sampled_from(COMPANIES), st.integers(0, 16))
def test_two_swapped_neighbours_never_pass(code: str, place: int) -> None:
    first, second = code[place], code[place + 1]
    if first == second:
        return

    with pytest.raises(InvalidValue):
        credit_code(code[:place] + second + first + code[place + 2 :])


@pytest.mark.parametrize(
    "text", ["", "91350100M000100Y4", "91350100M000100Y433", "9135010OM000100Y43", None, 9135]
)
def test_what_is_no_credit_code_is_refused(text: object) -> None:
    with pytest.raises(InvalidValue):
        credit_code(text, entity="Customer", field="credit_code")


def test_a_megabyte_is_refused_before_it_is_read() -> None:
    huge = "9" * 1_000_000
    readers: list[Callable[[], object]] = [
        lambda: Money.of(huge, "CNY"),
        lambda: Money.of(10**5000, "CNY"),
        lambda: Money(10**5000, "CNY"),
        lambda: phone(huge),
        lambda: email(f"{huge}@example.com"),
        lambda: credit_code(huge),
        lambda: Region(huge),
    ]
    for read in readers:
        with pytest.raises(InvalidValue):
            read()


def test_importing_values_loads_no_checker() -> None:
    """The two checkers are loaded by the first number and address, not by the import."""
    code = "import salescrm.values, sys; print({'phonenumbers', 'email_validator'} & set(sys.modules))"

    assert "set()" == subprocess.check_output([sys.executable, "-c", code], text=True).strip()
