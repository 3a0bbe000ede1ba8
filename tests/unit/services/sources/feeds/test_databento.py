import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import databento_dbn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.contracts.feed_event import FeedEvent
from services.sources.databento.dbn import DatabentoDbn
from services.sources.feeds.databento import Databento, group_starts, whole_records
from services.sources.feeds.databento_gateway import address
from services.sources.feeds.handoff import Handoff
from services.sources.feeds.keeper import Gap, Shared
from services.sources.feeds.messages import AgedOut, Frame, Print, Refusal, Replayed, Skipped
from services.sources.feeds.place import Place
from services.sources.feeds.recording import FileRecording
from services.sources.feeds.registry import open_venue
from services.sources.feeds.replay import replay
from services.sources.feeds.state import FeedState

dbn: Any = databento_dbn  # which declares its enums' members as numbers

NOW_NS = 1_733_149_800_000_000_007
S_NS = 10**9
MINUTE_NS = 60 * S_NS
NAMES = {7: "MSFT", 8: "AAPL", 9: "NVDA"}


@pytest.fixture(autouse=True)
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("db-never-used\n")
    monkeypatch.setenv("TAPEWATCH_DATABENTO_KEY_FILE", str(tmp_path / "key"))


@pytest.fixture
def venue(key: None) -> Databento:
    return make_venue()


def make_venue(symbols: Sequence[str] = ("MSFT", "AAPL", "NVDA")) -> Databento:
    return Databento(symbols, "127.0.0.1:1", None, "XNAS.ITCH")


def metadata(start_ns: int = NOW_NS) -> bytes:
    head: bytes = dbn.Metadata("XNAS.ITCH", start_ns, None, dbn.SType.INSTRUMENT_ID, None, version=3).encode()
    return head


def mappings() -> bytes:
    kind, never = dbn.SType.RAW_SYMBOL, dbn.UNDEF_TIMESTAMP
    return b"".join(
        bytes(dbn.SymbolMappingMsg(0, number, NOW_NS, kind, name, kind, name, never, never))
        for number, name in NAMES.items()
    )


def trade(number: int = 0, **changes: Any) -> bytes:
    fields = {
        "publisher_id": 2,
        "instrument_id": 7,
        "ts_event": NOW_NS + number * S_NS,
        "price": 137_970_000_000,
        "size": 100,
        "action": dbn.Action.TRADE,
        "side": dbn.Side.BID,
        "depth": 0,
        "ts_recv": NOW_NS + number * S_NS + 200_000,
        "flags": 130,
        "ts_in_delta": 169_641,
        "sequence": 1000 + number,
    }
    return bytes(dbn.TradeMsg(**(fields | changes)))


def system(code: object, time_ns: int = NOW_NS, words: str = "words") -> bytes:
    return bytes(dbn.SystemMsg(time_ns, words, code))


def error(code: object, words: str = "words", time_ns: int = NOW_NS) -> bytes:
    return bytes(dbn.ErrorMsg(time_ns, words, True, code))


def status(action: object, reason: object = None, instrument_id: int = 7) -> bytes:
    return bytes(dbn.StatusMsg(2, instrument_id, NOW_NS, NOW_NS, action, reason))


def begin(venue: Databento) -> None:
    venue.decode(metadata())
    venue.decode(mappings())


def values(frame: Frame) -> list[bytes]:
    return [one.value for one in frame.prints]


def from_file(path: Path, records: bytes) -> list[bytes]:
    """Return the messages of a file of what the gateway sends."""
    path.write_bytes(metadata() + mappings() + records)
    source = DatabentoDbn(path)
    return [value for rows in source.rows() for value in source.to_json(rows.trades)]


