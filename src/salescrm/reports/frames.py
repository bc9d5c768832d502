"""Results as a data frame of the host's own library, by narwhals (the extra ``frames``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any, Final

from salescrm.errors import InvalidValue, Misconfigured

__all__ = ["frame"]

#: What is taken where the host names none: the first that is installed.
_BACKENDS: Final = ("polars", "pandas", "pyarrow")


def frame(rows: Iterable[Mapping[str, Any]], columns: Iterable[str], backend: object | None = None) -> Any:
    """
    *rows* as a data frame with *columns*, of the library *backend*: its name, or the module itself.

    Raises:
        Misconfigured: narwhals, or any such library, is not installed.
        InvalidValue: narwhals knows no such library.
    """
    try:
        import narwhals.stable.v2 as nw
    except ModuleNotFoundError:
        raise Misconfigured("a frame needs narwhals", "pip install 'salescrm[frames]'") from None
    if backend is None:
        backend = next((name for name in _BACKENDS if find_spec(name) is not None), None)
    if backend is None:
        raise Misconfigured(
            "a frame needs a library of data frames", "install polars, pandas or pyarrow beside narwhals"
        )
    kept = {name: list[Any]() for name in columns}
    for row in rows:
        for name, values in kept.items():
            values.append(row[name])
    try:
        made = nw.from_dict(kept, backend=backend)  # type: ignore[arg-type]  # checked by narwhals itself
    except ModuleNotFoundError as missing:
        raise Misconfigured(f"{missing.name} is not installed", f"pip install {missing.name}") from missing
    except (TypeError, ValueError, AttributeError) as problem:
        raise InvalidValue(
            "Frame", "backend", backend, "polars, pandas, pyarrow or such a module"
        ) from problem
    return made.to_native()
