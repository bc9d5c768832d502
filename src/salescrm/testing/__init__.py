"""
For those who test a host of salescrm, or write a backend for it: a clock, makers of records, the contract suite.

The fixtures are in the pytest plugin ``salescrm_pytest``; ``salescrm.testing.contract`` needs pytest, ``strategies``
needs Hypothesis, and both are imported only by name.
"""

from __future__ import annotations

from salescrm.testing.asking import Asking, contract_schemas
from salescrm.testing.clock import START, Clock
from salescrm.testing.makers import Maker

__all__ = ["START", "Asking", "Clock", "Maker", "contract_schemas"]
