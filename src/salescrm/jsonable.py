"""
Values as JSON and back, strictly: nested values in rows, custom fields, policies, exports.

cattrs is the codec and the extension point; it is loaded when the first nested value needs it, for it costs an import
of 60 ms.  Its default coercions are switched off: ``"7"`` is no number and a mapping is no text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from salescrm.kinds import Extra
from salescrm.values import Money, day, moment

if TYPE_CHECKING:
    import cattrs

__all__ = ["EXACT", "PLACES", "converter", "scaled", "structure", "structurer", "unscaled", "unstructure"]

#: A DECIMAL field's decimal places: it is stored as whole ten-thousandths.
PLACES: Final = 4
#: Our own, for the caller's may round.
EXACT: Final = Context(prec=60)


def scaled(value: Decimal) -> int:
    """An exact decimal of up to four places as whole ten-thousandths."""
    return int(EXACT.scaleb(value, PLACES))


def unscaled(value: int) -> Decimal:
    """Whole ten-thousandths as the decimal they stand for, without trailing zeros."""
    whole, rest = divmod(value, 10**PLACES)
    return Decimal(whole) if not rest else EXACT.normalize(EXACT.scaleb(Decimal(value), -PLACES))


def unstructure(value: Any) -> Any:
    """*value* as JSON-able data: dicts with text keys, lists, text, whole numbers, flags, None."""
    if value is None or type(value) is dict:
        return value  # a mapping field holds JSON already
    if value == ():
        return []
    return converter().unstructure(value)


def structure(data: Any, kind: Any) -> Any:
    """*data* as the type *kind*; raises cattrs' own errors, which the borders translate."""
    return converter().structure(data, kind)


def structurer(kind: Any) -> Callable[[Any], Any]:
    """A function that makes a nested value of type *kind* of our own stored JSON."""
    if get_origin(kind) is Mapping:
        return lambda data: data
    if not get_args(kind) or get_args(kind)[-1] is not Ellipsis:
        return lambda data: structure(data, kind)
    return lambda data: structure(data, kind) if data else ()


@cache
def converter() -> cattrs.Converter:
    """The one converter: strict, closed, exact."""
    import cattrs

    made = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True, omit_if_default=False)

    def exactly(kind: type[Any]) -> Callable[[Any, Any], Any]:
        def check(data: Any, _: Any) -> Any:
            if type(data) is not kind:
                raise ValueError(f"expected {kind.__name__}, not {data!r}")
            return data

        return check

    def finite(data: Any, _: Any) -> Decimal:
        number = Decimal(exactly(str)(data, None))
        if not number.is_finite():
            raise ValueError(f"expected a finite number, not {data!r}")
        return number

    for kind in (str, int, bool):
        made.register_structure_hook(kind, exactly(kind))
    made.register_structure_hook(Decimal, finite)
    made.register_unstructure_hook(Decimal, lambda value: str(exactly(Decimal)(value, None)))
    made.register_structure_hook(
        datetime, lambda data, _: moment(data if isinstance(data, datetime) else datetime.fromisoformat(data))
    )
    made.register_unstructure_hook(datetime, lambda value: moment(value).isoformat(timespec="milliseconds"))
    made.register_structure_hook(
        date, lambda data, _: data if type(data) is date else date.fromisoformat(exactly(str)(data, None))
    )
    made.register_unstructure_hook(date, lambda value: day(value).isoformat())
    made.register_structure_hook(timedelta, _timedelta)
    made.register_unstructure_hook(
        timedelta, lambda value: {"milliseconds": value // timedelta(milliseconds=1)}
    )
    made.register_structure_hook(Money, lambda data, _: Money.of(data["amount"], data["currency"]))
    made.register_unstructure_hook(
        Money, lambda value: {"amount": str(value.amount), "currency": value.currency}
    )
    made.register_structure_hook(Extra, lambda data, _: Extra(data))
    made.register_unstructure_hook(Extra, dict)
    return made


def _timedelta(data: Any, _: Any) -> timedelta:
    """A duration with its unit in the key: ``{"days": 30}``."""
    if isinstance(data, Mapping) and data and all(type(amount) is int for amount in data.values()):
        return timedelta(**{str(unit): amount for unit, amount in data.items()})
    raise ValueError(f"expected a duration such as {{'days': 30}}, not {data!r}")
