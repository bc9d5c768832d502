"""Records made of fields by name: what the generated function makes is what the class would have made."""

from __future__ import annotations

import attrs
import pytest

from salescrm.catalog import schemas
from salescrm.entities import Customer
from salescrm.schema import Schema

SCHEMAS = schemas()


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_what_is_not_given_is_at_its_default(schema: Schema) -> None:
    given = dict.fromkeys(schema.required, "x")

    assert schema.record(**given) == schema.make(**given)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_every_field_takes_what_is_given_for_it(schema: Schema) -> None:
    given = {name: object() for name in schema.fields}

    made = schema.make(**given)

    assert given == {name: getattr(made, name) for name in schema.fields}


def test_a_made_record_is_of_its_class_and_frozen_like_any_other() -> None:
    made = SCHEMAS["customers"].make(name="华东机械")

    assert type(made) is Customer
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.name = "另一家"  # type: ignore[misc]  # as said


def test_a_field_without_a_default_has_to_be_given() -> None:
    with pytest.raises(TypeError, match="name"):
        SCHEMAS["customers"].make(level="A")
