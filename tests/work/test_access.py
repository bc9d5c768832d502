"""The seam for access: a member's scope is in every read, count, tally, change and single-record check."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from salescrm import Crm, Customer, F, Forbidden, Id, NotFound, Tally, Where, Work, count
from salescrm.access import Action

Connect = Callable[..., Crm]


class OwnOnly:
    """Everybody sees and changes their own customers only; the boss all."""

    def scope(self, member: Id, entity: str, action: Action) -> Where | None:
        return F.owner_id == member if entity == "Customer" and member != "boss" else None


@pytest.fixture
def crm(connect: Connect) -> Crm:
    crm = connect(access=OwnOnly())

    def fill(work: Work) -> None:
        for owner in ("li", "li", "wang"):
            work.customers.create(id=f"{owner}{work.customers.count()}", name="甲", owner_id=owner)

    crm.run(fill, by="boss")
    return crm


def test_every_way_of_reading_is_scoped(crm: Crm) -> None:
    with crm.begin(by="wang") as work:
        everyone = F.name == "甲"
        assert ["wang2"] == [one.id for one in work.customers.find()]
        assert ["wang2"] == [one.id for one in work.customers.find(everyone | (F.owner_id == "li"))]
        assert 1 == work.customers.count()
        assert [("wang", 1)] == work.customers.tally(Tally(by=[F.owner_id], measures=[count()]))
        assert [("wang2",)] == work.customers.select([F.id])
        assert ["wang2"] == [one.id for one in work.customers.stream()]
        assert ["wang2"] == list(work.customers.many([Id("li0"), Id("wang2")]))
        assert work.customers.peek(Id("li0")) is None
        with pytest.raises(NotFound):
            work.customers.get(Id("li0"))


def test_every_way_of_writing_is_checked(crm: Crm) -> None:
    with crm.begin(by="boss") as work:
        theirs = work.customers.get(Id("li0"))

    with pytest.raises(Forbidden), crm.begin(by="wang") as work:
        work.repository(Customer).save(theirs, theirs.owned_by(Id("wang"), at=work.now()))
    with pytest.raises(Forbidden), crm.begin(by="wang") as work:
        work.repository(Customer).remove(theirs)
    with pytest.raises(Forbidden), crm.begin(by="wang") as work:
        work.customers.create(name="乙", owner_id="li")
    with pytest.raises(Forbidden), crm.begin(by="wang") as work:
        work.customers.create_many([Customer(name="乙", owner_id=Id("li"))])
    with crm.begin(by="wang") as work:
        assert [] == work.repository(Customer).change(F.owner_id == "li", {"level": "A"})
    with crm.begin(by="boss") as work:
        assert [theirs] == list(work.customers.find(F.id == "li0"))
        assert 3 == work.customers.count()


def test_a_record_can_not_be_saved_out_of_ones_own_hands(crm: Crm) -> None:
    """The check looks at the record as it then is, too: nobody gives away what they may not hold."""
    with pytest.raises(Forbidden), crm.begin(by="wang") as work:
        work.customers.edit(Id("wang2"), owner_id="li")
