"""Parameters as a record that compiled code reads."""

from functools import lru_cache

import numpy as np

from services.detector.detectors.parameters import Parameters


def record_type(kind: type[Parameters]) -> np.dtype:
    """Return the layout in which compiled code reads a kind of parameters, all of them numbers."""
    return np.dtype(
        [(name, "i8" if field.annotation is int else "f8") for name, field in kind.model_fields.items()],
        align=True,
    )


@lru_cache(maxsize=1024)
def record_of(parameters: Parameters) -> tuple[float, ...]:
    """Return parameters as one record of that layout."""
    return tuple(parameters.model_dump().values())