trades = st.lists(
    st.builds(
        trade,
        st.integers(0, 3),
        instrument_id=st.sampled_from(list(NAMES)),
        publisher_id=st.sampled_from([1, 2, 57]),
        price=st.integers(2 - 2**63, 2**63 - 2),
        size=st.integers(0, 2**32 - 2),
        side=st.sampled_from([dbn.Side.BID, dbn.Side.ASK, dbn.Side.NONE]),
        flags=st.integers(0, 255),
        depth=st.integers(0, 255),
        ts_in_delta=st.integers(-(2**31), 2**31 - 1),
        sequence=st.integers(0, 3),
        ts_recv=st.integers(0, 2**62),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(trades)
def test_a_live_trade_has_the_bytes_that_it_has_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes]
) -> None:
    venue = make_venue()
    begin(venue)
    frame = venue.decode(b"".join(records))
    path = tmp_path_factory.mktemp("dbn") / "day.dbn"
    assert not frame.bad
    assert values(frame) == from_file(path, b"".join(records))


@settings(max_examples=25, deadline=None)
@given(trades, st.data())
def test_where_the_stream_is_cut_changes_nothing(records: list[bytes], data: st.DataObject) -> None:
    stream = metadata() + mappings() + b"".join(records) + system(dbn.SystemCode.HEARTBEAT)
    whole = make_venue()
    begin(whole)
    expected = values(whole.decode(b"".join(records)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    venue, rest, found = make_venue(), b"", []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        rest += stream[start:end]
        while size := whole_records(rest):
            frame = venue.decode(rest[:size])
            assert not frame.bad
            found += values(frame)
            rest = rest[size:]
    assert found == expected
    assert rest == b""


def test_a_print_says_whose_it_is_and_when_the_tape_showed_it(venue: Databento) -> None:
    begin(venue)
    (one,) = venue.decode(trade(1)).prints
    assert one.symbol == "MSFT"
    assert one.trade_id == "2-7-20241202-1001"
    assert one.tape_ns == NOW_NS + S_NS + 200_000
    assert json.loads(one.value)["price"] == 137.97


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ts_event": dbn.UNDEF_TIMESTAMP}, "ts_event is undefined"),
        ({"ts_recv": dbn.UNDEF_TIMESTAMP}, "ts_recv is undefined"),
        ({"price": dbn.UNDEF_PRICE}, "price is undefined"),
        ({"size": 2**32 - 1}, "size is undefined"),
        ({"instrument_id": 99}, "names no symbol"),
        ({"ts_event": 2**63 + 5}, "not from 1970 to 2261"),
    ],
)
def test_what_is_no_trade_is_a_bad_message_and_the_stream_continues(
    venue: Databento, changes: dict[str, Any], reason: str
) -> None:
    begin(venue)
    frame = venue.decode(trade(1) + trade(2, **changes) + trade(3))
    assert [one.trade_id[-4:] for one in frame.prints] == ["1001", "1003"]
    assert len(frame.bad) == 1
    assert reason in frame.bad[0].reason
    assert frame.bad[0].raw == trade(2, **changes)


def test_a_side_and_an_action_that_are_none_are_bad_messages(venue: Databento) -> None:
    begin(venue)
    for at in (28, 29):
        record = bytearray(trade())
        record[at] = ord('"')
        assert len(venue.decode(bytes(record)).bad) == 1


