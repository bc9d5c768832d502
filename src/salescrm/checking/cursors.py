"""Keyset cursors: where a page ended, as opaque text that belongs to one question and can't be altered."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import date, datetime
from typing import Any, Final

import attrs

from salescrm.codegen import iso
from salescrm.errors import InvalidCursor, InvalidQuestion
from salescrm.kinds import Kind
from salescrm.plans import SortKey
from salescrm.query.nodes import Query
from salescrm.schema import Schema
from salescrm.values import moment

__all__ = ["Cursors"]

_DIGEST: Final = 12
#: A cursor holds a few sort values; anything longer is not ours.
_LONGEST: Final = 1_000_000
#: Made once: `json.dumps` with options makes an encoder each time.
_TO_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@attrs.frozen
class Cursors:
    """
    Writes and reads cursors, signed with *key* (keyed BLAKE2b, RFC 7693).

    With the default key a cursor is proof against accidents; a host that hands cursors to strangers gives its own,
    the same in every process.
    """

    key: bytes = b"salescrm"

    def write(self, schema: Schema, query: Query, order: tuple[SortKey, ...], record: Any) -> str:
        """The cursor behind *record* in *query*."""
        values = [_to_json(schema.getters[key.column.name](record)) for key in order]
        body = _TO_JSON(values).encode()
        return base64.urlsafe_b64encode(self._sign(schema, query, body) + body).decode().rstrip("=")

    def read(self, schema: Schema, query: Query, order: tuple[SortKey, ...]) -> tuple[Any, ...]:
        """The sort values in the cursor of *query*.

        Raises:
            InvalidCursor: It was altered, cut short, or written for another question.
        """
        text = query.after
        if type(text) is not str or len(text) > _LONGEST or not text.isascii():
            raise InvalidCursor("it is no cursor of ours")
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise InvalidCursor("it is no cursor of ours") from None
        signature, body = raw[:_DIGEST], raw[_DIGEST:]
        if not hmac.compare_digest(signature, self._sign(schema, query, body)):
            raise InvalidCursor("it was altered, or belongs to another question")
        try:
            values = json.loads(body)
            return tuple(_from_json(value, key.column.kind) for value, key in zip(values, order, strict=True))
        except (TypeError, ValueError, RecursionError):  # signed with our key, and yet none of ours
            raise InvalidCursor("it is no cursor of ours") from None

    def _sign(self, schema: Schema, query: Query, body: bytes) -> bytes:
        try:
            question = repr((schema.collection, query.where, query.order)).encode("utf-8", "backslashreplace")
        except RecursionError:
            raise InvalidQuestion("it is nested too deep") from None
        except ValueError:  # a whole number of more digits than Python shows
            raise InvalidQuestion("a value in it is none that can be compared with") from None
        return hashlib.blake2b(question + b"\n" + body, key=self.key[:64], digest_size=_DIGEST).digest()


def _to_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    return value.isoformat() if isinstance(value, date) else value


def _from_json(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind is Kind.MOMENT:
        return moment(datetime.fromisoformat(value))
    if kind is Kind.DAY:
        return date.fromisoformat(value)
    if type(value) is not {Kind.WHOLE: int, Kind.FLAG: bool}.get(kind, str):
        raise TypeError(f"{value!r} is not of kind {kind.value}")
    return value
