"""Tying a plan to a Crm and to the columns of its files: everything that is wrong is told before anything is written."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from salescrm.crm import Crm
from salescrm.entities import OpportunityLine
from salescrm.errors import InvalidDefinition
from salescrm.imports.cells import Target, converter
from salescrm.imports.drafts import Bound, FieldSource
from salescrm.imports.plan import Cell, History, ImportPlan, Records
from salescrm.imports.rows import open_table
from salescrm.imports.stays import Ways
from salescrm.kinds import Kind
from salescrm.schema import Schema, nearest
from salescrm.stages import Pipeline
from salescrm.values import CURRENCIES, moment

__all__ = ["bind"]

_STAMPS: Final = frozenset(
    {"id", "tenant", "version", "created_at", "created_by", "updated_at", "updated_by"}
)
#: These follow from an opportunity's history.
_FROM_HISTORY: Final = frozenset(
    {"pipeline", "stage", "status", "furthest_stage", "probability", "probability_overridden"}
    | {"opened_at", "closed_at", "stage_entered_at"}
)
_PARTS: Final = frozenset({Kind.EMBEDDED, Kind.EXTRA})


def bind(plan: ImportPlan, crm: Crm, directory: Path) -> tuple[Bound, ...]:
    """
    The plan's records, tied to *crm*'s entities and to the columns that the files in *directory* have, in order.

    Raises:
        InvalidDefinition: The plan contradicts itself, the policy or the files; all of it is named.
    """
    binding = _Binding(plan, crm)
    problems = list(binding.settings())
    bound: list[Bound] = []
    for records in plan.records:
        known = {one.records.name: one for one in bound}
        if records.name in known:
            problems.append(f"{records.name}: there are two records of this name")
            continue
        try:
            with open_table(
                directory / records.file, encoding=plan.encoding, delimiter=plan.delimiter
            ) as table:
                columns = {name: at for at, name in enumerate(table.columns) if name}
        except InvalidDefinition as problem:
            problems += [f"{problem.what}: {one}" for one in problem.problems]
            columns = None
        except (OSError, LookupError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else str(problem)
            problems.append(f"{records.name}: {records.file} can't be read: {reason}")
            columns = None
        one = _Records(binding, records, columns, known)
        bound.append(one.bound())
        problems += [f"{records.name}: {problem}" for problem in one.problems]
    if problems:
        raise InvalidDefinition(f"Import plan {plan.name}", tuple(dict.fromkeys(problems)))
    return tuple(bound)


@attrs.frozen(eq=False)
class _Binding:
    """What all records of one plan share."""

    plan: ImportPlan
    crm: Crm

    def settings(self) -> Iterator[str]:
        """What is wrong with the plan's own settings."""
        plan = self.plan
        if not plan.name.strip():
            yield "name is blank"
        if plan.currency is not None and plan.currency not in CURRENCIES:
            yield f"currency is {plan.currency!r}; an active ISO 4217 code such as CNY is wanted"
        if len(plan.delimiter) != 1:
            yield f"delimiter is {plan.delimiter!r}; one character is wanted"
        try:
            self.zone()
        except (OSError, ValueError, LookupError):
            yield f"time_zone is {plan.time_zone!r}; an IANA name such as Asia/Shanghai is wanted"
        try:
            codecs.lookup(plan.encoding or "utf-8")
        except LookupError:
            yield f"encoding is {plan.encoding!r}; a name such as utf-8, gb18030 or cp1252 is wanted"

    def zone(self) -> ZoneInfo:
        """In which dates without a time begin."""
        return ZoneInfo(self.plan.time_zone or self.crm.policy.time_zone)

    def pipelines(self) -> Mapping[str, Pipeline]:
        """By key, those of the plan and of the policy, which wins where both have one."""
        return {one.key: one for one in (*self.plan.pipelines, *self.crm.policy.pipelines)}

    def schema(self, entity: str) -> Schema:
        """The schema of *entity*, with the host's custom fields."""
        return next(one for one in self.crm.kit.schemas.values() if one.name == entity)