def test_bytes_that_are_no_record_end_the_connection_after_what_came_before(venue: Databento) -> None:
    begin(venue)
    stream = trade(1) + bytes(range(1, 40))
    assert whole_records(stream) == len(stream)
    frame = venue.decode(stream)
    assert len(frame.prints) == 1
    assert len(frame.bad) == 1
    assert frame.notes == [Refusal("the stream is damaged", None)]


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    venue = make_venue()
    begin(venue)
    venue.decode(trade() + noise)
    for kind in (18, 21, 22, 23):
        venue.decode(bytes([len(noise) // 4 + 4, kind]) + bytes(14) + noise[: len(noise) // 4 * 4])


def test_records_of_other_kinds_are_passed_over(venue: Databento) -> None:
    begin(venue)
    other = bytes([4, 0xA0]) + bytes(14)
    frame = venue.decode(other + trade() + other)
    assert len(frame.prints) == 1
    assert not frame.bad
    assert not frame.notes


def test_prints_of_a_packet_are_numbered_anew_on_each_connection(venue: Databento) -> None:
    packet = b"".join(trade(publisher_id=57, sequence=5) for _ in range(3))
    for _ in range(2):
        begin(venue)
        ids = [one.trade_id for one in venue.decode(packet).prints]
        assert ids == ["57-7-20241202-5", "57-7-20241202-5-2", "57-7-20241202-5-3"]


def test_a_symbol_may_move_to_another_instrument(venue: Databento) -> None:
    begin(venue)
    kind, never = dbn.SType.RAW_SYMBOL, dbn.UNDEF_TIMESTAMP
    moved = bytes(dbn.SymbolMappingMsg(0, 7, NOW_NS, kind, "NVDA", kind, "NVDA", never, never))
    frame = venue.decode(trade(1) + moved + trade(2))
    assert [one.symbol for one in frame.prints] == ["MSFT", "NVDA"]


# --- what the gateway says ---


def test_a_halt_and_the_trading_after_it_are_events(venue: Databento) -> None:
    begin(venue)
    halt = status(dbn.StatusAction.HALT, dbn.StatusReason.NEWS_PENDING)
    trading = status(dbn.StatusAction.TRADING)
    frame = venue.decode(trading + halt + halt + trading + trading)
    events = [note for note in frame.notes if isinstance(note, FeedEvent)]
    assert [(one.event, one.symbol, one.reason) for one in events] == [
        ("halt", "MSFT", "halt, news pending"),
        ("resume", "MSFT", "trading"),
    ]
    assert events[0].timestamp == "2024-12-02T14:30:00.000000007Z"


def test_a_slow_reader_warning_is_an_event(venue: Databento) -> None:
    begin(venue)
    frame = venue.decode(system(dbn.SystemCode.SLOW_READER_WARNING, words="too slow") + trade())
    assert frame.notes == [Skipped("too slow")]
    assert len(frame.prints) == 1


def test_what_was_skipped_is_had_again_on_a_new_connection(venue: Databento) -> None:
    begin(venue)
    frame = venue.decode(
        trade(1) + error(dbn.ErrorCode.SKIPPED_RECORDS_AFTER_SLOW_READING, "skipped") + trade(5)
    )
    assert len(frame.prints) == 1  # what follows would have moved the place over what was skipped
    assert frame.notes == [Skipped("skipped"), Refusal("skipped", None)]


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (dbn.ErrorCode.AUTH_FAILED, "key"),
        (dbn.ErrorCode.API_KEY_DEACTIVATED, "key"),
        (dbn.ErrorCode.CONNECTION_LIMIT_EXCEEDED, None),
        (dbn.ErrorCode.INTERNAL_ERROR, None),
    ],
)
def test_an_error_ends_the_feed_only_if_no_later_try_can_succeed(
    venue: Databento, code: object, hint: str | None
) -> None:
    begin(venue)
    (note,) = venue.decode(error(code, "its words")).notes
    assert isinstance(note, Refusal)
    assert note.reason == "its words"
    assert (note.hint is None) == (hint is None)
    assert hint is None or hint in (note.hint or "")


def test_without_the_right_to_the_status_trades_are_asked_for_alone(venue: Databento) -> None:
    assert [asked.schema for asked in venue._subscriptions()] == ["trades", "status"]
    invalid = error(dbn.ErrorCode.INVALID_SUBSCRIPTION)
    (first,) = venue.decode(invalid).notes
    assert isinstance(first, Refusal)
    assert first.hint is None
    assert [asked.schema for asked in venue._subscriptions()] == ["trades"]
    (second,) = venue.decode(invalid).notes
    assert isinstance(second, Refusal)
    assert second.hint


def test_an_unknown_symbol_is_reported_and_the_others_come(venue: Databento) -> None:
    begin(venue)
    frame = venue.decode(error(dbn.ErrorCode.SYMBOL_RESOLUTION_FAILED, "no NOPE") + trade())
    assert "no NOPE" in frame.bad[0].reason
    assert not frame.notes
    assert len(frame.prints) == 1
    assert not venue.decode(system(dbn.SystemCode.HEARTBEAT)).notes


def test_if_no_symbol_is_known_the_feed_ends(venue: Databento) -> None:
    venue.decode(metadata())
    venue.decode(error(dbn.ErrorCode.SYMBOL_RESOLUTION_FAILED, "no NOPE"))
    (note,) = venue.decode(system(dbn.SystemCode.HEARTBEAT)).notes
    assert isinstance(note, Refusal)
    assert note.hint


# --- from where the stream is replayed ---


def starts(venue: Databento) -> dict[str, int | None]:
    return {
        symbol: asked.start
        for asked in venue._subscriptions()
        if asked.schema == "trades"
        for symbol in asked.symbols
    }


def test_a_first_connection_begins_live(venue: Databento) -> None:
    venue.resume_from({})
    assert set(starts(venue).values()) == {None}


def test_a_symbol_is_replayed_from_before_its_last_print(venue: Databento) -> None:
    venue.resume_from({"MSFT": Place(NOW_NS, 0, NOW_NS - S_NS)})
    assert starts(venue) == {"MSFT": NOW_NS - S_NS - MINUTE_NS, "AAPL": None, "NVDA": None}


def test_a_symbol_without_a_print_is_replayed_from_the_first_connection_on(venue: Databento) -> None:
    venue.resume_from({})
    begin(venue)
    venue.resume_from({})
    assert set(starts(venue).values()) == {NOW_NS}


def test_a_quiet_symbol_is_replayed_from_where_the_stream_was(venue: Databento) -> None:
    old = {"MSFT": Place(NOW_NS - 900 * MINUTE_NS, 0, NOW_NS - 900 * MINUTE_NS)}
    venue.resume_from(old)
    begin(venue)
    venue.decode(system(dbn.SystemCode.HEARTBEAT, NOW_NS))  # the replay still comes
    venue.resume_from(old)
    assert starts(venue)["MSFT"] == NOW_NS - 901 * MINUTE_NS
    begin(venue)
    venue.decode(system(dbn.SystemCode.REPLAY_COMPLETED) * 2)
    venue.decode(system(dbn.SystemCode.HEARTBEAT, NOW_NS + 5 * MINUTE_NS))
    venue.resume_from(old)
    assert starts(venue)["MSFT"] == NOW_NS + 4 * MINUTE_NS


def test_a_wrong_clock_does_not_move_the_start_ahead(venue: Databento) -> None:
    venue.resume_from({})
    begin(venue)
    recv_ns = [NOW_NS + number for number in range(70)]
    recv_ns[40:45] = [NOW_NS + 3600 * S_NS] * 5
    venue.decode(b"".join(trade(instrument_id=8, ts_recv=one) for one in recv_ns))
    venue.resume_from({})
    begins = starts(venue)["MSFT"]
    assert begins is not None
    assert begins <= NOW_NS + 70


def test_what_was_skipped_is_not_where_the_stream_was(venue: Databento) -> None:
    place = {"MSFT": Place(NOW_NS, 0, NOW_NS)}
    venue.resume_from({})
    begin(venue)
    later_ns = NOW_NS + 600 * S_NS
    venue.decode(b"".join(trade(instrument_id=8, ts_recv=later_ns) for _ in range(70)))
    venue.decode(error(dbn.ErrorCode.SKIPPED_RECORDS_AFTER_SLOW_READING))
    venue.resume_from(place)
    assert starts(venue)["MSFT"] == NOW_NS - MINUTE_NS


def test_the_replay_has_ended_when_all_replays_have(venue: Databento) -> None:
    old_ns = NOW_NS - 900 * MINUTE_NS
    venue.resume_from({"MSFT": Place(old_ns, 0, old_ns), "AAPL": Place(NOW_NS, 0, NOW_NS)})
    begin(venue)
    done = system(dbn.SystemCode.REPLAY_COMPLETED)
    assert venue.decode(done).notes == []
    assert venue.decode(done).notes == [Replayed()]


def test_what_is_too_old_is_asked_for_as_far_back_as_there_is(venue: Databento) -> None:
    old_ns = NOW_NS - 48 * 60 * MINUTE_NS
    places = {"MSFT": Place(old_ns, 0, old_ns), "AAPL": Place(NOW_NS, 0, NOW_NS)}
    venue.resume_from(places)
    frame = venue.decode(error(dbn.ErrorCode.REPLAY_DATA_AGED_OUT, "too old"))
    assert frame.notes == [AgedOut(("MSFT",), "too old"), Refusal("too old", None)]
    venue.resume_from(places)
    assert starts(venue) == {"MSFT": 0, "AAPL": NOW_NS - MINUTE_NS, "NVDA": None}
    frame = venue.decode(error(dbn.ErrorCode.REPLAY_DATA_AGED_OUT, "too old"))
    assert frame.notes == [AgedOut(("AAPL",), "too old"), Refusal("too old", None)]
    venue.resume_from(places)
    assert starts(venue) == {"MSFT": 0, "AAPL": 0, "NVDA": None}


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.integers(0, 500).map(str), st.integers(1, 86_400), max_size=100))
def test_few_starts_serve_all_symbols(ages_s: dict[str, int]) -> None:
    wanted = {symbol: NOW_NS - age_s * S_NS for symbol, age_s in ages_s.items()}
    grouped = group_starts(wanted)
    newest = max(wanted.values(), default=0)
    assert grouped.keys() == wanted.keys()
    assert all(grouped[symbol] <= wanted[symbol] for symbol in wanted)
    assert all(newest - grouped[one] <= 2 * (newest - wanted[one]) + MINUTE_NS for one in wanted)
    assert len(set(grouped.values())) <= 12


