"""Notices partitions that are read and have messages, which do not come.

A client may stop fetching a partition for good, for instance after it met a broker in the middle of its
start. Nothing shows that: it is a member of its group, its loop turns, and the end that it knows is where it
stands. So a member that has waited for a while asks the broker for the ends with another client.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

from services.common.kafka.end_offsets import Partition

CHECK_AFTER_S = 15.0
"""Time spent waiting for messages between two checks; after two that agree a partition has stalled."""


class StallWatch:
    """Watches the partitions of a member.

    Parameters
    ----------
    ask
        Asks the broker in the background for the ends of all assigned partitions.
    """

    def __init__(self, ask: Callable[[], Future[dict[Partition, int]]]) -> None:
        self._ask = ask
        self.settle()

    def settle(self) -> None:
        """Start over, with other partitions or none."""
        self._waited_s = 0.0
        self._check: Future[dict[Partition, int]] | None = None
        self._behind: Mapping[Partition, int | None] = {}

    def turn(self, waited_s: float, next_offsets: Mapping[Partition, int]) -> list[Partition]:
        """Check the partitions now and then.

        Parameters
        ----------
        waited_s
            How long the member has waited for messages since the last call.
        next_offsets
            How far it has read; a partition of which nothing came at all, not even its end, is missing.

        Returns
        -------
        list
            The partitions that have stalled: at this check and the one before they stood at the same offset,
            and the broker had more. The member should join again with a new client.
        """
        self._waited_s += waited_s
        if self._check is None:
            if self._waited_s >= CHECK_AFTER_S:
                self._waited_s = 0.0
                self._check = self._ask()
            return []
        if not self._check.done():
            return []
        check, self._check = self._check, None
        if check.exception() is not None:  # no broker answers: that is why nothing comes
            self._behind = {}
            return []
        behind = dict(_behind(check.result().items(), next_offsets))
        stalled = [place for place, at in behind.items() if self._behind.get(place, -1) == at]
        self._behind = behind
        return stalled


def _behind(
    ends: Iterable[tuple[Partition, int]], next_offsets: Mapping[Partition, int]
) -> Iterable[tuple[Partition, int | None]]:
    """Yield the partitions that have more than was read, with the offsets to be read next."""
    for place, end in ends:
        at = next_offsets.get(place)
        if at is None or at < end:
            yield place, at
