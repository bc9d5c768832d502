"""Conditions: from the public nodes to the plan's, slots numbered as the literals stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

import attrs

from salescrm.checking.literals import Context, Convert, converter_for, money_currency, money_minor, text_for
from salescrm.checking.paths import Resolved, resolve_operand
from salescrm.errors import InvalidQuestion, fact
from salescrm.kinds import Kind
from salescrm.plans import (
    AllOf,
    AnyOf,
    Cmp,
    Condition,
    Const,
    Includes,
    InSlot,
    ListHas,
    Negated,
    Null,
    Ref,
    Starts,
)
from salescrm.query.nodes import (
    Always,
    And,
    Compare,
    Contains,
    Has,
    IsNull,
    Not,
    OneOf,
    Operand,
    Operator,
    Or,
    Search,
    StartsWith,
    Where,
)
from salescrm.schema import SEARCH, Schema
from salescrm.values import clean_text, fold

__all__ = ["MOST_VALUES", "Conditions", "Slot"]

#: A question nested deeper, or of more conditions, is refused: no engine should have to find out.
MOST_DEEP: Final = 32
MOST_WIDE: Final = 400
#: The most values of one ``one_of``.
MOST_VALUES: Final = 1_000


@attrs.frozen
class Slot:
    """Where a slot's value comes from: the *literal* of that number, converted."""

    literal: int
    convert: Convert


@attrs.define
class Conditions:
    """Makes the conditions of one plan; *slots* fill up as literals are met, in the order of `query.nodes.shape`."""

    schema: Schema
    schemas: Mapping[str, Schema]
    slots: list[Slot] = attrs.field(factory=list)
    literals: int = 0
    nodes: int = 0
    operands: int = 0

    def operand(self, operand: Operand) -> Resolved:
        """What *operand* stands for here.

        Raises:
            UnknownField: A name that the schema does not have.
            InvalidQuestion: It is no field, or one too many.
        """
        self.operands += 1
        if self.operands > 2 * MOST_WIDE:
            raise InvalidQuestion(f"it names fields more than {2 * MOST_WIDE} times")
        return resolve_operand(operand, self.schema, self.schemas)

    def slot(self, convert: Convert, *, same: bool = False) -> int:
        """The number of a new slot for the next literal, or for the *same* one again."""
        self.literals += not same
        self.slots.append(Slot(self.literals - 1, convert))
        return len(self.slots) - 1

    def make(self, where: Where, depth: int = 0) -> Condition:
        """The plan's condition for *where*.

        Raises:
            UnknownField: A name that the schema does not have.
            InvalidQuestion: Too deep, too wide, or a comparison that the field's kind does not have.
        """
        self.nodes += 1
        if depth > MOST_DEEP:
            raise InvalidQuestion(f"it is nested deeper than {MOST_DEEP} levels")
        if self.nodes > MOST_WIDE:
            raise InvalidQuestion(f"it has more than {MOST_WIDE} conditions")
        match where:
            case Always(bool(value)):
                return Const(value)
            case And(parts):
                return AllOf(tuple(self.make(part, depth + 1) for part in parts))
            case Or(parts):
                return AnyOf(tuple(self.make(part, depth + 1) for part in parts))
            case Not(part):
                return Negated(self.make(part, depth + 1))
            case Compare():
                return self._compare(where)
            case OneOf(operand, _):
                return self._one_of(self.operand(operand))
            case IsNull(operand):
                return Null(self.operand(operand).ref)
            case Has(operand, _):
                resolved = self.operand(operand)
                if resolved.kind is not Kind.TEXTS:
                    raise InvalidQuestion(f"{operand} is no list of text; has() asks for one")
                return ListHas(resolved.plain_ref, self.slot(text_for(resolved)))
            case StartsWith(operand, _):
                return self._starts(self._text(operand))
            case Contains(operand, _):
                resolved = self._text(operand)
                return Includes(resolved.plain_ref, self.slot(text_for(resolved)))
            case Search(_):
                return self._search()
            case _:
                raise InvalidQuestion(f"{type(where).__name__} is no condition")

    def _text(self, operand: str) -> Resolved:
        resolved = self.operand(operand)
        if not resolved.kind.is_textual:
            raise InvalidQuestion(f"{operand} is of kind {resolved.kind.value}; only a text is looked into")
        return resolved

    def _compare(self, where: Compare) -> Condition:
        operand, operator = self.operand(where.operand), where.operator
        if operator not in get_args(Operator):
            raise InvalidQuestion(f"{fact(operator)} compares nothing")
        if operand.kind is not Kind.MONEY:
            return Cmp(operand.ref, operator, self.slot(converter_for(operand)))
        minor_slot = self.slot(money_minor(operand))
        currency_slot = self.slot(money_currency, same=True)
        minor = Cmp(operand.refs[0], operator, minor_slot)
        if operator == "ne":
            return AnyOf((minor, Cmp(operand.refs[1], "ne", currency_slot)))
        # An amount in another currency is neither less nor more: only the same currency compares.
        return AllOf((Cmp(operand.refs[1], "eq", currency_slot), minor))

    def _one_of(self, operand: Resolved) -> Condition:
        if operand.kind is Kind.MONEY:
            raise InvalidQuestion(
                f"{operand.path}: money has no one_of; compare it, or use {operand.path}.minor"
            )
        convert = converter_for(operand)

        def each(values: object, context: Context) -> object:
            if not isinstance(values, tuple):
                raise InvalidQuestion(f"{operand.path}: one_of wants values")
            if len(values) > MOST_VALUES:
                raise InvalidQuestion(f"{operand.path}: one_of {len(values)} values; at most {MOST_VALUES}")
            return tuple(convert(value, context) for value in values)

        return InSlot(operand.ref, self.slot(each))

    def _starts(self, operand: Resolved) -> Condition:
        text = text_for(operand)

        def prefix(value: object, context: Context) -> object:
            start = text(value, context)
            if start == "":
                raise InvalidQuestion(f"{operand.path}: starts_with wants at least one character")
            return start

        return Starts(operand.plain_ref, self.slot(prefix))

    def _search(self) -> Condition:
        if not self.schema.searchable:
            raise InvalidQuestion(f"{self.schema.name} has no searchable fields")
        entity = self.schema.name

        def folded(value: object, _: Context) -> object:
            text = fold(clean_text(value, entity=entity, field="search", limit=255))
            if "\n" in text:  # it parts the fields in the shadow column; across two of them nothing is found
                raise InvalidQuestion("a search is for one line of text")
            return text

        column = self.schema.by_column[SEARCH]
        return Includes(Ref(column, kind=column.kind), self.slot(folded))
