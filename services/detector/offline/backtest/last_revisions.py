"""Keeps the last revision of each anomaly, in the order in which they first fired."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

import msgspec

from services.contracts.anomaly import Anomaly
from services.contracts.trade import Trade, decode_trade

_decoder = msgspec.json.Decoder(Anomaly)
_PLACEHOLDER = b"\0"


class LastRevisions(AbstractContextManager["LastRevisions"]):
    """Holds anomalies on disk until nothing can revise them any more.

    An anomaly that cannot grow passes through at once; one that can leaves a placeholder in the lines.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `__exit__` closes it
        self._places: dict[str, tuple[int, int]] = {}  # and lengths

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, trade_id: str, line: bytes) -> bytes:
        """Remember a revision of an anomaly, in place of the one before.

        Parameters
        ----------
        trade_id
            The anomaly's.
        line
            Its JSON.

        Returns
        -------
        bytes
            What stands for it among other lines, to be written once; empty for a later revision.
        """
        is_known = trade_id in self._places
        self._places[trade_id] = self._file.tell(), len(line)
        self._file.write(line)
        return b"" if is_known else _PLACEHOLDER + trade_id.encode() + b"\n"

    def _line(self, trade_id: str) -> bytes:
        place, length = self._places[trade_id]
        self._file.seek(place)
        return self._file.read(length)

    def anomalies(self) -> Iterator[tuple[Trade, Anomaly]]:
        """Return the anomalies, each as it was revised last."""
        for trade_id in self._places:
            line = self._line(trade_id)
            yield decode_trade(line), _decoder.decode(line)

    def filled(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Return lines with the anomalies in place of what stands for them."""
        for line in lines:
            if line.startswith(_PLACEHOLDER):
                yield self._line(line[1:-1].decode()) + b"\n"
            else:
                yield line
