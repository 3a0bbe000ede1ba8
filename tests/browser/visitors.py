"""Visitors without a browser: each has a session, and refreshes what it shows as a browser does."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect


class Visitor:
    """A session on a page.

    Parameters
    ----------
    url
        The dashboard's, with the query of the page at `/`.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.refreshes = 0
        """Refreshes that were answered."""
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Open the page."""
        self._thread.start()

    def close(self) -> None:
        """Leave it."""
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        try:
            self._visit()
        except BaseException as error:
            self.failure = error

    def _visit(self) -> None:
        address = f"ws://{self._url.netloc}/_stcore/stream"
        with connect(address, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
            due: dict[str, tuple[float, float]] = {}  # by fragment: when it refreshes next, and how often
            self._ask(socket.send)
            while not self._stop.is_set():
                at_s = min((at_s for at_s, _ in due.values()), default=time.monotonic() + 0.5)
                try:
                    message = socket.recv(timeout=max(0.0, min(at_s - time.monotonic(), 0.5)))
                except TimeoutError:
                    message = None
                if isinstance(message, bytes):
                    self._take(ForwardMsg.FromString(message), due)
                for fragment, (at_s, every_s) in [*due.items()]:
                    if time.monotonic() >= at_s:
                        self._ask(socket.send, fragment)
                        due[fragment] = (time.monotonic() + every_s, every_s)

    def _take(self, told: ForwardMsg, due: dict[str, tuple[float, float]]) -> None:
        if told.WhichOneof("type") == "auto_rerun":
            every_s = told.auto_rerun.interval
            due.setdefault(told.auto_rerun.fragment_id, (time.monotonic() + every_s, every_s))
        elif told.WhichOneof("type") == "script_finished" and due:
            self.refreshes += 1

    def _ask(self, send: object, fragment: str = "") -> None:
        message = BackMsg()
        message.rerun_script.query_string = self._url.query
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = bool(fragment)
        assert callable(send)
        send(message.SerializeToString())


@contextmanager
def visited(url: str, count: int, within_s: float) -> Iterator[Sequence[Visitor]]:
    """Have so many visitors on a page, who come one after the other, until the end of the block."""
    visitors = [Visitor(url) for _ in range(count)]
    try:
        for visitor in visitors:
            visitor.start()
            time.sleep(within_s / count)
        yield visitors
    finally:
        for visitor in visitors:
            visitor.close()