@attrs.define(eq=False)
class _Records:
    """One of the plan's records, as it is being tied."""

    binding: _Binding
    records: Records
    #: By name, where a column stands; None where the file could not be read.
    columns: Mapping[str, int] | None
    known: Mapping[str, Bound]
    problems: list[str] = attrs.field(factory=list)

    def bound(self) -> Bound:
        """As far as it goes; what stands in its way is in *problems*."""
        records, schema = self.records, self.binding.schema(self.records.entity)
        self._shape()
        bare = Bound(
            plan=self.binding.plan.name,
            records=records,
            schema=schema,
            key_positions=self._positions("key", records.key),
        )
        sources = tuple(
            source
            for field, cell in records.fields.items()
            if (source := self._source(schema, field, cell, bare)) is not None
        )
        line_schema = self.binding.crm.kit.by_record[OpportunityLine]
        lines = tuple(
            (
                line_schema,
                tuple(
                    source
                    for field, cell in line.items()
                    if (source := self._source(line_schema, field, cell, bare)) is not None
                ),
            )
            for line in records.lines
        )
        stays = self._ways(records.history) if records.history is not None else None
        return attrs.evolve(bare, sources=sources, lines=lines, stays=stays)

    def _shape(self) -> None:
        """What is wrong with the records as such."""
        records = self.records
        deal = records.entity == "Opportunity"
        if not records.key:
            self.problems.append("key names no column")
        if records.id == "key" and records.entity not in ("Member", "Team"):
            self.problems.append("only members and teams may have their key as their id")
        if deal and records.history is None:
            self.problems.append("opportunities need a history, which says what stage they are in")
        if not deal and (records.history is not None or records.lines):
            self.problems.append(f"a {records.entity} has no history and no lines")
        for line in records.lines:
            if "product_id" not in line:
                self.problems.append("a line needs a product_id")
        schema = self.binding.schema(records.entity)
        for name, field in schema.fields.items():
            if field.required and name not in records.fields and name not in _STAMPS | _FROM_HISTORY:
                self.problems.append(
                    f"{schema.name}.{name} must have a value, and no column or constant gives one"
                )

    def _positions(self, what: str, names: tuple[str, ...]) -> tuple[int, ...]:
        if self.columns is None:
            return ()
        for name in names:
            if name not in self.columns:
                near = ", ".join(nearest(name, self.columns)) or "none"
                self.problems.append(f"{what}: {self.records.file} has no column {name}; nearest: {near}")
        return tuple(self.columns[name] for name in names if name in self.columns)

    def _source(self, schema: Schema, field: str, cell: Cell, bare: Bound) -> FieldSource | None:
        """What reads *field* of *schema*; a problem and nothing where that can't be."""
        found = self._kind(schema, field)
        if found is None:
            return None
        if (cell.value is None) == (not cell.sources):
            self.problems.append(f"{field}: a column or a constant value is wanted, one of the two")
        target = self._target(schema, field, cell, bare)
        if cell.currency is not None and cell.currency not in CURRENCIES:
            self.problems.append(f"{field}: {cell.currency!r} is no currency")
        convert = converter(self._for(schema.name, field, found, cell), cell)
        if convert is None:
            self.problems.append(f"{field}: no cell can hold a value of kind {found.value}")
            return None
        return FieldSource(
            field=field,
            cell=cell,
            positions=self._positions(field, cell.sources),
            map=self._map(field, cell),
            convert=convert,
            target=target,
            own=target is bare,
        )

    def _kind(self, schema: Schema, field: str) -> Kind | None:
        """The kind of a field, or of the part that a dotted name reaches."""
        head, _, part = field.partition(".")
        whole = schema.fields.get(head)
        if whole is None:
            near = ", ".join(nearest(head, schema.fields)) or "none"
            self.problems.append(f"{field}: {schema.name} has no such field; nearest: {near}")
            return None
        taken = _STAMPS | (_FROM_HISTORY if schema.name == "Opportunity" else frozenset())
        if field in taken | {"opportunity_id"}:
            self.problems.append(f"{field}: this follows from the rest and can't be filled")
            return None
        if not part:
            return whole.kind
        if whole.kind not in _PARTS:
            self.problems.append(f"{field}: {schema.name}.{head} has no parts")
            return None
        parts = {column.path[-1]: column.kind for column in whole.columns if whole.kind is Kind.EMBEDDED}
        parts = parts or dict(schema.extra_kinds)
        if part not in parts:
            near = ", ".join(nearest(part, parts)) or "none"
            self.problems.append(f"{field}: {schema.name}.{head} has no {part}; nearest: {near}")
        return parts.get(part)

    def _target(self, schema: Schema, field: str, cell: Cell, bare: Bound) -> Bound | None:
        """The records that *field* refers to."""
        if cell.refers is None:
            if field in schema.references:
                self.problems.append(f"{field}: say which records it refers to (refers = …)")
            return None
        known = {**self.known, bare.records.name: bare}
        target = known.get(cell.refers)
        wanted = schema.references.get(field)
        if target is None:
            near = ", ".join(nearest(cell.refers, known)) or "none"
            self.problems.append(f"{field}: no records {cell.refers} come before these; nearest: {near}")
        elif wanted != target.schema.collection:
            self.problems.append(
                f"{field} refers to {wanted or 'nothing'}, and {cell.refers} are {target.schema.collection}"
            )
        elif len(cell.sources) not in (0, len(target.records.key)):
            self.problems.append(f"{field}: the key of {cell.refers} is {', '.join(target.records.key)}")
        return target

    def _ways(self, history: History) -> Ways | None:
        """What reads where deals stand."""
        pipelines = self.binding.pipelines()
        pipeline = pipelines.get(history.pipeline)
        if pipeline is None:
            near = ", ".join(nearest(history.pipeline, pipelines)) or "none"
            self.problems.append(f"history: there is no pipeline {history.pipeline}; nearest: {near}")
            return None
        for key in history.dates:
            if key not in pipeline.by_key:
                near = ", ".join(nearest(key, pipeline.by_key)) or "none"
                self.problems.append(f"history: {pipeline.key} has no stage {key}; nearest: {near}")
        for text in self._map("history", history.stage).values():
            if text not in pipeline.by_key:
                near = ", ".join(nearest(text, pipeline.by_key)) or "none"
                self.problems.append(f"history: {pipeline.key} has no stage {text}; nearest: {near}")
        stage = self._told("stage", Kind.TEXT, history.stage)
        dates = {
            key: self._told("stage_entered_at", Kind.MOMENT, Cell(column=column, formats=history.formats))
            for key, column in history.dates.items()
        }
        undated = None
        if history.undated is not None:
            undated = moment(datetime.combine(history.undated, time(), self._zone()))
        return Ways(pipeline=pipeline, stage=stage, dates=dates, undated=undated, zone=self._zone())

    def _told(self, field: str, kind: Kind, cell: Cell) -> FieldSource:
        """What reads a text or a moment of a deal's history."""
        convert = converter(self._for("Opportunity", field, kind, cell), cell) or str
        return FieldSource(
            field, cell, self._positions("history", cell.sources), self._map("history", cell), convert
        )

    def _for(self, entity: str, field: str, kind: Kind, cell: Cell) -> Target:
        currency = cell.currency or self.binding.plan.currency or self.binding.crm.policy.currency
        return Target(entity=entity, field=field, kind=kind, currency=currency, zone=self._zone())

    def _map(self, field: str, cell: Cell) -> Mapping[str, str]:
        maps = self.binding.plan.maps
        if cell.map is not None and cell.map not in maps:
            near = ", ".join(nearest(cell.map, maps)) or "none"
            self.problems.append(f"{field}: there is no map {cell.map}; nearest: {near}")
        return maps.get(cell.map or "", MappingProxyType({}))

    def _zone(self) -> ZoneInfo:
        try:
            return self.binding.zone()
        except (OSError, ValueError, LookupError):  # told with the plan's settings
            return ZoneInfo("UTC")
