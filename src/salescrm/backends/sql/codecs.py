"""
How one value of each kind travels between a record and the driver, per engine. No SQL here.

A kind that is left out passes as it is.  Moments are fixed-width ISO text on SQLite, which sorts as time does and is read
eight times faster than naive text with a zone put on; JSON goes through the C scanner, three times faster than `json.loads`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Final

from salescrm.codegen import Codec, iso
from salescrm.kinds import Extra, Kind

__all__ = [
    "MYSQL_READ",
    "MYSQL_WRITE",
    "POSTGRES_COPY",
    "POSTGRES_READ",
    "POSTGRES_WRITE",
    "SQLITE_READ",
    "SQLITE_WRITE",
    "array_literal",
    "to_json",
]


def _json_encoder() -> Callable[[Any], str]:
    """
    Compact JSON of data that is known to be JSON-able, without a look for circles.

    `json.JSONEncoder` makes its C encoder anew for each value, which costs more than a log entry takes to encode.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without the C module
        return json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    escaped = json.encoder.encode_basestring
    encode = make(None, None, escaped, None, ":", ",", False, False, True)
    return lambda value: "".join(encode(value, 0))


to_json: Final[Callable[[Any], str]] = _json_encoder()
#: The C scanner; typeshed does not know that a decoder has one.
_scan: Final[Callable[[str, int], tuple[Any, int]]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # as said
_NO_EXTRA: Final = Extra()


def _from_json(text: str) -> Any:
    return _scan(text, 0)[0]


def _texts(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(_scan(text, 0)[0])


def _extra(text: str) -> Extra:
    return _NO_EXTRA if text == "{}" else Extra(_scan(text, 0)[0])


def _texts_to_json(texts: tuple[str, ...]) -> str:
    return to_json(texts) if texts else "[]"


def _extra_to_json(extra: Extra) -> str:
    return to_json(extra) if extra else "{}"


_JSON_WRITE: Final[Codec] = {Kind.NESTED: to_json, Kind.EXTRA: _extra_to_json}
_JSON_READ: Final[Codec] = {Kind.NESTED: _from_json, Kind.EXTRA: _extra}

SQLITE_WRITE: Final[Codec] = MappingProxyType(
    {**_JSON_WRITE, Kind.MOMENT: iso, Kind.DAY: date.isoformat, Kind.TEXTS: _texts_to_json}
)
SQLITE_READ: Final[Codec] = MappingProxyType(
    {
        **_JSON_READ,
        Kind.MOMENT: datetime.fromisoformat,
        Kind.DAY: date.fromisoformat,
        Kind.TEXTS: _texts,
        Kind.FLAG: bool,
    }
)


def _as_utc(value: datetime) -> datetime:
    # psycopg gives the session's zone: UTC in our own sessions, anything in a host's.
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def array_literal(texts: Iterable[str]) -> str:
    """*texts* as PostgreSQL writes an array down."""
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


def _texts_to_array(texts: tuple[str, ...]) -> str:
    return array_literal(texts) if texts else "{}"


# All of it is text, for our SQL casts each parameter. psycopg would send a type with each value (another for a null, three
# for numbers of three sizes), and the server keeps a prepared statement per list of types: rows of 50 columns would
# hardly ever meet one that is prepared, which takes twice as long.
POSTGRES_WRITE: Final[Codec] = MappingProxyType(
    {
        **_JSON_WRITE,
        Kind.WHOLE: str,
        Kind.FLAG: {True: "t", False: "f"}.__getitem__,
        Kind.MOMENT: iso,
        Kind.DAY: date.isoformat,
        Kind.TEXTS: _texts_to_array,
    }
)
POSTGRES_READ: Final[Codec] = MappingProxyType({**_JSON_READ, Kind.TEXTS: tuple, Kind.MOMENT: _as_utc})


def _jsonb(value: Any) -> bytes:
    """jsonb on the wire of a binary COPY: its format's version, then the text."""
    return b"\x01" + to_json(value).encode()


POSTGRES_COPY: Final[Codec] = MappingProxyType({Kind.TEXTS: list, Kind.NESTED: _jsonb, Kind.EXTRA: _jsonb})

MYSQL_WRITE: Final[Codec] = MappingProxyType(
    # DATETIME has no zone: it is UTC by agreement, and the column's comment says so.
    {**_JSON_WRITE, Kind.MOMENT: methodcaller("replace", tzinfo=None), Kind.TEXTS: _texts_to_json}
)
MYSQL_READ: Final[Codec] = MappingProxyType(
    {
        **_JSON_READ,
        Kind.MOMENT: methodcaller("replace", tzinfo=UTC),
        Kind.TEXTS: _texts,
        Kind.FLAG: bool,
    }
)
