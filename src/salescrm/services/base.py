"""What every service has: questions to ask (inherited), and the way from given fields to a record and back to the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar, cast

from salescrm.codegen import STAMPED
from salescrm.entities import Contact, Record
from salescrm.entities.base import RecordT
from salescrm.errors import InvalidValue, UnknownField
from salescrm.kinds import Extra, Kind
from salescrm.policy.parts import NumberedEntity
from salescrm.reading import Reader
from salescrm.schema import nearest
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Money, Region, credit_code, email, mobile, moment, phone

__all__ = ["Service"]

R = TypeVar("R", bound=Record)

#: What people write in many ways, by field name; each gives the one form that is stored.
_WRITTEN: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {"email": email, "credit_code": credit_code, "mobile": mobile, "phone": phone}
)
#: What every write stamps; the id is given once, when a record is made.
_STAMPS: Final = STAMPED - {"id"}
#: Values of these types need no other form, whatever the field, unless `_WRITTEN` says so.
_AS_THEY_ARE: Final = frozenset({str, int, bool, Money, Region})


class Service(Reader[RecordT]):
    """The use cases of one entity in one Work."""

    #: Fields that only a use case of their own may change.
    computed: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, work: UnitOfWork, entity: type[RecordT]) -> None:
        super().__init__(work, entity)
        self.records = work.repository(entity)

    def read(self, record: RecordT | Id) -> RecordT:
        """*record* as the caller read it, or read now where only its id is given."""
        if isinstance(record, self.entity):
            return record
        return self.get(cast(Id, record))

    def build(self, fields: Mapping[str, Any], **more: Any) -> RecordT:
        """A new record of *fields* and *more*, each in the one form that is stored.

        Raises:
            UnknownField, InvalidValue: A name or a value that the entity can't take.
        """
        given = {**self.records.stamps, **self.clean(fields), **more}
        missing = [name for name in self.schema.required if name not in given]
        if missing:
            raise InvalidValue(self.schema.name, missing[0], None, "a value")
        return cast(RecordT, self.schema.make(**given))

    def clean(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """
        *fields* in the form that is stored: phones in E.164, lists as tuples, moments in UTC.

        A blank text stands for nothing, as an empty box of a form does: None, or a number not given. A list of texts holds each once, in the order they came, and no blank one.
        An import cleans what its files say in the same way.

        Raises:
            UnknownField, InvalidValue: A name or a value that the entity can't take.
        """
        known, computed = self.schema.fields, self.computed
        cleaned: dict[str, Any] = {}
        for name, value in fields.items():
            if name in computed or name in _STAMPS or name not in known:
                near = nearest(name[:80], known.keys() - computed - _STAMPS)
                raise UnknownField(self.schema.name, name, near)
            if type(value) is str and not value.strip():
                value = self._blank(name, value)
            as_it_is = type(value) in _AS_THEY_ARE and name not in _WRITTEN
            cleaned[name] = value if as_it_is or value is None else self._clean(name, value)
        return cleaned

    def _blank(self, name: str, value: str) -> str | None:
        """What the blank *value* stands for; where nothing can't be, it stays as it is, to be refused later."""
        field = self.schema.fields[name]
        if field.kind is not Kind.TEXT or field.required:
            return value
        return cast("str | None", getattr(self.schema.blank, name))

    def _listed(self, name: str, values: Sequence[Any]) -> tuple[Any, ...]:
        """Each of some texts once; what is no text stays as it is, to be refused later."""
        if not all(type(one) is str for one in values):
            return tuple(values)
        for one in values:
            if not one.strip():
                raise InvalidValue(self.schema.name, name, one, "a text that is not blank")
        return tuple(dict.fromkeys(values))

    def _clean(self, name: str, value: Any) -> Any:
        """One given *value* in the form that is stored; of the wrong type it stays as it is, to be refused later."""
        entity, kind = self.schema.name, self.schema.fields[name].kind
        if name in ("mobile", "phone"):
            return _WRITTEN[name](value, region=self.unit.policy.phone_region, entity=entity, field=name)
        if name in _WRITTEN:
            return _WRITTEN[name](value, entity=entity, field=name)
        if kind is Kind.MOMENT:
            return moment(value, entity=entity, field=name)
        if kind is Kind.EXTRA and isinstance(value, Mapping):
            return Extra(value)
        if kind is Kind.TEXTS and isinstance(value, list | tuple):
            return self._listed(name, value)
        if kind is Kind.NESTED and isinstance(value, list):
            return tuple(value)
        return value

    def evolve(self, record: RecordT, changes: Mapping[str, Any]) -> RecordT:
        """*record* with cleaned *changes*."""
        cleaned = self.clean(changes)
        for name in cleaned.keys() & {"id", "number"}:
            if cleaned[name] != getattr(record, name):
                raise InvalidValue(
                    self.schema.name, name, cleaned[name], "what was given when it was created"
                )
        return cast(RecordT, self.schema.evolve(record, cleaned))

    def numbered(self, count: int = 1) -> list[str]:
        """The next *count* running numbers of this entity."""
        return self.unit.kit.numbers.take(
            self.unit, self.unit.policy.numbering_of(cast(NumberedEntity, self.schema.name)), count
        )

    def given_number(self, fields: Mapping[str, Any]) -> str:
        """The number in *fields*, or the next one."""
        given = fields.get("number")
        return self.numbered()[0] if _is_nothing(given) else cast(str, given)

    def given_id(self, fields: Mapping[str, Any]) -> Id:
        """The id in *fields*, or a new one."""
        given = fields.get("id")
        return self.unit.new_id() if _is_nothing(given) else cast(Id, given)

    def own_id(self, id: str) -> Id:
        """The host's own *id*, which can't be made up here."""
        if type(id) is not str or not id.strip():
            raise InvalidValue(self.schema.name, "id", id, "the host's own id")
        return Id(id)

    def must_exist(self, entity: type[Record], ids: Iterable[str | None], field: str) -> None:
        """Refuses a reference to nothing.

        Raises:
            InvalidValue: One of *ids* is of no record of *entity* that the member may see.
        """
        wanted = [Id(id) for id in ids if id is not None]
        if not wanted:
            return
        found = self.unit.repository(entity).many(wanted)
        for id in wanted:
            if type(id) is not str or id not in found:
                raise InvalidValue(self.schema.name, field, id, f"the id of a {entity.__name__}")

    def must_reach(self, contact_id: str | None, customer_id: str | None, *, given: bool = True) -> None:
        """
        Refuses a contact of somebody else than the customer *customer_id*, where there is one.

        One that was not *given* now may be gone by now; nobody is to blame for that.

        Raises:
            InvalidValue: The contact is another customer's, or none that the member may see.
        """
        contact = None if contact_id is None else self.unit.repository(Contact).peek(Id(contact_id))
        if contact is None:
            if given:
                self.must_exist(Contact, [contact_id], "contact_id")
        elif customer_id is not None and contact.customer_id != customer_id:
            raise InvalidValue(self.schema.name, "contact_id", contact_id, "a contact of the same customer")


def _is_nothing(given: Any) -> bool:
    return given is None or (type(given) is str and not given.strip())