# --- the keeper, with a stream that is replayed ---


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_however_the_stream_is_cut_and_replayed_each_print_comes_once_in_order(data: st.DataObject) -> None:
    """Packets of equal sequence and times; the process may end between a cut and the replay."""
    steps = data.draw(st.lists(st.integers(0, 2), min_size=1, max_size=60))
    records, packet, time_ns = [], 1, NOW_NS
    for step in steps:
        packet, time_ns = packet + (step > 0), time_ns + step * 700_000_000
        records.append((time_ns, trade(publisher_id=57, sequence=packet, ts_event=time_ns, ts_recv=time_ns)))
    whole = make_venue(["MSFT"])
    begin(whole)
    expected = [one.trade_id for one in whole.decode(b"".join(one for _, one in records)).prints]

    published: list[Print] = []
    gaps: list[Gap] = []
    places: dict[str, Place] = {}
    for session in _sessions(data, len(records)):
        venue, shared = make_venue(["MSFT"]), Shared(gaps.append)
        keeper = venue.keeper("MSFT", shared, places.get("MSFT"))
        for end in session:
            venue.resume_from({"MSFT": keeper.place} if keeper.place else {})
            begin(venue)
            start = starts(venue)["MSFT"]
            keeper.connected(0.0)
            sent = [one for at_ns, one in records[:end] if start is None or at_ns >= start]
            for record in sent:
                for one in venue.decode(record).prints:
                    published += keeper.live(one, 0.0)
        if keeper.place:
            places["MSFT"] = keeper.place
    assert [one.trade_id for one in published] == expected
    assert not [one for one in gaps if one.event == "gap_lost"]


