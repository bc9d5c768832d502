"""Transactions: what others see and when, what a rollback takes back, what waits for the commit."""

from __future__ import annotations

import pytest

from salescrm.entities import Customer, Product
from salescrm.errors import Duplicate, Misconfigured
from salescrm.query import F, count
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker

__all__ = ["Transactions"]


class Transactions(Contract):
    """`Store.commit`, `rollback` and `after_commit`; isolation."""

    def test_commit_shows_all(self, door: Door, make: Maker) -> None:
        """What was inserted, replaced, changed and deleted is there for a new store."""
        saved, changed, removed = make.customer(), make.customer(), make.customer()
        door.seed(saved, changed, removed)
        asking = door.open()
        new = make.customer()
        asking.add(new)
        asking.save(saved, level="saved")
        asking.change(Customer, F.id == changed.id, {"level": "changed"})
        asking.remove(removed)
        asking.commit()

        found = {one.id: one.level for one in door.open().find(Customer)}
        assert {new.id: None, saved.id: "saved", changed.id: "changed"} == found

    def test_rollback_takes_all_back(self, door: Door, make: Maker) -> None:
        """As if nothing had been written; numbers and ids are free again."""
        if not door.can.transactions:
            pytest.skip("without transactions a rollback can't take back what was written")
        saved, changed, removed = make.customer(), make.customer(), make.customer()
        door.seed(saved, changed, removed)
        before = door.open().find(Customer)
        new = make.customer(number="N1")
        asking = door.open()
        asking.add(new, make.product())
        asking.save(saved, level="saved")
        asking.change(Customer, F.id == changed.id, {"level": "changed"})
        asking.remove(removed)
        asking.rollback()

        assert before == door.open().find(Customer)
        assert [] == door.ids(Product)
        door.seed(make.customer(id=new.id, number="N1"))

    def test_others_see_what_is_committed(self, door: Door, make: Maker) -> None:
        """Not before the commit, by no way of reading."""
        if not door.can.transactions:
            pytest.skip("without transactions what is written is there at once")
        kept, removed = make.customer(name="kept"), make.customer(name="removed")
        door.seed(kept, removed)
        writer = door.open()
        writer.add(make.customer(name="new"))
        writer.save(kept, name="renamed")
        writer.remove(removed)

        reader = door.open()
        assert ["kept", "removed"] == sorted(one.name for one in reader.find(Customer))
        assert [(2,)] == reader.tally(Customer, count())
        assert ["kept", "removed"] == sorted(row[0] for row in reader.select(Customer, F.name))
        assert 2 == sum(map(len, reader.stream(Customer, size=1)))
        still = reader.get(Customer, kept.id)
        assert still is not None
        assert ("kept", 1) == (still.name, still.version)
        reader.rollback()

        writer.commit()
        assert ["new", "renamed"] == sorted(one.name for one in door.open().find(Customer))

    def test_reader_does_not_hold_up_a_writer(self, door: Door, make: Maker) -> None:
        """Reading alone keeps nothing open that a writer would wait for."""
        customer = make.customer()
        door.seed(customer)
        reader = door.open()
        assert 1 == len(reader.find(Customer))
        next(iter(reader.stream(Customer, size=1)))

        writer = door.open()
        writer.save(customer, level="A")
        writer.commit()

        assert ["A"] == [one.level for one in door.open().find(Customer)]

    def test_who_has_read_writes_later(self, door: Door, make: Maker) -> None:
        """A store that read before others committed still writes, on what is there now."""
        mine, others = make.customer(), make.customer()
        door.seed(mine, others)
        asking = door.open()
        assert 2 == len(asking.find(Customer))
        other = door.open()
        other.save(others, level="B")
        other.commit()

        asking.save(mine, level="A")
        asking.commit()

        assert {"A", "B"} == {one.level for one in door.open().find(Customer)}

    def test_two_writers_write_at_once(self, door: Door, make: Maker) -> None:
        """Where the backend says that it can: different records, two open transactions, both there."""
        if not (door.can.concurrent_writers and door.can.transactions):
            pytest.skip("this backend has one writer at a time")
        first, second = door.open(), door.open()
        one, two = make.customer(), make.customer()
        first.add(one)
        second.add(two)
        assert [one.id] == first.ids(Customer)
        second.commit()
        first.commit()

        assert [one.id, two.id] == door.ids(Customer)

    def test_effects_wait_for_the_commit(self, door: Door, make: Maker) -> None:
        """They run after it, in order, once, and see what was committed."""
        seen: list[str] = []
        asking = door.open()
        asking.add(make.customer())
        asking.after_commit(lambda: seen.append(f"first: {len(door.ids(Customer))}"))
        asking.after_commit(lambda: seen.append("second"))
        assert [] == seen

        asking.commit()

        assert ["first: 1", "second"] == seen

    def test_effects_run_after_a_commit_of_nothing(self, door: Door) -> None:
        """A commit is one although nothing was written."""
        seen: list[str] = []
        asking = door.open()
        asking.find(Customer)
        asking.after_commit(lambda: seen.append("done"))

        asking.commit()

        assert ["done"] == seen

    def test_effects_never_run_after_a_rollback(self, door: Door, make: Maker) -> None:
        """Neither one of one's own will nor one after a failed write."""
        seen: list[str] = []
        asking = door.open()
        asking.add(make.customer(number="N1"))
        asking.after_commit(lambda: seen.append("rolled back"))
        asking.rollback()

        door.seed(make.customer(number="N2"))
        asking = door.open()
        asking.after_commit(lambda: seen.append("failed"))
        with pytest.raises(Duplicate):
            asking.add(make.customer(number="N2"))
        asking.rollback()

        assert [] == seen

    def test_rollback_after_the_end_is_harmless(self, door: Door, make: Maker) -> None:
        """Whoever cleans up need not know how it ended."""
        asking = door.open()
        asking.add(make.customer())
        asking.commit()
        asking.rollback()
        asking.rollback()

        assert 1 == len(door.ids(Customer))

    def test_rollback_of_nothing(self, door: Door) -> None:
        """A store that was never used, or only read, ends as any other."""
        door.open().rollback()
        door.open().commit()
        asking = door.open()
        asking.find(Customer)
        asking.rollback()

    def test_many_stores_one_after_another(self, door: Door, make: Maker) -> None:
        """Each gives back what it held: no pool runs dry."""
        for _ in range(60):
            asking = door.open()
            asking.find(Customer)
            asking.commit()
            asking = door.open()
            asking.add(make.customer())
            asking.rollback()

        assert [] == door.ids(Customer) or not door.can.transactions

    def test_migrate_again(self, door: Door, make: Maker) -> None:
        """A second migration changes nothing, and there is nothing left to do."""
        door.seed(make.customer())

        door.backend.migrate()
        door.backend.verify()

        assert 1 == len(door.ids(Customer))

    def test_join_refuses_what_it_does_not_know(self, door: Door) -> None:
        """A handle of no known type is a mistake of configuration."""
        for handle in (object(), "postgresql://", None):
            with pytest.raises(Misconfigured):
                door.backend.join(handle, door.tenant)
