"""What money promises: exact in and out, one currency, nothing lost in a split."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescrm.errors import InvalidValue
from salescrm.money import MAX_MINOR
from salescrm.values import CURRENCIES, Money

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