def _sessions(data: st.DataObject, count: int) -> Iterator[list[int]]:
    """Return up to which record each connection of each process reads."""
    ends = sorted(data.draw(st.lists(st.integers(0, count), max_size=5)))
    first = 0
    for split in sorted(data.draw(st.lists(st.integers(0, len(ends)), max_size=2))):
        yield ends[first:split]
        first = split
    yield [*ends[first:], count]


def test_an_aged_replay_is_a_lost_gap_up_to_its_first_print(venue: Databento) -> None:
    gaps: list[Gap] = []
    keeper = venue.keeper("MSFT", Shared(gaps.append), Place(NOW_NS, 0, NOW_NS, ("old",)))
    keeper.unavailable("too old")
    keeper.connected(0.0)
    keeper.live(Print("MSFT", "new", NOW_NS + S_NS, 0, b""), 0.0)
    assert [(one.event, one.start, one.end, one.reason) for one in gaps] == [
        ("gap_lost", NOW_NS, NOW_NS + S_NS, "too old")
    ]


def test_an_aged_replay_that_reaches_back_far_enough_loses_nothing(venue: Databento) -> None:
    gaps: list[Gap] = []
    keeper = venue.keeper("MSFT", Shared(gaps.append), Place(NOW_NS, 0, NOW_NS, ("old",)))
    keeper.unavailable("too old")
    keeper.connected(0.0)
    keeper.live(Print("MSFT", "old", NOW_NS, 0, b""), 0.0)
    keeper.live(Print("MSFT", "new", NOW_NS + S_NS, 0, b""), 0.0)
    keeper.replayed()
    assert [(one.event, one.count) for one in gaps] == [("gap_opened", 1), ("gap_filled", 1)]


