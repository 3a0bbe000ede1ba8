"""A batch: records, and what each asks the sink to do, no two about the same target."""

import time
from dataclasses import dataclass, field

from services.common.kafka.end_offsets import Partition
from services.common.kafka.records import Record
from services.indexer.sinks.base import Entry

MAX_BATCH_RECORDS = 5_000
MAX_BATCH_BYTES = 8 << 20
FLUSH_AFTER_S = 0.5
"""A partial batch grows for so long at most while others are in flight, or more is there to be read."""

Offsets = dict[Partition, int]
"""The next offset to read, by partition."""


@dataclass
class Batch:
    """Records and what each asks for."""

    records: list[Record] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    targets: set[bytes] = field(default_factory=set)
    size_bytes: int = 0
    removals: int = 0
    """Entries without a content."""
    has_skipped: bool = False
    """Whether records were left out of it, so that their offsets count even without an entry."""
    _began_s: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.entries) or self.has_skipped

    def add(self, record: Record, entry: Entry) -> bool:
        """Take one more; returns False if there is no room for it, or something about the same target."""
        target, content = entry
        targets = self.targets
        size_bytes = self.size_bytes + len(content or b"")
        if not targets:
            if not self.has_skipped:
                self._began_s = time.monotonic()
        elif target in targets or len(targets) >= MAX_BATCH_RECORDS or size_bytes > MAX_BATCH_BYTES:
            return False
        targets.add(target)
        self.records.append(record)
        self.entries.append(entry)
        self.size_bytes = size_bytes
        if content is None:
            self.removals += 1
        return True

    def skip(self) -> None:
        """Note that a record was left out."""
        if not self:
            self._began_s = time.monotonic()
        self.has_skipped = True

    @property
    def room(self) -> int:
        """How many more records it takes."""
        return MAX_BATCH_RECORDS - len(self.entries)

    @property
    def is_due(self) -> bool:
        """Whether it is full, or has waited long enough for more."""
        return bool(self) and (
            self.room == 0
            or self.size_bytes >= MAX_BATCH_BYTES
            or time.monotonic() - self._began_s >= FLUSH_AFTER_S
        )

    @property
    def offsets(self) -> Offsets:
        """The offsets behind its records; they come in order, so a partition's last one counts."""
        return {(record.topic(), record.partition()): record.offset() + 1 for record in self.records}
