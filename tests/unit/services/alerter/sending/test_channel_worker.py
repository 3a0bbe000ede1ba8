import threading
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any, ClassVar

from services.alerter.channels.base import Accepted, Answer, Channel, Failed, Message
from services.alerter.sending.channel_worker import Answered, ChannelWorker
from services.contracts.alert import Alert, Digest
from tests.unit.services.alerter.sending.samples import an_alert


class Scripted(Channel):
    kind: ClassVar[str] = "scripted"

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.sent: list[Message] = []
        self.closed = threading.Event()

    def message(self, notice: Alert | Digest) -> Message:
        if isinstance(notice, Alert) and notice.symbol == "BROKEN":
            raise KeyError("a secret")
        return Message("key", b"body")

    def send(self, message: Message) -> Answer:
        self.sent.append(message)
        return Accepted(200)

    def close(self) -> None:
        self.closed.set()


def test_a_message_is_sent_once_and_its_answer_comes_back() -> None:
    answers: SimpleQueue[Answered] = SimpleQueue()
    channel = Scripted("desk", {})
    worker = ChannelWorker("desk", channel, answers)
    worker.send(an_alert())
    answered = answers.get(timeout=10)
    assert (answered.channel, answered.answer) == ("desk", Accepted(200))
    assert answered.seconds >= 0
    assert channel.sent == [Message("key", b"body")]
    worker.close()
    assert channel.closed.wait(10)


def test_a_fault_of_a_channel_is_a_failed_try_that_shows_no_secret() -> None:
    answers: SimpleQueue[Answered] = SimpleQueue()
    worker = ChannelWorker("desk", Scripted("desk", {}), answers)
    worker.send(an_alert(symbol="BROKEN"))
    assert answers.get(timeout=10).answer == Failed("the channel itself failed (KeyError)")
    worker.send(an_alert())
    assert answers.get(timeout=10).answer == Accepted(200)
    worker.close()
