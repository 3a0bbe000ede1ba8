"""Which letters were put back: a note each in the topic `dead-letter-replays`.

A note's key is the letter's id, its value the topic that the message went to, its headers the letter's
origin. It is written in the message's own transaction, so neither exists without the other. Committed
offsets of a group would not do: Kafka drops those of a group without members after a week, while letters are
kept for months.
"""

from services.contracts.topics import REPLAYS_TOPIC
from services.dead_letters.letters import History, LetterId, MessageOrigin, as_text
from services.dead_letters.reading import Reader


def load_history(reader: Reader) -> History:
    """Read all notes; there are none if the topic was never created."""
    history = History()
    for note in reader.read(REPLAYS_TOPIC):
        letter = LetterId.parse(as_text(note.key()))
        if letter is not None:
            headers = {name: as_text(value) for name, value in note.headers() or ()}
            history.add_replay(letter, note.timestamp()[1], MessageOrigin.of(headers))
    return history
