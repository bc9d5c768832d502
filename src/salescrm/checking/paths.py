"""Dotted names, resolved against a schema: own fields, parts of a value, custom fields, one hop along a reference."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from salescrm.errors import InvalidQuestion, UnknownField, fact
from salescrm.kinds import Kind
from salescrm.plans import Follow, Ref, Source, SpanRef
from salescrm.query.nodes import Operand, Span
from salescrm.schema import Schema, SchemaField, nearest

__all__ = ["Resolved", "hops", "resolve", "resolve_operand"]


@attrs.frozen
class Resolved:
    """
    What an operand stands for.

    Attributes:
        refs: One column, or two for money: minor units and currency.
        kind: As the asker sees it: MONEY and DECIMAL included; WHOLE milliseconds for a span (*is_span*).
        owner: The schema that the field belongs to, for messages.
    """

    refs: tuple[Source, ...]
    kind: Kind
    path: str
    owner: Schema
    is_span: bool = False
    choices: tuple[str, ...] = ()

    @property
    def ref(self) -> Source:
        """The one column, or the minor units."""
        return self.refs[0]

    @property
    def plain_ref(self) -> Ref:
        """The one column of the record or of a followed one; never a span."""
        if not isinstance(self.ref, Ref):
            raise InvalidQuestion(f"{self.path} is a span; a field is wanted here")
        return self.ref


def hops(schema: Schema) -> Mapping[str, str]:
    """The references of *schema* as one follows them: ``customer_id`` is followed as ``customer``."""
    return {name.removesuffix("_id"): name for name in schema.references if name.endswith("_id")}


def resolve_operand(operand: Operand, schema: Schema, schemas: Mapping[str, Schema]) -> Resolved:
    """What *operand* stands for in *schema*.

    Raises:
        UnknownField: A name that is not there, with the nearest that are.
        InvalidQuestion: A span between things that are no moments.
    """
    if not isinstance(operand, Span):
        return resolve(operand, schema, schemas)
    start, end = (resolve(path, schema, schemas) for path in (operand.start, operand.end))
    if start.kind is not end.kind or start.kind not in (Kind.MOMENT, Kind.DAY):
        raise InvalidQuestion(f"{operand.end} - {operand.start}: both must be moments, or both days")
    span = SpanRef(start.plain_ref, end.plain_ref)
    return Resolved((span,), Kind.WHOLE, f"{operand.end} - {operand.start}", schema, is_span=True)


def resolve(path: object, schema: Schema, schemas: Mapping[str, Schema]) -> Resolved:
    """The field called *path* of *schema*, or of the record that its first part leads to."""
    if not isinstance(path, str):
        raise InvalidQuestion(f"{fact(path)} is no field; write F.name")
    head, *rest = path.split(".")
    if head in schema.fields:
        return _inside(path, schema.fields[head], rest, schema, None)
    by = hops(schema).get(head)
    target = schemas.get(schema.references[by]) if by else None
    if by is None or target is None or not rest:
        raise _unknown(schema, head, (*schema.fields, *hops(schema)))
    name, *rest = rest
    if name not in target.fields:
        if rest and name in hops(target):
            raise InvalidQuestion(f"{path} goes along two references; one is the most")
        raise _unknown(target, name, target.fields)
    follow = Follow(head, schema.fields[by].columns[0], target)
    return _inside(path, target.fields[name], rest, target, follow)


def _unknown(schema: Schema, name: str, names: Mapping[str, object] | tuple[str, ...]) -> UnknownField:
    return UnknownField(schema.name, name[:80], nearest(name[:80], names))


def _inside(
    path: str, field: SchemaField, rest: list[str], schema: Schema, follow: Follow | None
) -> Resolved:
    """*field* itself, or the part of its value that *rest* names."""
    if field.kind is Kind.EXTRA:
        return _custom(path, field, rest, schema, follow)
    if not rest:
        if field.kind is Kind.EMBEDDED:
            raise UnknownField(schema.name, path, tuple(f"{path}.{c.path[-1]}" for c in field.columns))
        refs = tuple(Ref(column, follow, kind=column.kind) for column in field.columns)
        return Resolved(refs, field.kind, path, schema, choices=field.columns[0].choices)
    parts = {column.path[-1]: column for column in field.columns if len(column.path) > 1}
    if len(rest) > 1 or rest[0] not in parts:
        raise _unknown(schema, ".".join((field.name, *rest)), tuple(f"{field.name}.{one}" for one in parts))
    column = parts[rest[0]]
    return Resolved((Ref(column, follow, kind=column.kind),), column.kind, path, schema)


def _custom(
    path: str, field: SchemaField, rest: list[str], schema: Schema, follow: Follow | None
) -> Resolved:
    name = ".".join(rest)
    kind = schema.extra_kinds.get(name)
    if kind is None:
        raise UnknownField(schema.name, path[:80], nearest(name[:80], schema.extra_kinds))
    ref = Ref(field.columns[0], follow, key=name, kind=kind)
    return Resolved((ref,), kind, path, schema)
