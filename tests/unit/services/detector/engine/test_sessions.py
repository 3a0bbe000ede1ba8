import numpy as np
import pytest

from services.detector.detectors.checks import joined, part, session_trades
from services.detector.engine import sessions
from services.detector.engine.batch import SessionKey
from services.detector.engine.sessions import Sessions
from services.detector.engine.state import OutOfOrder


def days(count: int) -> list[SessionKey]:
    return [SessionKey("AAA", f"2024-12-0{2 + day}") for day in range(count)]


def test_a_batch_is_one_piece_whatever_it_mixes() -> None:
    mixed = joined([session_trades(symbol, day, 5, seed=1) for symbol in ("AAA", "BBB") for day in (0, 1)])
    [piece] = Sessions(endless=False).pieces(mixed)
    assert piece.places.tolist() == list(range(20))
    assert len(piece.sessions) == len(piece.opened) == 4
    assert dict(piece.opened) == piece.sessions
    assert piece.batch.price.tolist() == mixed.price.tolist()


def test_a_reused_slot_is_reported_with_the_piece_that_uses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_KEPT", 2)
    tape = joined([session_trades("AAA", day, 5, seed=1) for day in range(4)])
    # All pieces are asked for before any is looked at: nothing in them may have changed meanwhile.
    pieces = list(Sessions(endless=False).pieces(tape))
    assert [piece.places.tolist() for piece in pieces] == [
        list(range(10)),
        list(range(10, 15)),
        list(range(15, 20)),
    ]
    keys = days(4)
    first, second, third = pieces
    assert dict(first.opened) == {0: keys[0], 1: keys[1]} == first.sessions
    assert dict(second.opened) == {0: keys[2]} == second.sessions
    assert dict(third.opened) == {1: keys[3]} == third.sessions


def test_late_trades_have_pieces_of_their_own_and_repeats_none() -> None:
    tape = session_trades("AAA", 0, 10, seed=1)
    watching = Sessions(endless=False)
    pieces = watching.pieces(part(tape, [0, 1, 2, 1, 5, 6, 4, 3, 7]))
    assert [piece.places.tolist() for piece in pieces] == [[0, 1, 2, 4, 5], [6], [7], [8]]
    late_ns = [None if piece.late_ns is None else piece.late_ns.tolist() for piece in pieces]
    newest = tape.event_ns[6]
    assert late_ns == [None, [newest - tape.event_ns[4]], [newest - tape.event_ns[3]], None]
    assert watching.out_of_order == OutOfOrder(late=2, repeats=1)
    assert watching.pieces(part(tape, range(8))) == []
    assert watching.out_of_order == OutOfOrder(late=2, repeats=9)


def test_an_endless_session_spans_days() -> None:
    tape = joined([session_trades("AAA", day, 5, seed=1) for day in range(3)])
    [piece] = Sessions(endless=True).pieces(tape)
    assert piece.sessions == {0: SessionKey("AAA", "")}
    assert np.unique(piece.days).tolist() == np.unique(tape.day).tolist()
