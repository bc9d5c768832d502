"""
What a value can be to a store, and the marks by which an entity says more than its Python type does.

Nothing here converts or checks: `schema` derives kinds from types, backends translate them once.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, NoReturn

import attrs

__all__ = ["Extra", "Key", "Kind", "Limit", "Line", "Text"]


class Kind(Enum):
    """The kinds of value. *Composite* ones are spread over several columns before a backend sees them."""

    ID = "id"
    TEXT = "text"
    CHOICE = "choice"
    REFERENCE = "reference"
    WHOLE = "whole"
    FLAG = "flag"
    MOMENT = "moment"
    DAY = "day"
    TEXTS = "texts"  #: a list of text, such as tags
    NESTED = "nested"  #: JSON that questions don't look into
    EXTRA = "extra"  #: JSON object of the host's own declared fields

    # Composite, or kept as another kind: entities and questions know them, backends never meet them.
    DECIMAL = "decimal"  #: exact, up to four places; stored as whole ten-thousandths
    MONEY = "money"  #: stored as whole minor units and a currency
    EMBEDDED = "embedded"  #: a small attrs class of scalars, such as Region

    @property
    def is_textual(self) -> bool:
        """Whether a backend holds it as plain text."""
        return self in (Kind.ID, Kind.TEXT, Kind.CHOICE, Kind.REFERENCE)


@attrs.frozen
class Limit:
    """The most characters that a text may have."""

    characters: int


# Up to 255 characters stand on a single line: without line breaks, control characters or marks that turn the direction
# of what follows. Only an id is as its host has it.

#: A short text that may lead an index: a name of a stage, a code.
Key = Annotated[str, Limit(64)]
#: One line: a name, a title.
Line = Annotated[str, Limit(255)]
#: Prose: notes, an address, a reason.
Text = Annotated[str, Limit(20_000)]


class Extra(dict[str, Any]):
    """The host's own fields of a record: a mapping that can't be changed, hashable, and JSON as it is."""

    __slots__ = ()

    def _frozen(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("extra fields are frozen: make a new Extra({**old, name: value})")

    __setitem__ = __delitem__ = _frozen
    __ior__ = _frozen
    update = setdefault = pop = popitem = clear = _frozen

    def __hash__(self) -> int:  # type: ignore[override]  # dict has none; ours can't change
        return hash(frozenset((name, tuple(v) if isinstance(v, list) else v) for name, v in self.items()))

    def __reduce__(self) -> tuple[type[Extra], tuple[dict[str, Any]]]:
        return Extra, (dict(self),)
