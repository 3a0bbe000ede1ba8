"""Notices partitions of `trades` that nobody works off."""

from collections.abc import Mapping

STALLED_S = 180.0
"""A partition that has messages and no commit for so long is not worked off: a restart takes less."""


class StalledPartitions:
    """Compares how far the group has committed with where the partitions end; takes any clock, in seconds."""

    def __init__(self) -> None:
        self._since: dict[int, tuple[int, float]] = {}  # committed offset, and since when it is that

    def update(self, committed: Mapping[int, int], ends: Mapping[int, int], now_s: float) -> list[int]:
        """Return the partitions that are stalled.

        Parameters
        ----------
        committed
            The group's next offset of each partition; below 0 where it has committed none.
        ends
            The end of each partition; 0 for one that has no messages.
        now_s
            The time.
        """
        for number, end in ends.items():
            offset = max(committed.get(number, 0), 0)
            is_done = offset >= end
            if is_done or self._since.get(number, (None, 0.0))[0] != offset:
                self._since[number] = (offset, now_s)
        self._since = {number: since for number, since in self._since.items() if number in ends}
        return sorted(
            number
            for number, (offset, since_s) in self._since.items()
            if offset < ends[number] and now_s - since_s >= STALLED_S
        )
