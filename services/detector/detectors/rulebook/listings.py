"""The tier and the previous close of stocks, from a CSV file that a profile names."""

import csv
import datetime as dt
import hashlib
import io
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.detector.detectors.parameters import PROFILE_FOLDER

COLUMNS = ("symbol", "tier", "previous_close")
"""What the file must have; `day` may be there, and any others."""


class Listing(NamedTuple):
    """What LULD's band depends on."""

    tier: int
    previous_close: float


class Listings(BaseModel):
    """A file of listings; in a profile, its path.

    The profile's hash contains the file's digest, not its path: another content is another profile.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    sha256: str

    def find(self, symbol: str, day: str) -> Listing | None:
        """Return the listing of a symbol on a day, `YYYY-MM-DD`: that of the day, else one without a day."""
        rows = _rows(self.path, self.sha256)
        return rows.get((symbol, day)) or rows.get((symbol, ""))

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, given: object, info: ValidationInfo) -> object:
        if not isinstance(given, str):
            return given
        path = str(Path((info.context or {}).get(PROFILE_FOLDER, "."), given).absolute())
        return {"path": path, "sha256": hashlib.sha256(_content(path)).hexdigest()}

    @model_validator(mode="after")
    def _is_readable(self) -> "Listings":
        _rows(self.path, self.sha256)
        return self

    @model_serializer(mode="wrap")
    def _without_path_in_json(
        self, serialize: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        return {"sha256": self.sha256} if info.mode == "json" else serialize(self)


@lru_cache(maxsize=4)
def _rows(path: str, sha256: str) -> dict[tuple[str, str], Listing]:
    """Return the file's listings by symbol and day; the day is empty where the file has none."""
    content = _content(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise _fault(f"{path} has changed since this profile was read or written; name the file again")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _fault(f"{path} is not UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise _fault(
            f"{path}, line 1: no column {' and no column '.join(missing)}; "
            f"the header is {','.join(COLUMNS)} or {','.join(COLUMNS)},day"
        )
    rows: dict[tuple[str, str], Listing] = {}
    lines: dict[tuple[str, str], int] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        key, listing = _row(row, where)
        if key in rows:
            what = key[0] if not key[1] else f"{key[0]} on {key[1]}"
            raise _fault(f"{where}: {what} is there already, in line {lines[key]}")
        rows[key], lines[key] = listing, reader.line_num
    return rows


def _row(row: dict[str, str | None], where: str) -> tuple[tuple[str, str], Listing]:
    symbol, tier, close, day = ((row.get(name) or "").strip() for name in (*COLUMNS, "day"))
    if not symbol:
        raise _fault(f"{where}: no symbol")
    if tier not in ("1", "2"):
        raise _fault(f"{where}: the tier of {symbol} is {tier!r}, not 1 or 2")
    try:
        previous_close = float(close)
    except ValueError:
        previous_close = math.nan
    if not 0 < previous_close < math.inf:
        raise _fault(f"{where}: the previous close of {symbol} is {close!r}, not a price above 0")
    try:
        is_day = not day or dt.date.fromisoformat(day).isoformat() == day
    except ValueError:
        is_day = False
    if not is_day:
        raise _fault(f"{where}: the day of {symbol} is {day!r}, not one such as 2024-12-02")
    return (symbol, day), Listing(int(tier), previous_close)


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _fault(f"{path} cannot be read: {error.strerror}") from None


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("listings", "{text}", {"text": text})
