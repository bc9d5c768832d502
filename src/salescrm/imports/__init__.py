"""
Bringing a company's files in: a plan says which column fills which field, and the import can be run again at any time.

``import_files(crm, load_plan("plan.toml"), "data/", by="li")`` does it; ``recall(crm)`` is a Crm that knows the
pipelines which imports have brought.
"""

from __future__ import annotations

from salescrm.imports.pipelines import knowing, recall
from salescrm.imports.plan import Cell, History, ImportPlan, Records, load_plan, loads_plan
from salescrm.imports.results import Counts, ImportResult, Progress, RecordsResult, RefusedRow
from salescrm.imports.running import check_plan, import_files

__all__ = [
    "Cell",
    "Counts",
    "History",
    "ImportPlan",
    "ImportResult",
    "Progress",
    "Records",
    "RecordsResult",
    "RefusedRow",
    "check_plan",
    "import_files",
    "knowing",
    "load_plan",
    "loads_plan",
    "recall",
]
