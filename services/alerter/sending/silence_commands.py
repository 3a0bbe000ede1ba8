"""`tapewatch silence add | list | expire`."""

import time

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.alerter.sending.silence_log import SilenceLog, count_silenced
from services.alerter.silencing.silences import Silences
from services.alerter.silencing.words import matcher_text
from services.alerter.silencing.writing import add_silence, check_silence, end_silence
from services.alerter.times import to_seconds
from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_topics
from services.common.process.shutdown import Stop
from services.common.terminal import visible
from services.contracts.alert import Matcher, Silence
from services.contracts.topics import ALERT_DELIVERIES_TOPIC, SILENCES_TOPIC

TOPICS = [SILENCES_TOPIC, ALERT_DELIVERIES_TOPIC]


def run_add(settings: Settings, matcher: Matcher, for_s: float, reason: str, author: str) -> int:
    """Add a silence that begins now, and print its id.

    Parameters
    ----------
    settings
        Where Kafka is.
    matcher
        Which alerts are not to be sent.
    for_s
        How long, in seconds.
    reason, author
        Why, and who says so.

    Returns
    -------
    int
        Exit code: 0, or 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        The matcher fits everything or the reason is empty, the topic is missing, or Kafka does not accept it.
    """
    check_silence(matcher, reason, author)
    kafka = kafka_connection(settings)
    stop = Stop()
    if not wait_for_topics(kafka, [SILENCES_TOPIC], stop):
        return 128 + (stop.signal or 0)
    silence = add_silence(kafka, matcher, for_s, reason, author)
    print(f"{silence.silence_id}  until {_minute(silence.expires_at)} UTC: {visible(matcher_text(matcher))}")
    return 0


def run_list(settings: Settings, *, with_expired: bool) -> int:
    """Show the silences in force, or all, with how many revisions each has held back.

    Parameters
    ----------
    settings
        Where Kafka is.
    with_expired
        Whether those that are over are shown too.

    Returns
    -------
    int
        Exit code: 0, or 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        A topic is missing.
    """
    kafka = kafka_connection(settings)
    stop = Stop()
    if not wait_for_topics(kafka, TOPICS, stop):
        return 128 + (stop.signal or 0)
    silences = _read(settings, stop)
    counts = count_silenced(kafka, stop)
    if stop.requested:
        return 128 + (stop.signal or 0)
    now_s = time.time()
    shown = silences.all() if with_expired else silences.open_at(now_s)
    console = Console(highlight=False)
    if not shown:
        print("no silences" if with_expired else "no silence is in force")
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("id", "until (UTC)", "held back", "alerts", "reason", "author"):
        table.add_column(name, overflow="fold", justify="right" if name == "held back" else "left")
    for silence in shown:
        table.add_row(
            silence.silence_id,
            Text(_until(silence, now_s)),
            f"{counts[silence.silence_id]:,}",
            Text(visible(matcher_text(silence.matcher))),
            Text(visible(silence.reason)),
            Text(visible(silence.author)),
        )
    console.print(table)
    return 0


def run_expire(settings: Settings, silence_id: str, author: str) -> int:
    """End a silence now.

    Parameters
    ----------
    settings
        Where Kafka is.
    silence_id
        As `list` shows it.
    author
        Who ends it.

    Returns
    -------
    int
        Exit code: 0, or 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        It does not exist or is over, the topic is missing, or Kafka does not accept the change.
    """
    kafka = kafka_connection(settings)
    stop = Stop()
    if not wait_for_topics(kafka, [SILENCES_TOPIC], stop):
        return 128 + (stop.signal or 0)
    now_s = time.time()
    silences = _read(settings, stop)
    if stop.requested:
        return 128 + (stop.signal or 0)
    found = next((each for each in silences.open_at(now_s) if each.silence_id == silence_id), None)
    if found is None:
        raise TapewatchError(
            f"No silence {visible(silence_id)} is in force.",
            "`tapewatch silence list` shows those that are.",
        )
    end_silence(kafka, found, author)
    print(f"{silence_id}  ended")
    return 0


def _read(settings: Settings, stop: Stop) -> Silences:
    log = SilenceLog(kafka_connection(settings), stop)
    log.close()
    return log.silences


def _until(silence: Silence, now_s: float) -> str:
    until = _minute(silence.expires_at)
    if silence.expired_by is not None:
        return f"{until}, ended by {visible(silence.expired_by)}"
    return until if now_s < to_seconds(silence.expires_at) else f"{until}, over"


def _minute(time_text: str) -> str:
    return time_text[: len("2026-01-01T00:00")].replace("T", " ")
