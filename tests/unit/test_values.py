"""What the values of fields promise: ids, moments, money, phones, e-mail addresses, credit codes and text."""

from __future__ import annotations

import decimal
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescrm.errors import InvalidValue
from salescrm.money import MAX_MINOR
from salescrm.values import (
    CURRENCIES,
    IdMaker,
    Money,
    Region,
    clean_text,
    credit_code,
    day,
    email,
    fold,
    mobile,
    moment,
    phone,
    uuid7,
)

NOON = datetime(2026, 3, 15, 12, 0, 0, 123000, tzinfo=UTC)
DATA = Path(os.environ.get("SALESCRM_DATA", Path(__file__).parents[3] / "shared" / "data"))


def counting(start: int = 0) -> Callable[[int], bytes]:
    """Bytes that no two calls share."""
    step = iter(range(start, 1 << 30))
    return lambda size: next(step).to_bytes(size)


# --- ids


def test_uuid7_is_a_version_7_uuid_of_that_millisecond() -> None:
    made = uuid.UUID(uuid7(NOON, lambda size: b"\xff" * size))

    assert (7, uuid.RFC_4122) == (made.version, made.variant)
    assert int(NOON.timestamp() * 1000) == made.int >> 80
    assert str(made) == uuid7(NOON, lambda size: b"\xff" * size)


def test_uuid7_uses_all_74_random_bits() -> None:
    none = uuid.UUID(uuid7(NOON, bytes)).int
    every = uuid.UUID(uuid7(NOON, lambda size: b"\xff" * size)).int

    assert 74 == (none ^ every).bit_count()


@given(st.lists(st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 31)), min_size=2))
def test_uuid7_sorts_as_its_moments_do(naive: list[datetime]) -> None:
    moments = sorted({moment(when.replace(tzinfo=UTC)) for when in naive})

    ids = [uuid7(when) for when in moments]

    assert ids == sorted(ids)


@pytest.mark.parametrize("now", [datetime(2026, 1, 1), datetime(1969, 12, 31, tzinfo=UTC)])
@pytest.mark.parametrize("make", [uuid7, IdMaker()])
def test_an_id_needs_an_aware_moment_since_1970(make: Callable[[datetime], str], now: datetime) -> None:
    with pytest.raises(InvalidValue):
        make(now)


@given(st.lists(st.integers(-3, 3), max_size=50))
def test_a_maker_only_ascends_though_the_clock_steps_back(steps: list[int]) -> None:
    make, now, ids = IdMaker(), NOON, []
    for step in steps:
        now += timedelta(milliseconds=step)
        ids.append(make(now))

    assert ids == sorted(set(ids))
    assert all(7 == uuid.UUID(made).version and uuid.RFC_4122 == uuid.UUID(made).variant for made in ids)


def test_a_maker_runs_ahead_when_a_millisecond_is_full() -> None:
    make = IdMaker(lambda size: b"\xff" * size)
    first = make(NOON)
    make._count = 0x3FF_FFFF - 1

    last, ahead, more = make(NOON), make(NOON), make(NOON)

    assert [first, last, ahead, more] == sorted({first, last, ahead, more})
    assert first[:13] == last[:13] < ahead[:13] == more[:13]


def test_the_time_in_a_maker_s_id_is_now() -> None:
    make = IdMaker()

    later = [uuid.UUID(make(NOON + timedelta(milliseconds=n))).int >> 80 for n in range(5)]

    assert list(range(later[0], later[0] + 5)) == later
    assert int(NOON.timestamp() * 1000) == later[0]


def test_threads_never_get_the_same_id_of_one_maker() -> None:
    # Zero noise: only the counter, under its lock, tells ids apart.
    make = IdMaker(bytes)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: [make(NOON) for _ in range(2000)], range(8)))

    assert 16000 == len({one for ids in made for one in ids})
    assert all(ids == sorted(ids) for ids in made)


