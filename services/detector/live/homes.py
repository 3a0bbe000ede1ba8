"""Notices symbols whose trades are not all in one partition, where they would be judged apart."""

import structlog

from services.detector.live.metrics import MISPLACED_SYMBOLS


class SymbolHomes:
    """The partition of each symbol that this process has seen."""

    def __init__(self) -> None:
        self._homes: dict[str, int] = {}
        self._has_warned = False

    def add(self, partition: int, symbols: dict[str, bool]) -> None:
        """Note symbols that are new in a partition; warns once, and counts each one that is misplaced.

        Parameters
        ----------
        partition
            Its number.
        symbols
            Whether each is the key of its message.
        """
        for symbol, is_key in symbols.items():
            home = self._homes.setdefault(symbol, partition)
            if is_key and home == partition:
                continue
            MISPLACED_SYMBOLS.inc()
            if not self._has_warned:
                self._has_warned = True
                where = (
                    f"partition {partition}" if home == partition else f"partitions {home} and {partition}"
                )
                structlog.get_logger().warning(
                    f"trades of {symbol} in {where} may be judged apart: a symbol's trades must all be in "
                    "one partition. Have the producer send each trade with its symbol as the message's key",
                )
