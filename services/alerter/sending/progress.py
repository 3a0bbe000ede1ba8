"""Where a restart resumes: at the first revision with work left, and the first record that matters for it."""

from collections import deque
from dataclasses import dataclass, field

from services.alerter.sending.budget import HOUR_S


@dataclass
class _Open:
    """A revision with work left: the channels that have not finished, and where its first record is."""

    channels: set[str]
    first_record: int | None


@dataclass
class Progress:
    """What was read and what is finished.

    Parameters
    ----------
    next_offset
        The first revision in `alerts` that was not read yet.
    next_record
        The first record in `alert-deliveries` that was not written or read yet.
    unread
        First records of revisions that are yet to be read again, by offset.
    recent
        The last hour's records: budgets count them. Seconds since 1970, and the place.
    """

    next_offset: int
    next_record: int
    unread: dict[int, int] = field(default_factory=dict)
    recent: deque[tuple[float, int]] = field(default_factory=deque)
    _open: dict[int, _Open] = field(default_factory=dict)
    _digests: dict[str, int] = field(default_factory=dict)

    def open(self, offset: int, channels: set[str]) -> None:
        """Note that channels have work left with a revision; offsets come in their order."""
        first_record = self.unread.pop(offset, None)
        if channels:
            self._open[offset] = _Open(channels, first_record)

    def settle(self, offset: int, channel: str) -> None:
        """Note that a channel has finished with a revision."""
        revision = self._open.get(offset)
        if revision is not None:
            revision.channels.discard(channel)
            if not revision.channels:
                del self._open[offset]

    def is_open(self, offset: int) -> bool:
        """Tell whether any channel has work left with a revision."""
        return offset in self._open

    def note(self, offset: int | None, record: int, at_s: float) -> None:
        """Note where a record was written: of a revision, or of a digest if there is no offset."""
        self.next_record = record + 1
        self.recent.append((at_s, record))
        if offset is None:
            return
        revision = self._open.get(offset)
        if revision is not None:
            if revision.first_record is None:
                revision.first_record = record
        elif offset >= self.next_offset:
            self.unread.setdefault(offset, record)

    def open_digest(self, digest_id: str, record: int) -> None:
        """Note that a digest was made and is not sent yet, and where its first record is."""
        self._digests.setdefault(digest_id, record)

    def settle_digest(self, digest_id: str) -> None:
        """Note that nothing is left to do with a digest."""
        self._digests.pop(digest_id, None)

    @property
    def resume_at(self) -> int:
        """The first revision with work left."""
        return next(iter(self._open), self.next_offset)

    def first_record(self, now_s: float) -> int:
        """Return the first record that a restart has to read."""
        while self.recent and self.recent[0][0] <= now_s - HOUR_S:
            self.recent.popleft()
        places = [each.first_record for each in self._open.values() if each.first_record is not None]
        places += [*self.unread.values(), *self._digests.values()]
        places += [self.recent[0][1]] if self.recent else []
        return min(places, default=self.next_record)
