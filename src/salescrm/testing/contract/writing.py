"""Writing: inserts, replacements, deletions; what is refused, and that a refused write leaves nothing."""

from __future__ import annotations

import attrs
import pytest

from salescrm.entities import Customer, Opportunity, Product
from salescrm.errors import Duplicate, StaleWrite
from salescrm.query import F, contains_text
from salescrm.storage import Delete, Insert, Replace, Write
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker

__all__ = ["Writing"]


class Writing(Contract):
    """`Store.write`."""

    def test_store_reads_what_it_wrote(self, door: Door, make: Maker) -> None:
        """Inserted, replaced and deleted, before any commit."""
        asking, acme = door.open(), make.customer(name="Acme")
        asking.add(acme)
        assert asking.own(acme) == asking.get(Customer, acme.id)

        saved = asking.save(acme, name="Acme Ltd")
        assert [saved] == asking.find(Customer)

        asking.remove(saved)
        assert [] == asking.find(Customer)
        assert asking.get(Customer, acme.id) is None

    def test_write_of_nothing_changes_nothing(self, door: Door, make: Maker) -> None:
        """No write, or an insert of no records, is fine."""
        door.seed(make.customer())
        asking = door.open()

        asking.store.write()
        asking.store.write(Insert(asking.schema(Customer), []))
        asking.store.write(Insert(asking.schema(Customer), ()), Insert(asking.schema(Product), []))
        asking.commit()

        assert 1 == len(door.ids(Customer))

    def test_one_write_does_all_in_order(self, door: Door, make: Maker) -> None:
        """What a later one of *writes* needs, an earlier one may have made."""
        asking, schema = door.open(), door.schemas["customers"]
        first, second = asking.own(make.customer(number="N1")), asking.own(make.customer(number="N1"))

        asking.store.write(
            Insert(schema, [first]),
            Replace(schema, attrs.evolve(first, version=2, name="renamed"), 1),
            Delete(schema, first.id, 2),
            Insert(schema, [second]),
            Insert(door.schemas["products"], [asking.own(make.product())]),
        )
        asking.commit()

        assert [second.id] == door.ids(Customer)
        assert 1 == len(door.ids(Product))

    def test_replace_writes_every_field(self, door: Door, make: Maker) -> None:
        """Values go, come and change; search looks into the new ones."""
        acme = make.customer(name="Acme", level="A", tags=("x", "y"))
        door.seed(acme, make.customer(name="Other"))
        asking = door.open()
        saved = asking.save(asking.own(acme), name="Zeta", level=None, tags=(), industry="IT")
        asking.commit()

        asking = door.open()
        assert saved == asking.get(Customer, acme.id)
        assert 2 == saved.version
        assert [acme.id] == asking.ids(Customer, contains_text("zeta"))
        assert [] == asking.ids(Customer, contains_text("acme"))

    def test_stale_replace_is_refused(self, door: Door, make: Maker) -> None:
        """Who read an older version saves nothing; the error names record and version."""
        acme = make.customer(name="Acme")
        door.seed(acme)
        asking = door.open()
        asking.save(acme, name="first")
        asking.commit()

        asking = door.open()
        with pytest.raises(StaleWrite) as stale:
            asking.save(acme, name="second")
        asking.rollback()

        assert ("Customer", acme.id, 1) == (stale.value.entity, stale.value.id, stale.value.expected_version)
        found = door.open().find(Customer)
        assert [("first", 2)] == [(one.name, one.version) for one in found]

    @pytest.mark.parametrize("expected_version", [0, 2, 3])
    def test_another_version_is_stale(self, door: Door, make: Maker, expected_version: int) -> None:
        """Older or newer than the stored one: both are not what is there."""
        acme = make.customer()
        door.seed(acme)
        for write in (
            Replace(door.schemas["customers"], door.open().own(acme), expected_version),
            Delete(door.schemas["customers"], acme.id, expected_version),
        ):
            asking = door.open()
            with pytest.raises(StaleWrite):
                asking.store.write(write)
            asking.rollback()

        assert [acme.id] == door.ids(Customer)

    def test_what_is_gone_is_stale(self, door: Door, make: Maker) -> None:
        """A record that was never there, or was deleted, can be neither replaced nor deleted."""
        acme, ghost = make.customer(), make.customer()
        door.seed(acme)
        asking = door.open()
        asking.remove(acme)
        asking.commit()

        for gone in (acme, ghost):
            asking = door.open()
            with pytest.raises(StaleWrite):
                asking.save(gone, name="back")
            asking.rollback()
            asking = door.open()
            with pytest.raises(StaleWrite):
                asking.remove(gone)
            asking.rollback()
        assert [] == door.ids(Customer)

    def test_taken_id_is_duplicate(self, door: Door, make: Maker) -> None:
        """An id is taken by the same kind of record only."""
        acme = make.customer()
        door.seed(acme, make.product(id=acme.id))
        asking = door.open()

        with pytest.raises(Duplicate) as taken:
            asking.add(make.customer(id=acme.id))
        asking.rollback()

        assert ("Customer", ("id",)) == (taken.value.entity, taken.value.key)

    def test_taken_unique_key_is_duplicate(self, door: Door, make: Maker) -> None:
        """By an insert or a replacement; the error names the key's fields."""
        first, second = make.customer(number="N1"), make.customer(number="N2")
        door.seed(first, second, make.opportunity(number="N1"))

        asking = door.open()
        with pytest.raises(Duplicate) as inserted:
            asking.add(make.customer(number="N1"))
        asking.rollback()
        asking = door.open()
        with pytest.raises(Duplicate) as replaced:
            asking.save(second, number="N1")
        asking.rollback()

        assert ("Customer", ("number",)) == (inserted.value.entity, inserted.value.key)
        assert ("Customer", ("number",)) == (replaced.value.entity, replaced.value.key)
        assert ["N1", "N2"] == [one.number for one in door.open().find(Customer)]

    def test_two_of_one_write_clash(self, door: Door, make: Maker) -> None:
        """The same key twice among the new records is as taken as an old one."""
        for twin in (make.customer(number="N1"), make.customer(id="same")):
            asking = door.open()
            other = {"number": "N1"} if twin.number == "N1" else {"id": "same"}
            with pytest.raises(Duplicate):
                asking.add(twin, make.customer(**other))
            asking.rollback()
        assert [] == door.ids(Customer)

    def test_unique_key_is_exact(self, door: Door, make: Maker) -> None:
        """Keys that differ in case, accent, width or a blank at the end differ."""
        numbers = ["a1", "A1", "a1 ", " a1", "á1", "ａ1", "ß", "ss"]
        door.seed(*[make.customer(number=number) for number in numbers])

        assert sorted(numbers) == sorted(one.number for one in door.open().find(Customer))

    def test_unique_key_is_free_again(self, door: Door, make: Maker) -> None:
        """Once its record is gone or has another; a record may keep its own."""
        first, second = make.customer(number="N1"), make.customer(number="N2")
        door.seed(first, second)
        asking = door.open()

        first = asking.save(asking.own(first), name="keeps its number")
        second = asking.save(asking.own(second), number="N3")
        asking.add(make.customer(number="N2"))
        asking.remove(first)
        asking.add(make.customer(number="N1"))
        asking.commit()

        assert ["N1", "N2", "N3"] == sorted(one.number for one in door.open().find(Customer))

    @pytest.mark.parametrize("bad_first", [False, True])
    @pytest.mark.parametrize("what", ["insert", "insert_of_two", "replace", "delete"])
    def test_good_and_bad_leave_nothing(self, door: Door, make: Maker, what: str, bad_first: bool) -> None:
        """A good write and a bad one together: neither stays, and the error is that of the bad one."""
        stays = make.customer(number="N1")
        door.seed(stays)
        asking = door.open()
        if not door.can.transactions and what != "insert_of_two":
            pytest.skip("without transactions each single write is atomic")
        customers = door.schemas["customers"]
        good = asking.own(make.customer(number="N2"))
        clash = asking.own(make.customer(number="N1"))
        wrong: dict[str, Write] = {
            "insert": Insert(customers, [clash]),
            "insert_of_two": Insert(customers, [clash, good] if bad_first else [good, clash]),
            "replace": Replace(customers, attrs.evolve(asking.own(stays), version=8), 7),
            "delete": Delete(customers, stays.id, 7),
        }
        bad = wrong[what]
        fine = Insert(door.schemas["products"], [asking.own(make.product())])
        writes: list[Write] = [fine] if what == "insert_of_two" else [fine, Insert(customers, [good])]

        with pytest.raises(Duplicate if what.startswith("insert") else StaleWrite):
            asking.store.write(*([bad, *writes] if bad_first else [*writes, bad]))
        asking.rollback()

        assert [stays.id] == door.ids(Customer)
        assert [] == door.ids(Product)

    def test_failed_write_takes_earlier_ones_along(self, door: Door, make: Maker) -> None:
        """What the same transaction wrote before the failure goes with the rollback."""
        if not door.can.transactions:
            pytest.skip("without transactions a rollback can't take back what was written")
        deal = make.opportunity()
        door.seed(deal)
        asking = door.open()
        asking.add(make.customer())
        asking.change(Opportunity, F.id == deal.id, {"stage": "won"})

        with pytest.raises(StaleWrite):
            asking.remove(attrs.evolve(deal, version=9))
        asking.rollback()

        assert [] == door.ids(Customer)
        assert [("lead", 1)] == [(one.stage, one.version) for one in door.open().find(Opportunity)]

    def test_others_write_on_after_a_failure(self, door: Door, make: Maker) -> None:
        """A failed write and its rollback hold up nobody."""
        acme = make.customer(number="N1")
        door.seed(acme)
        for _ in range(3):
            asking = door.open()
            with pytest.raises(Duplicate):
                asking.add(make.customer(number="N1"))
            asking.rollback()
            door.seed(make.customer())

        assert 4 == len(door.ids(Customer))
