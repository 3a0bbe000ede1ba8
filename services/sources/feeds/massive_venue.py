"""What all feeds of Massive share: the key, the login, what the websocket says, the pages of the history."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from services.sources.feeds.credentials import key_of
from services.sources.feeds.login import open_and_log_in
from services.sources.feeds.messages import BadMessage, Frame, HistoryRequest, Refusal, Skipped
from services.sources.feeds.venue import Connection, ConnectionLostError, RefusedError, Venue
from services.sources.feeds.websocket import Websocket, open_websocket
from services.sources.massive.trades import DAY_ZONE

URL = "wss://socket.massive.com"
DELAYED_URL = "wss://delayed.massive.com"
REST_URL = "https://api.massive.com"
EVERYTHING = "*"
PAGE_ROWS = 50_000
KEY_HINT = "Check the key in the file that TAPEWATCH_MASSIVE_KEY_FILE names."
PLAN_HINT = "Check the tickers, and that the key's plan has this feed."

_WELL = ("connected", "auth_success", "success")
_ENDING = ("max_connections", "force_disconnect", "auth_timeout")
"""What the venue says before it closes; a later try may succeed."""


class Status(msgspec.Struct, tag_field="ev", tag="status", gc=False):
    """What the venue says about the connection."""

    status: str = ""
    message: str = ""


class Answer(msgspec.Struct, gc=False):
    """An answer of the history."""

    status: str
    results: list[msgspec.Raw] = []
    next_url: str = ""
    ticker: str = ""


class MassiveVenue(Venue):
    """A feed of Massive.

    Parameters
    ----------
    symbols
        Tickers; `*` for all.
    url, rest_url
        As for every `Venue`.
    name
        As for every `Venue`.
    channels
        The websocket's channels; each is subscribed to by itself, as a plan may have the first alone.
    kinds
        The type of the messages, a union with `Status`.
    """

    source: ClassVar[str] = "massive"
    zone: ClassVar[str] = DAY_ZONE
    request_interval_s = 0.1
    can_begin_earlier: ClassVar[bool] = True
    history_path: ClassVar[str]
    """What the paths of its history begin with."""

    def __init__(
        self,
        symbols: Sequence[str],
        url: str,
        rest_url: str | None,
        name: str,
        channels: Sequence[str] = (),
        kinds: Any = Status,  # noqa: ANN401 - a type
    ) -> None:
        watches_all = EVERYTHING in symbols
        super().__init__((EVERYTHING,) if watches_all else symbols, url, rest_url or REST_URL)
        self.watches_all = watches_all
        self.name = name
        self._channels = channels
        self._key = ""
        self._login_decoder = msgspec.json.Decoder(list[Status])
        self._decoder = msgspec.json.Decoder(list[kinds])
        self._parts_decoder = msgspec.json.Decoder(list[msgspec.Raw])
        self._part_decoder = msgspec.json.Decoder(kinds)
        self._answer_decoder = msgspec.json.Decoder(Answer)

    def read_keys(self) -> None:
        """See `Venue`."""
        self._key = key_of("MASSIVE")

    async def connect(self) -> Connection:
        """See `Venue`."""
        return await open_and_log_in(open_websocket(f"{self.url}/stocks", KEY_HINT), self._log_in)

    async def _log_in(self, connection: Websocket) -> None:
        await self._say(connection, "auth", self._key)
        await self._wait_for_login(connection)
        for channel in self._channels:
            await self._say(connection, "subscribe", ",".join(f"{channel}.{one}" for one in self.symbols))

    async def _wait_for_login(self, connection: Websocket) -> None:
        while True:
            try:
                answer = self._login_decoder.decode(await connection.receive())
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise ConnectionLostError(
                    f"the login was answered with what is no message: {error}"
                ) from None
            for one in answer:
                if one.status == "connected":
                    continue
                if one.status == "auth_success":
                    return
                words = f"{one.status}: {one.message}"
                raise RefusedError(words, KEY_HINT if one.status == "auth_failed" else None)

    @staticmethod
    async def _say(connection: Websocket, action: str, params: str) -> None:
        await connection.send(msgspec.json.encode({"action": action, "params": params}).decode())

    def _messages(self, raw: bytes, frame: Frame) -> Iterator[Any]:
        """Yield a frame's messages but for statuses; those, and what cannot be read, are noted in `frame`."""
        try:
            parts = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            parts = self._those_that_can_be_read(raw, frame)
        for one in parts:
            if isinstance(one, Status):
                _take_status(one, frame)
            else:
                yield one

    def _those_that_can_be_read(self, raw: bytes, frame: Frame) -> list[Any]:
        """Read a frame part by part, as one of them cannot be read."""
        found = []
        try:
            parts = self._parts_decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            frame.bad.append(bad_message(raw, error))
            return []
        for part in parts:
            try:
                found.append(self._part_decoder.decode(part))
            except msgspec.MsgspecError as error:
                frame.bad.append(bad_message(bytes(part), error))
        return found

    def history_headers(self) -> Mapping[str, str]:
        """See `Venue`."""
        return {"Authorization": f"Bearer {self._key}"}

    def _following(self, request: HistoryRequest, next_url: str) -> HistoryRequest | None:
        """Return the next question: the path and its cursor alone, as the rest may have a key in it."""
        if not next_url:
            return None
        parts = urlsplit(next_url)
        cursor = parse_qs(parts.query).get("cursor", [""])[0]
        if not parts.path.startswith(self.history_path) or not cursor:
            raise ValueError(f"the next page is not one of {self.history_path} ({parts.path[:100]!r})")
        return HistoryRequest(request.symbol, f"{parts.path}?{urlencode({'cursor': cursor})}")


def _take_status(one: Status, frame: Frame) -> None:
    words = f"{one.status}: {one.message}"
    if one.status in _WELL:
        return
    if one.status == "slow_consumer":
        frame.notes.append(Skipped(words))
    elif one.status in _ENDING:
        frame.notes.append(Refusal(words, None))
    elif one.status == "error" and "LULD" not in one.message:
        frame.notes.append(Refusal(words, PLAN_HINT))
    else:  # such as a plan without the channel of halts: the trades come all the same
        frame.bad.append(bad_message(msgspec.json.encode(one), words))


def bad_message(raw: bytes, error: Exception | str) -> BadMessage:
    """Return a message of Massive that could not be used, and why."""
    return BadMessage(raw, f"not a message of massive: {error}")
