"""
The contract of `salescrm.storage` as tests: whoever writes a backend inherits `StoreContract` and gives one fixture.

::

    @pytest.fixture(scope="class")
    def backend(salescrm_schemas, tmp_path_factory):
        backend = JsonFileBackend(tmp_path_factory.mktemp("crm"), salescrm_schemas)
        backend.migrate()
        yield backend
        backend.close()

    class TestJsonFile(StoreContract):
        pass
"""

from __future__ import annotations

from salescrm.testing.contract.base import Contract, Door, Run
from salescrm.testing.contract.changing import Changing
from salescrm.testing.contract.holding import Holding
from salescrm.testing.contract.hostile import Hostile
from salescrm.testing.contract.questions import Questions
from salescrm.testing.contract.racing import Racing
from salescrm.testing.contract.reading import Reading
from salescrm.testing.contract.roundtrips import RoundTrips
from salescrm.testing.contract.sweeping import Sweeping
from salescrm.testing.contract.tallies import Tallies
from salescrm.testing.contract.tenants import Tenants
from salescrm.testing.contract.texts import Texts
from salescrm.testing.contract.transactions import Transactions
from salescrm.testing.contract.volume import Volume
from salescrm.testing.contract.writing import Writing

__all__ = [
    "Changing",
    "Contract",
    "Door",
    "Holding",
    "Hostile",
    "Questions",
    "Racing",
    "Reading",
    "RoundTrips",
    "Run",
    "StoreContract",
    "Sweeping",
    "Tallies",
    "Tenants",
    "Texts",
    "Transactions",
    "Volume",
    "Writing",
]


class StoreContract(
    # pytest runs what is inherited from the last class to the first.
    Volume,
    Racing,
    Holding,
    Hostile,
    RoundTrips,
    Transactions,
    Sweeping,
    Changing,
    Writing,
    Tallies,
    Texts,
    Questions,
    Reading,
    Tenants,
):
    """Every part of the contract."""
