"""Errors: each a sentence made of its facts, whatever the facts are, and the same one in another process."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import attrs
import pytest

from salescrm import errors
from salescrm.errors import CrmError, InvalidValue, NotFound, StaleWrite, Transient, Unmet
from salescrm.errors.refusals import LeftOver
from salescrm.labels import Language


@attrs.frozen
class Told:
    """A decision, as far as an error needs one."""

    verdict: str

    def explain(self, lang: Language) -> str:
        return f"{self.verdict} in {lang}"


ERRORS: tuple[CrmError, ...] = (
    InvalidValue("Customer", "name", "x", "text"),
    errors.UnknownField("Customer", "nam", ("name",)),
    errors.InvalidQuestion("it is nested too deep"),
    errors.InvalidCursor("it was altered"),
    errors.InvalidDefinition("Policy", ("one", "two")),
    errors.TenantRequired(),
    NotFound("Customer", "x"),
    StaleWrite("Customer", "x", 1),
    errors.Duplicate("Customer", ("number",)),
    errors.Forbidden("li", "save", "Customer", "x"),
    errors.MoveRefused("x", "won", (Unmet("code", "name", "{subject} is missing"),)),
    errors.StateRefused("FollowUp", "F1", "done", "be done"),
    errors.ClaimRefused("ann", (Told("cap"),)),
    errors.AssignmentRefused((Told("nobody"),)),
    errors.ProtectionRefused("ann", 3),
    errors.ApprovalRefused("x", Told("not-an-approver")),
    errors.TransferRefused((Unmet("not-owned", "C1", "nobody owns {subject}"),)),
    errors.LeftBehind("ann", (LeftOver("Team", "leader_id", 2),)),
    errors.HookRefused("adding_record", "Guard", "listed"),
    errors.WorkEnded("it was committed"),
    errors.EngineError("DataError"),
    Transient("busy", outcome_unknown=True),
    errors.Misconfigured("a package is missing", "install it"),
    errors.SchemaOutdated(None, "1"),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_to_another_process(error: CrmError) -> None:
    """A task queue pickles what a task raised."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(error), str(error), error.facts()) == (type(again), str(again), again.facts())


def test_every_error_is_looked_at_here() -> None:
    concrete = {kind for name in errors.__all__ if isinstance(kind := getattr(errors, name), type)}
    concrete = {kind for kind in concrete if issubclass(kind, CrmError) and "__attrs_attrs__" in vars(kind)}
    assert concrete == {type(error) for error in ERRORS}


def deep(kind: type[Any]) -> Any:
    value: Any = "x"
    for _ in range(100_000):
        value = [value] if kind is list else {"x": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        deep(list),
        deep(dict),
        ["x" * 100] * 100_000,
        "x" * 1_000_000,
        10**5000,
        "\ud800",
        b"\xff",
        float("nan"),
    ],
    ids=["deep list", "deep dict", "long list", "long text", "long number", "surrogate", "bytes", "nan"],
)
def test_a_value_from_outside_never_drowns_or_breaks_the_sentence(value: Any) -> None:
    sentence = str(InvalidValue("Customer", "name", value, "text"))
    assert 5_000 > len(sentence.encode())
    assert sentence.endswith("expected text")
