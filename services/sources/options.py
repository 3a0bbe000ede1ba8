"""What a person may say about a file that it does not say itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from services.sources.mapped.mapping import Mapping

PriceForm = Literal["decimal", "fixed"]
"""How a price is written: as the number it is, or as a whole number of 1e-9."""


@dataclass(frozen=True)
class FileOptions:
    """What a person says about the files; a reader takes those options that its `takes` names.

    Parameters
    ----------
    mapping
        What their columns are; None for files of a kind that is recognised.
    symbology
        A file with the symbols of their instruments; None for the one beside each, if it needs one.
    prices
        How their prices are written; None for what each file shows.
    """

    mapping: "Mapping | None" = None
    symbology: Path | None = None
    prices: PriceForm | None = None


NO_OPTIONS = FileOptions()
