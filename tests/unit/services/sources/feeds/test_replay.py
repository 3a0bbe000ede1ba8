"""A recorded session gives the same prints, events and letters again, wherever its process was killed."""

import itertools
from pathlib import Path

import pytest
import zstandard

from services.common.errors import TapewatchError
from services.sources.feeds import recording
from services.sources.feeds.coinbase import Coinbase
from services.sources.feeds.handoff import Batch, Handoff
from services.sources.feeds.messages import HistoryRequest
from services.sources.feeds.recording import FileRecording, read_recording
from services.sources.feeds.replay import replay
from services.sources.feeds.state import FeedState

SYMBOL = "BTC-USD"


def row(number: int) -> str:
    return (
        f'{{"trade_id":{number},"side":"sell","size":"0.5","price":"{100 + number}.5",'
        f'"time":"2026-01-31T20:03:{number:02d}.158814Z"'
    )


def match(number: int) -> bytes:
    return f'{row(number)},"type":"match","product_id":"{SYMBOL}"}}'.encode()


def record(path: Path) -> Batch:
    """Record a session with a gap, a malformed message and a lost connection; return what it came to."""
    venue = Coinbase([SYMBOL])
    handoff = Handoff()
    state = FeedState(venue, {}, handoff)
    handoff.of(state.keepers)
    with FileRecording(path) as file:
        file.begin(venue.name, venue.symbols, {})
        times = itertools.count(100)

        def now() -> float:
            return float(next(times))

        def frame(raw: bytes) -> None:
            at_s = now()
            file.frame(at_s, raw)
            state.frame(raw, at_s)

        at_s = now()
        file.connected(at_s)
        state.connected(at_s)
        for raw in (match(1), match(2), b'{"what', match(5)):
            frame(raw)
        at_s = now()
        file.asked(at_s, SYMBOL)
        wanted = state.wanted(SYMBOL, at_s)
        assert wanted is not None
        request = venue.history(wanted)
        assert request is not None
        body = f"[{row(4)}}},{row(3)}}}]".encode()
        file.history(now(), request, body)
        state.page(SYMBOL, venue.decode_page(request, body))
        done_s = now()
        file.answered(done_s, SYMBOL, at_s)
        state.answered(SYMBOL, at_s, done_s)
        file.ended(now(), "lost", "reset")
        state.ended("lost", "reset")
        frame(match(6))
    return handoff.rest()


def replayed(path: Path) -> Batch:
    whole = Batch()
    for _, batch in replay(path):
        whole.prints += batch.prints
        whole.events += batch.events
        whole.bad += batch.bad
    return whole


def test_a_replay_comes_to_what_the_session_came_to(tmp_path: Path) -> None:
    expected = record(tmp_path / "session")
    found = replayed(tmp_path / "session")
    assert [one.number for one in expected.prints] == [1, 2, 3, 4, 5, 6]
    assert found.prints == expected.prints
    assert found.bad == expected.bad
    names = [event.event for event in expected.events]
    assert names == ["connected", "gap_opened", "gap_filled", "lost"]
    assert [event.event for event in found.events] == names


def test_a_recording_that_ends_in_the_middle_is_replayed_to_there(tmp_path: Path) -> None:
    expected = record(tmp_path / "whole")
    plain = zstandard.ZstdDecompressor().stream_reader((tmp_path / "whole").read_bytes()).read()
    cut = tmp_path / "cut"
    cut.write_bytes(zstandard.ZstdCompressor().compress(plain[:-30]))
    assert replayed(cut).prints == expected.prints[:-1]


def test_a_recording_that_its_process_could_not_finish_is_read_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FLUSH_S", 0.0)
    expected = record(tmp_path / "whole")
    cut = tmp_path / "cut"
    cut.write_bytes((tmp_path / "whole").read_bytes()[:-20])
    found = replayed(cut).prints
    assert 4 <= len(found) < len(expected.prints)
    assert found == expected.prints[: len(found)]


@pytest.mark.parametrize("content", [b"", b"what", zstandard.compress(b"{}\n"), zstandard.compress(b"\n")])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(TapewatchError, match="is not a recorded feed"):
        list(replay(path))


def test_a_recording_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "session"
    record(path)
    with pytest.raises(TapewatchError, match="exists already"):
        FileRecording(path)


def test_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "session"
    with FileRecording(path) as file:
        file.begin("coinbase", [SYMBOL], {})
        file.frame(1.0, b"\xff\x00")
        file.history(2.0, HistoryRequest("X", "/past", (1, None, ["a"])), b"\xfe")
    _, entries = read_recording(path)
    frame, history = entries
    assert frame.raw == b"\xff\x00"
    assert (history.raw, history.state) == (b"\xfe", [1, None, ["a"]])
