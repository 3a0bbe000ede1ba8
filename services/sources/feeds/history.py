"""Asks a venue's history over HTTP, at the pace that it allows, until it answers or refuses for good."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

import structlog
import urllib3

from services.common.process.background import in_background
from services.sources.feeds import metrics
from services.sources.feeds.messages import HistoryRequest, Page
from services.sources.feeds.venue import RefusedError, Venue
from services.sources.feeds.waits import Waits

TIMEOUT_S = 20.0
ANSWER_S = 60.0
READ_BYTES = 1 << 20
MOST_BYTES = 64 << 20
"""Largest answer that is read."""

TOO_MANY = 429
MOST_RETRY_AFTER_S = 120.0


class HistoryUnavailableError(Exception):
    """The venue will not answer this question; says why."""


class History:
    """A venue's history.

    Parameters
    ----------
    venue
        The venue.
    sleep
        Waits so many seconds between two tries.

    Attributes
    ----------
    trouble
        Why a question last had to be asked again; empty if none had to.
    """

    def __init__(self, venue: Venue, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._venue = venue
        self._sleep = sleep
        self._pool = urllib3.PoolManager(
            num_pools=2, maxsize=4, retries=False, timeout=urllib3.Timeout(connect=5.0, read=TIMEOUT_S)
        )
        self._next_s = 0.0
        self.trouble = ""
        self._log = structlog.get_logger()

    async def ask(
        self,
        request: HistoryRequest,
        keep: Callable[[bytes], None] = lambda _: None,
    ) -> Page:
        """Ask until there is an answer.

        Parameters
        ----------
        request
            The question.
        keep
            Called with the answer's body, of which the page is made.

        Raises
        ------
        HistoryUnavailableError
            The venue refuses, and will refuse again.
        """
        waits = Waits(least_s=0.5, most_s=30.0)
        while True:
            await self._take_turn()
            try:
                status, retry_after_s, body = await asyncio.wrap_future(
                    in_background(self._get, request.path)
                )
            except (urllib3.exceptions.HTTPError, OSError) as error:
                self._log.warning(
                    "the venue's history does not answer", venue=self._venue.name, error=str(error)[:200]
                )
                self._note_failure("no answer")
                await self._sleep(waits.take())
                continue
            if status < 400:
                try:
                    page = self._venue.decode_page(request, body)
                except RefusedError as error:
                    raise HistoryUnavailableError(f"the venue's history refuses: {error.reason}") from None
                except ValueError as error:
                    self._log.warning(
                        "the venue's history sent what cannot be read",
                        venue=self._venue.name,
                        error=str(error)[:200],
                    )
                    self._note_failure("an answer that cannot be read")
                    await self._sleep(waits.take())
                    continue
                keep(body)
                return page
            refusal = self._venue.refused_history(status, body)
            if refusal is not None:
                raise HistoryUnavailableError(refusal)
            self._log.warning("the venue's history is busy", venue=self._venue.name, status=status)
            self._note_failure(f"HTTP {status}")
            await self._sleep(max(waits.take(), retry_after_s))

    def _note_failure(self, reason: str) -> None:
        self.trouble = reason
        metrics.HISTORY_FAILURES.labels(self._venue.name, reason).inc()

    async def _take_turn(self) -> None:
        """Keep the distance to the question before."""
        now_s = time.monotonic()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + self._venue.request_interval_s
        if turn_s > now_s:
            await self._sleep(turn_s - now_s)

    def _get(self, path: str) -> tuple[int, float, bytes]:
        url = f"{self._venue.rest_url}{path}"
        ends_s = time.monotonic() + ANSWER_S
        with self._pool.request(
            "GET",
            url,
            headers={"User-Agent": "tapewatch", "Accept-Encoding": "gzip", **self._venue.history_headers()},
            preload_content=False,
            redirect=False,
        ) as answer:
            body = b""
            for piece in answer.stream(READ_BYTES, decode_content=True):
                body += piece
                if len(body) > MOST_BYTES:
                    raise urllib3.exceptions.HTTPError(f"the answer is larger than {MOST_BYTES:,} bytes")
                if time.monotonic() > ends_s:
                    raise urllib3.exceptions.HTTPError(f"the answer took longer than {ANSWER_S:.0f} s")
            if 300 <= answer.status < 400:
                raise urllib3.exceptions.HTTPError(f"the answer is a redirect ({answer.status})")
            return answer.status, _retry_after_s(answer.headers.get("Retry-After")), body


def _retry_after_s(text: str | None) -> float:
    """Return how long the venue asks to wait, in seconds; 0 where it does not."""
    if not text:
        return 0.0
    if text.strip().isdigit():
        return min(float(text), MOST_RETRY_AFTER_S)
    try:
        until_s = parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0
    return min(max(0.0, until_s - time.time()), MOST_RETRY_AFTER_S)
