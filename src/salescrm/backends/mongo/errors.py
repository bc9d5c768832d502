"""The driver's errors as ours: the one place that knows MongoDB's codes and labels, and no message of it is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    CursorNotFound,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from salescrm.errors import CrmError, Duplicate, EngineError, Misconfigured, Transient

__all__ = ["translated"]

_DUPLICATE_KEY: Final = 11000
_UNKNOWN: Final = "UnknownTransactionCommitResult"
_TRANSIENT_LABELS: Final = (
    "TransientTransactionError",
    _UNKNOWN,
    "RetryableWriteError",
)
#: Codes of MongoDB's error list that ask for another try even where no label says so.
_TRANSIENT_CODES: Final = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        24,  # LockTimeout
        46,  # LockBusy
        50,  # MaxTimeMSExpired
        64,  # WriteConcernTimeout
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        112,  # WriteConflict
        175,  # QueryPlanKilled
        189,  # PrimarySteppedDown
        239,  # SnapshotTooOld
        246,  # SnapshotUnavailable
        251,  # NoSuchTransaction
        262,  # ExceededTimeLimit
        290,  # TransactionExceededLifetimeLimitSeconds
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13388,  # StaleConfig
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
    }
)
#: Not allowed, or not who one says.
_REFUSED: Final = frozenset({13, 18})


def translated(error: PyMongoError | BSONError, entity: str, *, committing: bool = False) -> CrmError:
    """What of ours *error* is, met while working on records of *entity*, or while *committing*."""
    if isinstance(error, ConfigurationError):
        return Misconfigured(f"the MongoDB driver refused: {error}", "check the URL and the client's options")
    if isinstance(error, BSONError):
        return EngineError(f"MongoDB can't hold this {entity}: {_name(error)}")
    if any(error.has_error_label(label) for label in _TRANSIENT_LABELS):
        return Transient(_name(error), committing and error.has_error_label(_UNKNOWN))
    if isinstance(error, ConnectionFailure | WTimeoutError | ExecutionTimeout | CursorNotFound):
        return Transient(_name(error), committing)
    if not isinstance(error, OperationFailure):
        return EngineError(_name(error))
    details, code = _first(error)
    if code == _DUPLICATE_KEY:
        return Duplicate(entity, _key(details))
    if code in _TRANSIENT_CODES:
        return Transient(_name(error))
    if code in _REFUSED:
        return Misconfigured(f"MongoDB refused: {_name(error)}", "give the user readWrite on this database")
    return EngineError(_name(error))


def _first(error: OperationFailure) -> tuple[Mapping[str, Any], int | None]:
    """The facts and the code of what failed; of a bulk write, of the first write that did."""
    details = error.details or {}
    if isinstance(error, BulkWriteError):
        failed = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
        details = failed[0] if failed else {}
        return details, details.get("code")
    return details, error.code


def _key(details: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of the unique key that was hit; the tenant is in all of them and goes without saying."""
    pattern = details.get("keyPattern", {})
    return tuple("id" if name == "_id" else name for name in pattern if name != "tenant")


def _name(error: Exception) -> str:
    """What happened, in a word or two that carry no value of a record."""
    details = (error.details or {}) if isinstance(error, OperationFailure) else {}
    return f"{type(error).__name__} {details.get('codeName', '')}".rstrip()
