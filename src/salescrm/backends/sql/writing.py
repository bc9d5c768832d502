"""How a store's writes are done: on PostgreSQL a few in one statement, many by COPY; elsewhere one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from salescrm.backends.sql.bulk import Copies
from salescrm.backends.sql.channels import Channel
from salescrm.backends.sql.errors import Taken
from salescrm.backends.sql.statements import Statements
from salescrm.backends.sql.writes import WriteStatements
from salescrm.errors import Duplicate, EngineError, InvalidValue, StaleWrite
from salescrm.kinds import Kind
from salescrm.schema import Schema
from salescrm.storage import Delete, Insert, Replace, Write

__all__ = ["Writing"]

#: Up to so many records go in one statement; its text grows with each.
_MOST_GROUPED: Final = 8
#: From so many on COPY pays for its own round trips.
_LEAST_COPIED: Final = 50


class Writing:
    """Does writes on a channel."""

    def __init__(self, statements: Statements, dialect: sa.Dialect) -> None:
        self._statements = statements
        self._version = statements.flavor.write.get(Kind.WHOLE, int)
        self._writes = WriteStatements(statements)
        self._copies = Copies(statements, dialect) if statements.flavor.name == "postgresql" else None

    def write(self, channel: Channel, tenant: str, writes: Sequence[Write]) -> None:
        """Does *writes* in order, in the transaction that is open on *channel*."""
        for write in writes:
            _check_tenant(tenant, write)
        if self._copies is None:
            for write in writes:
                self._one(channel, tenant, write)
            return
        for group in _groups(writes):
            if len(group) > 1 or (isinstance(group[0], Insert) and len(group[0].records) <= _MOST_GROUPED):
                self._together(channel, tenant, group)
            elif isinstance(group[0], Insert) and len(group[0].records) >= _LEAST_COPIED:
                self._copies.copy(channel, group[0].schema, group[0].records)
            else:
                self._one(channel, tenant, group[0])

    def hold(self, channel: Channel, tenant: str, schema: Schema, records: Sequence[Any]) -> None:
        """Raises the versions of *records*, which are inserted where missing: who else does so waits."""
        _check_tenant(tenant, Insert(schema, records))
        row, text = self._writes.of(schema).row, self._writes.holding(schema)
        if len(records) == 1:
            channel.count(text, row(records[0]))
        elif records:
            channel.many(text, map(row, records))

    def are_few(self, inserts: Sequence[Insert]) -> bool:
        """Whether *inserts* may go in one statement with something else."""
        return 0 < sum(len(one.records) for one in inserts) <= _MOST_GROUPED

    def rows(self, tenant: str, inserts: Sequence[Insert]) -> list[Any]:
        """The parameters of each record of *inserts* in the order of its columns, one behind the other."""
        parameters: list[Any] = []
        for one in inserts:
            _check_tenant(tenant, one)
            row = self._writes.of(one.schema).row
            for record in one.records:
                parameters += row(record)
        return parameters

    def _one(self, channel: Channel, tenant: str, write: Write) -> None:
        made = self._writes.of(write.schema)
        try:
            match write:
                case Insert(_, records) if len(records) == 1:
                    channel.count(made.insert, made.row(records[0]))
                case Insert(_, records):
                    channel.many(made.insert, map(made.row, records))
                case Replace(schema, record, version, columns):
                    replacement = self._writes.replacement(schema, columns)
                    parameters = (
                        *replacement.row(record),
                        tenant,
                        record.id,
                        self._version(version),
                    )
                    if channel.count(replacement.text, parameters) != 1:
                        raise StaleWrite(schema.name, record.id, version)
                case Delete(schema, id, version):
                    if channel.count(made.delete, (tenant, id, self._version(version))) != 1:
                        raise StaleWrite(schema.name, id, version)
        except Taken as taken:
            raise self._duplicate(channel, tenant, write) from taken.__cause__

    def _together(self, channel: Channel, tenant: str, writes: Sequence[Write]) -> None:
        group = self._writes.group(writes)
        parameters: list[Any] = []
        conditional: list[Replace | Delete] = []
        for write in writes:
            made = self._writes.of(write.schema)
            match write:
                case Insert(_, records):
                    for record in records:
                        parameters += made.row(record)
                case Replace(schema, record, version, columns):
                    row = self._writes.replacement(schema, columns).row
                    parameters += (*row(record), tenant, record.id, self._version(version))
                    conditional.append(write)
                case Delete(_, id, version):
                    parameters += (tenant, id, self._version(version))
                    conditional.append(write)
        laid_out = parameters if group.order is None else group.order(parameters)
        if not conditional:
            channel.count(group.text, laid_out)
            return
        for met, write in zip(channel.rows(group.text, laid_out)[0], conditional, strict=True):
            if met != 1:
                id = write.record.id if isinstance(write, Replace) else write.id
                raise StaleWrite(write.schema.name, id, write.expected_version)

    def _duplicate(self, channel: Channel, tenant: str, write: Write) -> Exception:
        """
        Which unique key of *write* is taken.

        SQLite and MySQL say so in their message only, so the table is asked; both leave the transaction usable.
        """
        schema = write.schema
        records = (
            write.records
            if isinstance(write, Insert)
            else [write.record]
            if isinstance(write, Replace)
            else []
        )
        keys = [index.columns for index in schema.unique]
        if isinstance(write, Replace) and len(keys) == 1:
            return Duplicate(schema.name, keys[0])
        for key in (*keys, ("id",)):
            seen: set[tuple[Any, ...]] = set()
            for record in records:
                values = tuple(schema.getters[name](record) for name in key)
                if None in values:
                    continue
                if values in seen or self._is_taken(channel, tenant, schema, key, values, record.id):
                    return Duplicate(schema.name, key)
                seen.add(values)
        return EngineError(f"a unique key of {schema.name}")

    def _is_taken(
        self,
        channel: Channel,
        tenant: str,
        schema: Schema,
        key: tuple[str, ...],
        values: tuple[Any, ...],
        id: str,
    ) -> bool:
        made = self._statements.making(schema)
        table = made.table
        where = [
            table.c[name]
            == made.slot(
                at, table.c[name].type, self._statements.flavor.write.get(schema.by_column[name].kind)
            )
            for at, name in enumerate(key)
        ]
        if key != ("id",):
            where.append(table.c.id != made.slot(len(key), table.c.id.type, None))
        query = sa.select(table.c.id).where(table.c.tenant == made.tenant, *where)
        asked = self._statements.finish(made, query, list)
        return bool(channel.rows(asked.text, asked.bind(tenant, (*values, id), ())))


def _check_tenant(tenant: str, write: Write) -> None:
    if isinstance(write, Delete):
        return
    for record in write.records if isinstance(write, Insert) else (write.record,):
        if record.tenant != tenant:
            raise InvalidValue(write.schema.name, "tenant", record.tenant, f"{tenant}, whose store this is")


def _groups(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """
    *writes* in order, in groups that may be one statement.

    The parts of one statement don't see each other: a record is met once in it.
    """
    group: list[Write] = []
    ids: set[tuple[Schema, str]] = set()
    for write in writes:
        if isinstance(write, Insert):
            if not write.records:
                continue
            if len(write.records) > _MOST_GROUPED:
                if group:
                    yield group
                    group, ids = [], set()
                yield [write]
                continue
            met = {(write.schema, record.id) for record in write.records}
        else:
            met = {(write.schema, write.record.id if isinstance(write, Replace) else write.id)}
        if group and (len(ids) + len(met) > _MOST_GROUPED or not ids.isdisjoint(met)):
            yield group
            group, ids = [], set()
        group.append(write)
        ids |= met
    if group:
        yield group
