"""What a person may say about a file that it does not say itself."""

from typing import Literal

PriceForm = Literal["decimal", "fixed"]
"""How a price is written: as the number it is, or as a whole number of 1e-9."""
