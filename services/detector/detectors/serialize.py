"""Reads saved state: bytes that must be a given number of records."""

import numpy as np


def records(saved: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    """Return saved records, shape (count,), read-only; raises ValueError for another length."""
    if len(saved) != count * dtype.itemsize:
        raise ValueError(f"it has {len(saved)} bytes, not {count * dtype.itemsize}")
    return np.frombuffer(saved, dtype)


def one_record(saved: bytes, dtype: np.dtype) -> np.ndarray:
    """Return a single saved record; raises ValueError for another length."""
    return records(saved, dtype, 1)[0]
