"""
Exact amounts of money and the currencies they may be in; exchange rates and how amounts look on a screen are elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import attrs

from salescrm.errors import InvalidValue

__all__ = ["CURRENCIES", "MAX_MINOR", "Money"]

# ISO 4217 list one as published on 2026-01-01, own layout. Codes without a minor unit (gold, SDR, testing: XAU,
# XDR, XTS ...) are left out, since no amount can be exact in them. CLDR, which Babel follows, has other decimals
# for a dozen of these (IQD, HUF ...): it says what shops show, ISO what contracts and banks count in.
_CODES: Final[Mapping[int, str]] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF "
    "CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL "
    "HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU "
    "MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR "
    "SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED "
    "VES WST XAD XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

#: Decimal places by currency code, for each active currency of ISO 4217: ``CURRENCIES["CNY"] == 2``.
CURRENCIES: Final[Mapping[str, int]] = MappingProxyType(
    {code: places for places, codes in _CODES.items() for code in codes.split()}
)

#: The largest count of minor units, either sign: what a double, and so JSON and every engine's client, holds exactly.
MAX_MINOR: Final = 2**53 - 1

_PLAIN = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})", re.ASCII)


@attrs.frozen
class Money:
    """
    An exact amount: a whole number of *minor* units (fen, cents) of an ISO 4217 *currency*.

    Compares and adds up within one currency only; equal means same currency and same amount.
    Limits: a currency of `CURRENCIES`, at most `MAX_MINOR` minor units either way.

    Raises:
        InvalidValue: beyond these limits, from here and from every operation.
    """

    minor: int
    currency: str

    def __attrs_post_init__(self) -> None:
        if type(self.minor) is not int:
            raise _refused("minor", self.minor, "a whole number of minor units")
        if not -MAX_MINOR <= self.minor <= MAX_MINOR:
            raise _refused("minor", self.minor, f"at most {MAX_MINOR} minor units either way")
        _places(self.currency)

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Money:
        """
        *amount* in major units (yuan, dollars) of *currency*, exactly: ``Money.of("12.34", "CNY")``.

        Text is plain ASCII digits with an optional sign and point; zeros behind the last decimal are fine.

        Raises:
            InvalidValue: a float (never exact), NaN or infinity, a fraction of a minor unit, other text.
        """
        places = _places(currency)
        if type(amount) is int:
            return cls(amount * 10**places, currency)
        if type(amount) is str and _PLAIN.fullmatch(amount):
            number = Decimal(amount)
        elif isinstance(amount, Decimal) and amount.is_finite():
            number = amount
        else:
            raise _refused(
                "amount", amount, 'a finite decimal number as text, int or Decimal, such as "12.34"'
            )
        # An own context: the caller's may round. 40 digits hold every amount we take, so what traps can't be taken.
        exact = Context(prec=40, traps=[Inexact, InvalidOperation])
        try:
            whole = exact.to_integral_exact(exact.scaleb(number, places))
        except (Inexact, InvalidOperation):
            raise _refused(
                "amount", amount, f"a number with at most {places} decimals for {currency}"
            ) from None
        if whole.copy_abs() > MAX_MINOR:
            raise _refused("amount", amount, f"at most {MAX_MINOR} minor units of {currency}")
        return cls(int(whole), currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in *currency*; where a sum starts: ``sum(amounts, Money.zero("CNY"))``."""
        return cls(0, currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with as many decimals as the currency has."""
        return Decimal(f"{self.minor}E-{CURRENCIES[self.currency]}")

    def times(self, factor: int | Decimal | Fraction) -> Money:
        """
        This amount times *factor* (a discount, a tax rate), rounded to a whole minor unit, half to even.

        Raises:
            InvalidValue: *factor* is a float, not finite, or of more than 60 digits.
        """
        return Money(round(_exact("factor", factor) * self.minor), self.currency)

    def split(self, weights: Iterable[int | Decimal | Fraction]) -> tuple[Money, ...]:
        """
        One part per weight, in proportion and in order, adding up to this amount exactly.

        Each part is off its exact share by less than one minor unit; what is left over goes to the largest
        remainders, the earlier first. A weight of zero gets zero.

        Raises:
            InvalidValue: no weight is above zero, one is below, or one is no exact number.
        """
        exact = [_exact("weights", weight) for weight in weights]
        total = sum(exact)
        if total <= 0 or min(exact) < 0:
            raise _refused(
                "weights", tuple(exact), "weights of zero or more, at least one of them above zero"
            )
        sign = -1 if self.minor < 0 else 1
        shares = [abs(self.minor) * weight / total for weight in exact]
        parts = [int(share) for share in shares]
        by_remainder = sorted(range(len(parts)), key=lambda n: parts[n] - shares[n])
        for n in by_remainder[: abs(self.minor) - sum(parts)]:
            parts[n] += 1
        return tuple(Money(sign * part, self.currency) for part in parts)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __mul__(self, count: int) -> Money:
        # Whole numbers only, since nothing is rounded here: a rate goes through times().
        return Money(self.minor * count, self.currency) if type(count) is int else NotImplemented

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def _same(self, other: Money) -> int:
        """*other*'s minor units, when they can meet ours."""
        if not isinstance(other, Money):
            raise _refused("amount", other, "Money")
        if other.currency != self.currency:
            raise _refused("currency", other.currency, f"{self.currency}, as in the amount it meets")
        return other.minor


def _exact(field: str, value: object) -> Fraction:
    """*value* as an exact ratio; numbers that would fill the memory are refused before they do."""
    if isinstance(value, Decimal) and value.is_finite() and -60 <= value.adjusted() <= 60:
        value = Fraction(value)
    if (
        isinstance(value, int | Fraction)
        and not isinstance(value, bool)
        and abs(value.numerator) < 10**60 > value.denominator
    ):
        return Fraction(value)
    raise _refused(field, value, "an int, Decimal or Fraction, finite and of at most 60 digits")


def _places(currency: object) -> int:
    places = CURRENCIES.get(currency) if type(currency) is str else None
    if places is None:
        raise _refused("currency", currency, "an active ISO 4217 code in capitals, such as CNY")
    return places


def _refused(field: str, value: object, expected: str) -> InvalidValue:
    return InvalidValue("Money", field, value, expected)
