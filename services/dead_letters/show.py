"""`tapewatch dead-letters show`: everything of a letter."""

import sys

from rich.console import Console

from services.common.config.settings import Settings
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_topics
from services.common.kafka.records import Record
from services.common.process.shutdown import Stop
from services.contracts.topics import DEAD_LETTERS_TOPIC
from services.dead_letters.letters import Letter, LetterId
from services.dead_letters.reading import Reader, StoppedError, check_found, parse_ids
from services.dead_letters.replays import load_history
from services.dead_letters.view import letter_text


def run_show(settings: Settings, names: list[str], raw: bool) -> int:
    """Show letters, in the order in which they were asked for.

    Parameters
    ----------
    settings
        Settings that say where Kafka is.
    names
        Ids.
    raw
        Write the value of the one letter as it is, and nothing else.

    Returns
    -------
    int
        Exit code: 0, or 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        The topic is missing, or a letter does not exist; nothing is shown then.
    """
    kafka = kafka_connection(settings)
    stop = Stop()
    ids = parse_ids(names)
    if not wait_for_topics(kafka, [DEAD_LETTERS_TOPIC], stop):
        return 128 + (stop.signal or 0)
    try:
        reader = Reader(kafka, stop)
        found: dict[LetterId, Record] = {
            LetterId(message.partition(), message.offset()): message for message in reader.read_letters(ids)
        }
        check_found(ids, found.keys())
        history = load_history(reader)
    except StoppedError:
        return 128 + (stop.signal or 0)
    if raw:
        sys.stdout.buffer.write(found[ids[0]].value() or b"")
        return 0
    console = Console(highlight=False)
    for letter_id in ids:
        letter = Letter.of(found[letter_id])
        text = letter_text(letter, found[letter_id].value(), history.replays_ms(letter))
        console.print(text, soft_wrap=True)
    return 0