def test_a_recorded_session_gives_the_same_again(tmp_path: Path) -> None:
    """Two connections; the second replays packets that were published, and goes on."""
    packets = [trade(number // 2, publisher_id=57, sequence=number // 2 + 1) for number in range(8)]
    done = system(dbn.SystemCode.REPLAY_COMPLETED)
    connections = [b"".join(packets[:5]), b"".join(packets) + done + trade(9)]
    venue, handoff = make_venue(), Handoff()
    state = FeedState(venue, {}, handoff)
    handoff.of(state.keepers)
    with FileRecording(tmp_path / "feed.zst") as file:
        file.begin(venue.name, venue.symbols, {})
        for at_s, stream in enumerate(connections):
            state.resume()
            file.connected(at_s)
            state.connected(at_s)
            for frame in (metadata(), mappings(), stream):
                file.frame(at_s, frame)
                state.frame(frame, at_s)
    came = handoff.rest()
    assert len({one.trade_id for one in came.prints}) == len(came.prints) == 9
    again = [one for _, batch in replay(tmp_path / "feed.zst") for one in batch.prints]
    assert again == came.prints


# --- how it is named ---


def test_the_registry_opens_it() -> None:
    opened = open_venue("databento:XNAS.ITCH", ["MSFT"], None, None)
    assert opened.name == "databento:XNAS.ITCH"
    assert opened.heartbeat_s == 5.0


@pytest.mark.parametrize("dataset", ["", "XNAS", "xnas.itch", "XNAS.ITCH|x", "XNAS.ITCH\n"])
def test_a_dataset_that_is_none_is_refused(dataset: str) -> None:
    with pytest.raises(TapewatchError, match="not a dataset"):
        Databento(["MSFT"], None, None, dataset)


@pytest.mark.parametrize("symbol", ["ALL_SYMBOLS", "A|B", "A\nstart_session=0", "", "Ä", "x" * 71])
def test_a_symbol_that_is_none_is_refused(symbol: str) -> None:
    with pytest.raises(TapewatchError, match="not a raw symbol"):
        Databento([symbol], None, None, "XNAS.ITCH")


def test_the_address_is_the_datasets_or_the_one_given() -> None:
    assert address(None, "XNAS.ITCH") == ("xnas-itch.lsg.databento.com", 13000)
    assert address("127.0.0.1:5", "XNAS.ITCH") == ("127.0.0.1", 5)
    for wrong in ("ws://127.0.0.1:5", "127.0.0.1", ":5", "host:port"):
        with pytest.raises(TapewatchError, match="not the address"):
            address(wrong, "XNAS.ITCH")


def test_without_a_key_it_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPEWATCH_DATABENTO_KEY_FILE")
    with pytest.raises(TapewatchError, match="TAPEWATCH_DATABENTO_KEY_FILE is not set"):
        make_venue().read_keys()
