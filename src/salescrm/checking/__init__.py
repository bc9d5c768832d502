"""From questions as people write them to plans as stores take them: names, types and sizes checked, nothing asked yet."""

from __future__ import annotations

from salescrm.checking.checker import Checker, Limits
from salescrm.checking.literals import Context

__all__ = ["Checker", "Context", "Limits"]
