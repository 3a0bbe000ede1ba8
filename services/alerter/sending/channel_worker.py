"""The thread of a channel: one message at a time, so that a slow receiver holds up no other channel."""

import threading
import time
from dataclasses import dataclass
from queue import SimpleQueue

import structlog

from services.alerter.channels.base import Answer, Channel, Failed
from services.contracts.alert import Alert, Digest


@dataclass(frozen=True)
class Answered:
    """What became of a try.

    Parameters
    ----------
    channel
        The channel's name.
    answer
        What its receiver said.
    seconds
        How long that took.
    """

    channel: str
    answer: Answer
    seconds: float


class ChannelWorker:
    """Sends what it is given; the process does not wait for it at its end.

    Parameters
    ----------
    name
        The channel's name.
    channel
        Sends; used in this thread alone.
    answers
        Gets the answers.
    """

    def __init__(self, name: str, channel: Channel, answers: "SimpleQueue[Answered]") -> None:
        self._name = name
        self._channel = channel
        self._answers = answers
        self._inbox: SimpleQueue[Alert | Digest | None] = SimpleQueue()
        threading.Thread(target=self._run, name=f"channel {name}", daemon=True).start()

    def send(self, notice: Alert | Digest) -> None:
        """Have a message sent once; its answer comes before the next one may be given."""
        self._inbox.put(notice)

    def close(self) -> None:
        """End the thread after what it is sending, and release the channel's connections."""
        self._inbox.put(None)

    def _run(self) -> None:
        while (notice := self._inbox.get()) is not None:
            began_s = time.monotonic()
            try:
                answer = self._channel.send(self._channel.message(notice))
            except Exception as error:  # a fault of one kind of channel must not end the others
                kind = type(error).__name__  # its text may have a secret in it
                structlog.get_logger().error("a channel failed", channel=self._name, error=kind)
                answer = Failed(f"the channel itself failed ({kind})")
            self._answers.put(Answered(self._name, answer, round(time.monotonic() - began_s, 6)))
        self._channel.close()
