"""Looking into texts and lists: prefixes, parts, elements, and the search that knows no case and no width."""

from __future__ import annotations

from typing import Final

import pytest

from salescrm.entities import Customer
from salescrm.query import F, Field, contains_text
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker
from salescrm.values import fold

__all__ = ["BREAKS", "SIGNS", "Texts"]

#: Signs that mean something to LIKE, to a regular expression, to JSON, to an operator or to a quoting rule.
SIGNS: Final = (
    "%", "_", "\\", "\\%", "*", "?", "[a]", ".", ".*", "^", "$", "$ne", "(", "|", "'", "''", '"', "`", ";--",
    "{}", "{", ":x", "%s", "%(x)s", "?1", "/", "é", "e\u0301", "ß", "İ", "😀", "👩‍👩‍👧", "０", "中", " ",
)  # fmt: skip
#: What only prose may have.
BREAKS: Final = ("\n", "\t", "\r\n", "\u2028")


class Texts(Contract):
    """`Starts`, `Includes`, `ListHas` and the folded search."""

    @pytest.mark.parametrize("sign", [*SIGNS, *BREAKS], ids=ascii)
    def test_signs_stand_for_themselves(self, door: Door, make: Maker, sign: str) -> None:
        """At the front, inside and as a whole; and nothing else is found in their stead."""
        name = "notes" if sign in BREAKS else "industry"
        field = Field(name)
        names = {"front": f"{sign}b", "inside": f"a{sign}b", "whole": sign, "none": "axb", "blank": "Z"}
        made = {key: make.customer(name="x", **{name: text}) for key, text in names.items()}
        door.seed(*made.values())
        asking = door.open()

        def found(where: object) -> set[str]:
            ids = set(asking.ids(Customer, where))  # type: ignore[arg-type]  # a condition
            return {key for key, one in made.items() if one.id in ids}

        assert {key for key, text in names.items() if text.startswith(sign)} == found(field.starts_with(sign))
        assert {key for key, text in names.items() if sign in text} == found(field.contains(sign))
        assert {"whole"} == found(field == sign)
        assert {"whole", "blank"} == found(field.one_of([sign, "Z"]))
        assert {"front"} == found(field.contains(f"{sign}b") & field.starts_with(f"{sign}b"))

    @pytest.mark.parametrize("sign", SIGNS, ids=ascii)
    def test_elements_stand_for_themselves(self, door: Door, make: Maker, sign: str) -> None:
        """A list has an element that equals, not one that contains or looks like it."""
        alone, among = make.customer(tags=(sign,)), make.customer(tags=("a", sign, "a"))
        longer, empty = make.customer(tags=(f"{sign}b", f"a{sign}")), make.customer()
        door.seed(alone, among, longer, empty, make.customer(tags=("",)))
        asking = door.open()

        assert {alone.id, among.id} == set(asking.ids(Customer, F.tags.has(sign)))
        assert {longer.id} == set(asking.ids(Customer, F.tags.has(f"{sign}b")))
        assert empty.id in asking.ids(Customer, ~F.tags.has(sign))

    def test_empty_texts(self, door: Door, make: Maker) -> None:
        """Every text contains the empty one; no list has it unless it has."""
        null, empty, full = (
            make.customer(),
            make.customer(industry=""),
            make.customer(industry="x", tags=("",)),
        )
        door.seed(null, empty, full)
        asking = door.open()

        assert {empty.id, full.id} == set(asking.ids(Customer, F.industry.contains("")))
        assert {full.id} == set(asking.ids(Customer, F.tags.has("")))

    def test_case_and_accents_count(self, door: Door, make: Maker) -> None:
        """Prefix, part and element are by code point; only the search folds."""
        door.seed(make.customer(name="x", industry="Straße", tags=("Vip",)))
        asking = door.open()

        for text in ("straße", "Strasse", "STRAẞE"):
            assert [] == asking.ids(Customer, F.industry.starts_with(text) | F.industry.contains(text))
        assert [] == asking.ids(Customer, F.tags.has("vip"))
        assert 1 == len(asking.ids(Customer, F.industry.contains("raß") & F.tags.has("Vip")))

    @pytest.mark.parametrize(
        "name, asked",
        [
            ("Straße", "STRASSE"),
            ("STRASSE", "straße"),
            ("Café", "CAFE\u0301"),
            ("İstanbul", "i̇stanbul"),
            ("ＡＢＣ科技", "abc"),
            ("abc科技", "ＡＢＣ"),
            ("ﬁnance", "FIN"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("半角ｶﾅ", "カナ"),
            ("№ 5", "no 5"),
            ("100%_sure\\", "%_SURE\\"),
            ('O\'Neil "Bob"', "o'neil \"b"),
            ("👩‍👩‍👧 family", "👩‍👩‍👧 F"),
        ],
    )
    def test_search_folds(self, door: Door, make: Maker, name: str, asked: str) -> None:
        """Case, width and ligatures make no difference, on the stored side and on the asked one."""
        wanted = make.customer(name=name)
        door.seed(wanted, make.customer(name="other"))
        asking = door.open()

        assert fold(asked) in fold(name)
        assert [wanted.id] == asking.ids(Customer, contains_text(asked))
        assert wanted.id not in asking.ids(Customer, ~contains_text(asked))
        assert wanted.id not in asking.ids(Customer, contains_text(f"{asked}#"))

    def test_search_looks_into_each_searchable_field(self, door: Door, make: Maker) -> None:
        """Name, number and credit code; not into what isn't declared."""
        acme = make.customer(name="Acme", number="C-77", industry="Steel")
        door.seed(acme, make.customer(name="b"))
        asking = door.open()

        assert [acme.id] == asking.ids(Customer, contains_text("c-7"))
        assert [acme.id] == asking.ids(Customer, contains_text("ACME"))
        assert [] == asking.ids(Customer, contains_text("steel"))
        assert 2 == len(asking.ids(Customer, contains_text("")))
