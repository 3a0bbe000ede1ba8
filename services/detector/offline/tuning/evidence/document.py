"""The file of samples that people review: which prints, and which part of which threshold each stands for."""

from pathlib import Path

import msgspec

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done

FILE = "evidence.json"
"""Its name in the folder of `tapewatch tune --evidence`."""

ABOVE, NEAR, FAR = "above", "near", "far"
"""Flagged; as many again, the nearest below the line; and the others down to a rarity of `MIN_RARITY`."""


class Print(msgspec.Struct, frozen=True):
    """A print to review."""

    trade_id: str
    symbol: str
    time: str


class Stratum(msgspec.Struct, frozen=True):
    """A part of the prints of a threshold, and those drawn from it."""

    name: str
    population: int
    trade_ids: list[str]


class Sampled(msgspec.Struct, frozen=True):
    """One threshold: a detector's alerts, each symbol's own."""

    detector: str
    strata: list[Stratum]


class Evidence(msgspec.Struct, frozen=True):
    """What was drawn."""

    made_at: str
    version: str
    seed: int
    profile: str
    """Hash of the profile whose alerts are the lines."""
    profile_name: str
    before: str
    """Hash of the profile that it was tuned from."""
    days: list[str]
    trades: int
    symbol_days: int
    thresholds: list[Sampled]
    changes: list[str]
    """What changed since the profile before, in sentences."""
    prints: list[Print]
    """In the order of the review, which is drawn, too."""


_decoder = msgspec.json.Decoder(Evidence)


def check_folder(folder: Path) -> None:
    """Check that there is nothing yet that reviews may rest on.

    Raises
    ------
    TapewatchError
        There is.
    """
    path = folder / FILE
    if path.exists():
        raise TapewatchError(f"{path} is there already; reviews may rest on it.", "Give another folder.")


def write_evidence(evidence: Evidence, folder: Path) -> Path:
    """Write the file into a folder, which is made if it is missing.

    Raises
    ------
    TapewatchError
        It is there already, as reviews may rest on it, or cannot be written.
    """
    check_folder(folder)
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TapewatchError(
            f"The folder {folder} cannot be made: {error.strerror or error}.", "Give another folder."
        ) from error
    with replaced_when_done(path) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(evidence)))
    return path


def read_evidence(folder: Path) -> Evidence:
    """Read the file of a folder.

    Raises
    ------
    TapewatchError
        It is not there, or is not what `write_evidence` writes.
    """
    path = folder / FILE
    fix = "Make it: tapewatch tune … --evidence DIR"
    try:
        return _decoder.decode(path.read_bytes())
    except OSError as error:
        raise TapewatchError(f"{path} cannot be read: {error.strerror or error}.", fix) from error
    except msgspec.MsgspecError as error:
        raise TapewatchError(f"{path} is no evidence: {error}.", fix) from error


def evidence_folders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, or `.`, that have samples to review."""
    found = sorted(path.parent.name for path in folder.glob(f"*/{FILE}"))
    return [*(["."] if (folder / FILE).is_file() else []), *found]
