"""What is sold."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.kinds import Extra, Key, Line, Text
from salescrm.values import Money

__all__ = ["Product", "ProductStatus"]

ProductStatus: TypeAlias = Literal["active", "retired"]


@attrs.frozen(kw_only=True)
class Product(Record):
    """Something with a price."""

    name: Line
    #: The host's own article number.
    code: Key | None = None
    series: Key | None = None
    unit: Key | None = None
    list_price: Money | None = None
    cost: Money | None = None
    status: ProductStatus = "active"
    description: Text | None = None
    extra: Extra = Extra()
