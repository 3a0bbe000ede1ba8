"""Files of anomalies, one JSON document a line, as `tapewatch backtest --output` writes them."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.alerter.seen import NotAnAnomalyError, Seen, read_seen
from services.common.errors import TapewatchError

SUFFIX = ".ndjson"


class _Line(msgspec.Struct):
    trade_id: str
    anomalies: list[str]


_decoder = msgspec.json.Decoder(_Line)


def is_of_anomalies(path: Path) -> bool:
    """Tell by its first line whether a file holds anomalies; an empty one does by its name.

    Raises
    ------
    TapewatchError
        It cannot be read.
    """
    if path.is_dir():  # a day of exported trades
        return False
    try:
        with path.open("rb") as file:
            first = file.readline(1 << 20)
    except OSError as error:
        raise _unreadable(path, error) from error
    if not first:
        return path.suffix == SUFFIX
    try:
        _decoder.decode(first)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def read_anomalies(path: Path) -> Iterator[Seen]:
    """Yield a file's anomalies.

    Raises
    ------
    TapewatchError
        It cannot be read, or a line is no anomaly; the message names the line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield _read(path, number, line)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path, number: int, line: bytes) -> Seen:
    try:
        return read_seen(line)
    except NotAnAnomalyError as error:
        raise TapewatchError(
            f"Line {number} of {path} is {error}.", "Write the file again with `tapewatch backtest --output`."
        ) from error


def _unreadable(path: Path, error: OSError) -> TapewatchError:
    return TapewatchError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.")