def test_makers_with_one_counter_differ_by_chance() -> None:
    one, other = IdMaker(counting(1)), IdMaker(counting(1000))

    assert not {one(NOON) for _ in range(100)} & {other(NOON) for _ in range(100)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_of_a_fork_make_different_ids() -> None:
    make = IdMaker()
    make(NOON)
    read, write = os.pipe()

    child = os.fork()
    if not child:
        os.write(write, make(NOON).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert make(NOON) != os.read(read, 36).decode()


# --- moments and days


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


# --- money

CODES = st.sampled_from(sorted(CURRENCIES))
MINOR = st.integers(-MAX_MINOR, MAX_MINOR)
SMALL = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(
    st.one_of(
        st.integers(0, 10**9),
        st.fractions(0, 1000, max_denominator=1000),
        st.decimals(0, 1000, places=3),
    ),
    min_size=1,
    max_size=20,
).filter(any)


def test_the_table_is_iso_4217_and_cannot_be_changed() -> None:
    """ISO's own exceptions from two decimals, and its total of currencies with a minor unit."""
    assert 165 == len(CURRENCIES)
    assert {"CLF": 4, "UYW": 4} == {code: places for code, places in CURRENCIES.items() if places == 4}
    assert {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"} == {c for c in CURRENCIES if CURRENCIES[c] == 3}
    assert [0, 0, 0, 0, 2, 2] == [CURRENCIES[c] for c in ("ISK", "KRW", "UYI", "VND", "HUF", "CNY")]
    with pytest.raises(TypeError):
        CURRENCIES["CNY"] = 3  # type: ignore[index]  # that it can't be is what is tested


@pytest.mark.parametrize(
    "amount, currency, minor, shown",
    [
        ("12.34", "CNY", 1234, "12.34 CNY"),
        ("12.3400", "CNY", 1234, "12.34 CNY"),
        ("-.5", "CNY", -50, "-0.50 CNY"),
        ("7.", "JPY", 7, "7 JPY"),
        (12, "CNY", 1200, "12.00 CNY"),
        (Decimal("1E+3"), "KWD", 1_000_000, "1000.000 KWD"),
        (Decimal("0E-9999"), "CLF", 0, "0.0000 CLF"),
        (Decimal("0.0001"), "CLF", 1, "0.0001 CLF"),
        ("90071992547409.91", "CNY", MAX_MINOR, "90071992547409.91 CNY"),
    ],
)
def test_money_is_read_and_shown_exactly(
    amount: str | int | Decimal, currency: str, minor: int, shown: str
) -> None:
    money = Money.of(amount, currency)

    assert Money(minor, currency) == money
    assert shown == str(money)


@pytest.mark.parametrize(
    "amount",
    [
        *(
            0.5,
            12.0,
            True,
            None,
            b"1",
            "",
            "1,000",
            "1_000",
            " 1",
            "1\n",
            "１２",
            "¥1",
            "1e3",
            "NaN",
            "+",
            ".",
        ),
        *("12.345", Decimal("0.001"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), Fraction(1, 2)),
        *(Decimal("1E+999999999999"), Decimal("1E-999999999999")),
        *("90071992547409.92", -90071992547410, "0." + "0" * 50 + "1"),
    ],
)
def test_what_is_no_exact_amount_is_refused(amount: Any) -> None:
    with pytest.raises(InvalidValue):
        Money.of(amount, "CNY")


@pytest.mark.parametrize(
    "minor, currency", [(1.0, "CNY"), (True, "CNY"), (MAX_MINOR + 1, "CNY"), ("1", "CNY")]
)
def test_minor_units_are_whole_and_bounded(minor: Any, currency: str) -> None:
    with pytest.raises(InvalidValue):
        Money(minor, currency)


@pytest.mark.parametrize("currency", ["cny", "RMB", "XXX", "XAU", "HRK", "", None, ["CNY"]])
def test_a_currency_is_an_active_code(currency: Any) -> None:
    makes: list[Callable[[], object]] = [lambda: Money(1, currency), lambda: Money.of("1", currency)]
    for make in makes:
        with pytest.raises(InvalidValue) as refusal:
            make()
        assert "currency" == refusal.value.field


@given(MINOR, CODES)
def test_amount_and_text_round_trip_whatever_the_caller_s_decimal_context(minor: int, currency: str) -> None:
    money = Money(minor, currency)

    with decimal.localcontext(decimal.Context(prec=3)):
        assert money == Money.of(money.amount, currency)
        assert money == Money.of(*str(money).split())


@given(SMALL, SMALL, st.integers(-1000, 1000), CODES)
def test_money_adds_up_as_its_minor_units_do(one: int, other: int, count: int, code: str) -> None:
    a, b = Money(one, code), Money(other, code)

    assert Money(one + other, code) == a + b == b + a == sum([a, b], Money.zero(code))
    assert Money(one - other, code) == a - b == a + -b
    assert Money(one * count, code) == a * count == count * a
    assert Money(abs(one), code) == abs(a)
    assert (one < other, one <= other, one > other, one >= other) == (a < b, a <= b, a > b, a >= b)
    assert (one == other, bool(one)) == (a == b, bool(a))


def test_currencies_never_mix() -> None:
    yuan, dollar = Money(1, "CNY"), Money(1, "USD")

    assert yuan != dollar
    mixes: list[Callable[[], object]] = [
        lambda: yuan + dollar,
        lambda: yuan - dollar,
        lambda: yuan < dollar,
        lambda: yuan <= dollar,
        lambda: yuan > dollar,
        lambda: yuan >= dollar,
        lambda: max(yuan, dollar),
    ]
    for mix in mixes:
        with pytest.raises(InvalidValue) as refusal:
            mix()
        assert "currency" == refusal.value.field


def test_money_meets_no_bare_number() -> None:
    yuan: Any = Money(1, "CNY")
    with pytest.raises(InvalidValue):
        yuan + 1
    for factor in (1.5, Decimal(2), True, yuan):
        with pytest.raises(TypeError):
            yuan * factor


def test_arithmetic_beyond_the_limit_is_refused() -> None:
    most = Money(MAX_MINOR, "CNY")
    sums: list[Callable[[], object]] = [
        lambda: most + Money(1, "CNY"),
        lambda: -most - Money(1, "CNY"),
        lambda: most * 2,
    ]
    for beyond in sums:
        with pytest.raises(InvalidValue):
            beyond()


@pytest.mark.parametrize(
    "minor, factor, expected",
    [
        (5, Decimal("0.5"), 2),
        (15, Decimal("0.1"), 2),
        (25, Decimal("0.1"), 2),
        (-25, Decimal("0.1"), -2),
        (100, Fraction(1, 3), 33),
        (7, 3, 21),
        (7, Decimal("0.000"), 0),
    ],
)
def test_times_rounds_half_to_even(minor: int, factor: int | Decimal | Fraction, expected: int) -> None:
    assert Money(expected, "CNY") == Money(minor, "CNY").times(factor)


@pytest.mark.parametrize(
    "factor",
    [
        0.5,
        True,
        "2",
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+999999999"),
        Decimal("1E-999999999"),
        10**60,
    ],
)
def test_a_factor_is_exact_and_of_sane_size(factor: Any) -> None:
    with pytest.raises(InvalidValue):
        Money(0, "CNY").times(factor)


@given(SMALL, WEIGHTS, CODES)
def test_a_split_adds_up_and_is_fair_to_the_unit(minor: int, weights: list[Any], code: str) -> None:
    parts = Money(minor, code).split(weights)

    assert Money(minor, code) == sum(parts, Money.zero(code))
    exact = [Fraction(minor) * Fraction(weight) / sum(map(Fraction, weights)) for weight in weights]
    assert all(abs(part.minor - share) < 1 for part, share in zip(parts, exact, strict=True))
    assert all(part.minor == 0 for part, weight in zip(parts, weights, strict=True) if not weight)


def test_what_is_left_over_goes_to_the_largest_remainders_then_the_earlier() -> None:
    assert (34, 33, 33) == tuple(part.minor for part in Money(100, "CNY").split([1, 1, 1]))
    assert (-34, -33, -33) == tuple(part.minor for part in Money(-100, "CNY").split([1, 1, 1]))
    assert (16, 84) == tuple(
        part.minor for part in Money(100, "CNY").split([Decimal("15.9"), Decimal("84.1")])
    )


@pytest.mark.parametrize(
    "weights", [[], [0, 0], [1, -1], [2, -1], [0.5, 0.5], [True], [Decimal("NaN")], ["1"]]
)
def test_weights_that_share_nothing_out_are_refused(weights: list[Any]) -> None:
    with pytest.raises(InvalidValue) as refusal:
        Money(100, "CNY").split(weights)

    assert "weights" == refusal.value.field


# --- text


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


def test_a_region_says_what_it_knows_once() -> None:
    assert "广东省 深圳市 南山区" == str(Region("广东省", "深圳市", "南山区"))
    assert "北京市 朝阳区" == str(Region("北京市", "北京市", "朝阳区"))
    assert "" == str(Region())
    with pytest.raises(InvalidValue) as refusal:
        Region("广东省", city="深圳\0")
    assert ("Region", "city") == (refusal.value.entity, refusal.value.field)


# --- phones


@pytest.fixture
def unaided(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if neither extra were installed."""
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    monkeypatch.setitem(sys.modules, "email_validator", None)


WRITTEN = [
    "13123456789",
    "131 2345 6789",
    "131-2345-6789",
    "+86 131 2345 6789",
    "(+86)131.2345.6789",
    "0086 13123456789",
    "86 13123456789",
    "１３１－２３４５－６７８９",
    "＋86 13123456789",
    "\u202d+86 131 2345 6789\u202c",
    "\ufeff13123456789\u00a0",
    "tel:+86-131-2345-6789",
    " 131\t23456789\n",
]
NO_NUMBER: list[Any] = [
    *("", "abc", "12345", "131 2345 678", "131 2345 6789 1", "1-800-FLOWERS", "+1 800 FLOWERS", "+", "tel:"),
    *("13123456789 ext 5", "+8613123456789;ext=5", "+86 13123456789x12", "400-123-4567转8", "13123456789#5"),
    *("131 2345 6789 / 132 1111 2222", "+0012345678", "+999999999999999999"),
    *(None, 13123456789, b"13123456789", "\ud800", "131\x002345"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_mobile_number_is_read_as_people_write_it(text: str) -> None:
    pytest.importorskip("phonenumbers")

    assert "+8613123456789" == phone(text) == mobile(text)


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.usefixtures("unaided")
def test_the_same_forms_are_read_without_phonenumbers(text: str) -> None:
    assert "+8613123456789" == phone(text) == mobile(text)


@pytest.mark.parametrize("text", NO_NUMBER)
@pytest.mark.parametrize("read", [phone, mobile])
def test_no_number_is_made_up_or_cut(read: Callable[..., str], text: Any) -> None:
    pytest.importorskip("phonenumbers")

    with pytest.raises(InvalidValue):
        read(text, entity="Contact", field="phone")


@pytest.mark.parametrize("text", NO_NUMBER)
@pytest.mark.parametrize("read", [phone, mobile])
@pytest.mark.usefixtures("unaided")
def test_nor_is_one_without_phonenumbers(read: Callable[..., str], text: Any) -> None:
    with pytest.raises(InvalidValue):
        read(text, entity="Contact", field="phone")


@pytest.mark.parametrize("text", ["010 1234 5678", "+86 10 1234 5678", "400 123 4567", "+852 2123 4567"])
def test_a_landline_or_hotline_is_a_phone_but_no_mobile(text: str) -> None:
    pytest.importorskip("phonenumbers")

    assert phone(text).startswith("+")
    with pytest.raises(InvalidValue, match="a mobile number"):
        mobile(text)


def test_where_landlines_and_mobiles_look_alike_both_are_taken() -> None:
    pytest.importorskip("phonenumbers")

    assert "+12015550123" == mobile("201-555-0123", region="US")


@pytest.mark.usefixtures("unaided")
def test_without_phonenumbers_only_what_is_certain_is_taken() -> None:
    assert "+442079460958" == phone("+44 20 7946 0958")
    assert "+8613123456789" == mobile("+86 131 2345 6789", region="US")
    for text, region in [("010 1234 5678", "CN"), ("13123456789", "US"), ("+86 10 1234 5678", "CN")]:
        with pytest.raises(InvalidValue, match=r"salescrm\[phone\]"):
            phone(text, region=region)
    with pytest.raises(InvalidValue, match=r"salescrm\[phone\]"):
        mobile("+44 7400 123456")


def test_libphonenumber_s_own_written_forms_are_read_back() -> None:
    """Each written form, in the region it is dialled from, gives its E.164, save those listed as ambiguous."""
    pytest.importorskip("phonenumbers")
    folder = DATA / "phones_cn"
    if not folder.is_dir():
        pytest.skip("phones_cn is not there: set SALESCRM_DATA to the folder that holds it")
    examples = json.loads((folder / "examples.json").read_text("utf-8"))["examples"]
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    forms, misread = 0, set()
    for example in examples:
        regions = {
            **dict(international=None, rfc3966=None, national=example["region"]),
            **dict(dialled_from_US="US", dialled_from_CN="CN", dialled_from_HK="HK"),
        }
        for form, region in regions.items():
            if not example.get(form):
                continue
            forms += 1
            try:
                read: str | None = phone(example[form], region=region)
            except InvalidValue:
                read = None
            if read != example["e164"]:
                misread.add((example["region"], example["type"], form, example[form]))

    assert expected["forms"] == forms
    assert expected["parsed_back_by_phonenumbers"] == forms - len(misread)
    assert {tuple(one[:4]) for one in expected["not_round_tripping"]} == misread


# --- e-mail

ADDRESSES = [
    ("li@example.com", "li@example.com"),
    ("Li.Ming@EXAMPLE.Com", "Li.Ming@example.com"),
    (" li+crm@mail.example.co.uk\n", "li+crm@mail.example.co.uk"),
    ("o'neil_{x}@a-b.example.cn", "o'neil_{x}@a-b.example.cn"),
]
NO_ADDRESS: list[Any] = [
    *("", "li", "li@", "@example.com", "li@example", "li@@example.com", "a b@example.com", "li@exa mple.com"),
    *(".li@example.com", "li.@example.com", "l..i@example.com", "li@-example.com", "li@example..com"),
    *(
        "Li <li@example.com>",
        "li@example.com, b@example.com",
        "li@[127.0.0.1]",
        "li@127.0.0.1",
        '"a b"@example.com',
    ),
    *("l\0i@example.com", "\ud800@example.com", "li@example.com\x7f", "a" * 65 + "@example.com"),
    *("a@" + "b" * 64 + ".com", "a@" + "b." * 130 + "com", None, 7, b"li@example.com"),
]


@pytest.mark.parametrize("text, expected", ADDRESSES)
def test_an_address_keeps_its_local_part_and_lowers_its_domain(text: str, expected: str) -> None:
    pytest.importorskip("email_validator")

    assert expected == email(text)


@pytest.mark.parametrize("text, expected", ADDRESSES)
@pytest.mark.usefixtures("unaided")
def test_so_it_does_without_email_validator(text: str, expected: str) -> None:
    assert expected == email(text)


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_no_mail_reaches_is_refused(text: Any) -> None:
    pytest.importorskip("email_validator")

    with pytest.raises(InvalidValue):
        email(text)


@pytest.mark.parametrize("text", [*NO_ADDRESS, "li@例子.中国"])
@pytest.mark.usefixtures("unaided")
def test_and_so_it_is_without_email_validator(text: Any) -> None:
    with pytest.raises(InvalidValue):
        email(text)


def test_addresses_beyond_ascii_are_read_with_email_validator() -> None:
    pytest.importorskip("email_validator")

    assert "李明@例子.中国" == email("李明@例子.中国")


# --- credit codes

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
