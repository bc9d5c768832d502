"""
Hypothesis strategies for random records and random questions about them; needs the package hypothesis.

Values come from small pools, so that random questions find something and random orders have ties; the pools hold what
engines have disagreed about: é ß İ, full width, emoji, signs of pattern languages, the first and the last moment.
"""

from __future__ import annotations

from salescrm.testing.strategies.questions import (
    ENTITIES,
    Question,
    columns,
    conditions,
    queries,
    questions,
    tallies,
)
from salescrm.testing.strategies.records import records

__all__ = ["ENTITIES", "Question", "columns", "conditions", "queries", "questions", "records", "tallies"]
