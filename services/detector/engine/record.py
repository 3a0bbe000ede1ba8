"""A numpy record as compiled code sees it."""

from typing import Any

Record = Any
"""Its fields are attributes, which neither `np.void` nor any type of numpy's says."""
