"""`tapewatch dead-letters list`: counts all letters, and keeps the newest to show."""

import heapq
import json
from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console

from services.common.config.settings import Settings
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_topics
from services.common.process.shutdown import Stop
from services.contracts.topics import DEAD_LETTERS_TOPIC
from services.dead_letters.letters import Letter, Origins
from services.dead_letters.reading import Reader, StoppedError
from services.dead_letters.replays import load_history
from services.dead_letters.view import letter_fields, letters_table, summary


@dataclass
class Listing:
    """Letters as they are read, one for each origin.

    Parameters
    ----------
    limit
        How many of the newest to keep.
    service
        Count and keep those of this service alone; None for all.
    """

    limit: int
    service: str | None = None
    total: int = 0
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By service and kind of error."""
    _origins: Origins = field(default_factory=Origins)
    _newest: list[tuple[int, tuple[int, int], Letter]] = field(default_factory=list)

    def add(self, letter: Letter) -> None:
        """Count a letter, and keep it for as long as it is one of the newest."""
        if self.service is not None and letter.service != self.service:
            return
        if not self._origins.is_first(letter):
            return
        self.total += 1
        self.kinds[letter.service, letter.error_kind] += 1
        entry = (letter.at_ms, letter.id, letter)  # ids differ, so letters are never compared
        if len(self._newest) < self.limit:
            heapq.heappush(self._newest, entry)
        else:
            heapq.heappushpop(self._newest, entry)

    @property
    def newest(self) -> list[Letter]:
        """The letters to show, the newest last."""
        return [letter for *_, letter in sorted(self._newest)]


def run_list(settings: Settings, service: str | None, limit: int, as_json: bool) -> int:
    """Show the newest letters and count all.

    Parameters
    ----------
    settings
        Settings that say where Kafka is.
    service
        Only what this service rejected; None for all.
    limit
        How many letters to show.
    as_json
        One object a line instead of a table.

    Returns
    -------
    int
        Exit code: 0, or 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        The topic is missing.
    """
    kafka = kafka_connection(settings)
    stop = Stop()
    if not wait_for_topics(kafka, [DEAD_LETTERS_TOPIC], stop):
        return 128 + (stop.signal or 0)
    listing = Listing(limit, service)
    try:
        reader = Reader(kafka, stop)
        history = load_history(reader)
        for message in reader.read(DEAD_LETTERS_TOPIC):
            letter = Letter.of(message)
            history.add_letter(letter)
            listing.add(letter)
    except StoppedError:
        return 128 + (stop.signal or 0)
    shown = [(letter, history.state(letter)) for letter in listing.newest]
    if as_json:
        for letter, state in shown:
            print(json.dumps(letter_fields(letter, state)))  # all ASCII, so it cannot drive a terminal
        return 0
    console = Console(highlight=False)
    if shown:
        console.print(letters_table(shown, console.width))
    console.print(summary(listing.total, len(shown), listing.kinds, service), soft_wrap=True)
    return 0
