import hashlib

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from services.detector.engine.batch import SessionKey
from services.detector.engine.state import SessionState
from services.detector.live.checkpoint import (
    MAX_CONTENT_BYTES,
    PARTITION_KEY,
    PartitionCheckpoint,
    SessionCheckpoint,
    UnreadableCheckpointError,
    decode,
    encode,
    parse_session_key,
    session_key,
)

NOISE = hashlib.sha512(b"noise").digest() * 3
SESSION = SessionCheckpoint(
    epoch=3,
    profile="0123456789ab",
    layout="ba9876543210",
    offset=41,
    state=SessionState(
        session=SessionKey("NVDA", "2024-12-02"),
        last_seen=40,
        order=b"order",
        growing=b"growing",
        detectors={"tape": NOISE + bytes(500), "z_score": b""},
    ),
)
PARTITION = PartitionCheckpoint(
    epoch=3, profile="0123456789ab", layout="ba9876543210", replay_from=17, retract_until=None, letters_from=9
)
SESSION_FIELDS = {
    "kind": "session",
    "run": 3,
    "profile": "p",
    "layout": "l",
    "offset": 41,
    "symbol": "NVDA",
    "day": "2024-12-02",
    "last_seen": 1,
    "order": b"order",
    "growing": b"growing",
    "detectors": {"tape": b"state"},
}
PARTITION_FIELDS = {
    "kind": "partition",
    "run": 3,
    "profile": "p",
    "layout": "l",
    "replay_from": 17,
    "retract_until": 18,
    "letters_from": 9,
}

counts = st.integers(0, 2**63 - 1)
wholes = st.integers(-(2**63), 2**63 - 1)
texts = st.text(max_size=20)


def value_of(content: object) -> bytes:
    """Return a value with any content, in the documented format."""
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(msgspec.msgpack.encode(content))
    return b"TWC\x04" + packed


def reason_of(value: bytes) -> str:
    with pytest.raises(UnreadableCheckpointError) as error:
        decode(value)
    return str(error.value)


@given(
    st.builds(
        SessionCheckpoint,
        epoch=counts,
        profile=texts,
        layout=texts,
        offset=counts,
        state=st.builds(
            SessionState,
            session=st.builds(SessionKey, texts, texts),
            last_seen=counts,
            order=st.binary(),
            detectors=st.dictionaries(texts, st.binary(max_size=200), max_size=4),
        ),
    )
    | st.builds(
        PartitionCheckpoint,
        epoch=counts,
        profile=texts,
        layout=texts,
        replay_from=counts,
        retract_until=counts | st.none(),
        letters_from=counts,
    )
)
def test_what_was_encoded_is_decoded(one: SessionCheckpoint | PartitionCheckpoint) -> None:
    assert decode(encode(one)) == one


def test_a_reader_written_from_the_description_reads_it() -> None:
    value = encode(SESSION)
    assert value[:4] == b"TWC\x04"
    assert msgspec.msgpack.decode(zstandard.decompress(value[4:])) == {
        "kind": "session",
        "run": 3,
        "profile": "0123456789ab",
        "layout": "ba9876543210",
        "offset": 41,
        "symbol": "NVDA",
        "day": "2024-12-02",
        "last_seen": 40,
        "order": b"order",
        "growing": b"growing",
        "detectors": {"tape": NOISE + bytes(500), "z_score": b""},
    }
    assert msgspec.msgpack.decode(zstandard.decompress(encode(PARTITION)[4:])) == {
        "kind": "partition",
        "run": 3,
        "profile": "0123456789ab",
        "layout": "ba9876543210",
        "replay_from": 17,
        "retract_until": None,
        "letters_from": 9,
    }


def test_a_writer_written_from_the_description_is_understood() -> None:
    read = decode(value_of(SESSION_FIELDS))
    assert read == SessionCheckpoint(
        3,
        "p",
        "l",
        41,
        SessionState(SessionKey("NVDA", "2024-12-02"), 1, b"order", b"growing", {"tape": b"state"}),
    )
    assert decode(value_of(PARTITION_FIELDS)) == PartitionCheckpoint(3, "p", "l", 17, 18, 9)


def test_zeros_take_no_room() -> None:
    assert len(encode(SESSION)) < len(NOISE) + 250


@pytest.mark.parametrize("one", [SESSION, PARTITION])
def test_every_cut_is_noticed(one: SessionCheckpoint | PartitionCheckpoint) -> None:
    value = encode(one)
    for length in range(len(value)):
        assert reason_of(value[:length])


@pytest.mark.parametrize("one", [SESSION, PARTITION])
def test_every_flipped_bit_is_noticed_or_means_nothing(one: SessionCheckpoint | PartitionCheckpoint) -> None:
    value = encode(one)
    unnoticed = []
    for bit in range(8 * len(value)):
        wrong = bytearray(value)
        wrong[bit // 8] ^= 1 << bit % 8
        try:
            assert decode(bytes(wrong)) == one
        except UnreadableCheckpointError:
            continue
        unnoticed.append(bit)
    assert unnoticed == [8 * 8 + 4]  # the one that readers of zstd frames must not look at


@given(at=st.integers(0, 600), noise=st.binary(min_size=1, max_size=50))
def test_bytes_written_over_are_noticed(at: int, noise: bytes) -> None:
    value = encode(SESSION)
    wrong = value[:at] + noise + value[at + len(noise) :]
    try:
        assert decode(wrong) == SESSION
    except UnreadableCheckpointError:
        assert wrong != value


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_rejected(noise: bytes) -> None:
    for value in (noise, b"TWC" + noise, b"TWC\x04" + noise):
        assert reason_of(value)


def test_bytes_behind_the_frame_are_rejected() -> None:
    assert "corrupt" in reason_of(encode(PARTITION) + b"\0")


def test_another_version_is_rejected() -> None:
    value = encode(PARTITION)
    assert reason_of(value[:3] + b"\x01" + value[4:]) == "it has version 1, not 4"
    assert reason_of(b"TWC") == "it has no version"


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zstandard.ZstdDecompressor", pytest.fail)
    bomb = b"TWC\x04" + zstandard.ZstdCompressor(write_checksum=True).compress(bytes(MAX_CONTENT_BYTES + 1))
    assert len(bomb) < 2_000
    assert reason_of(bomb) == f"it unpacks to {MAX_CONTENT_BYTES + 1} bytes, more than {MAX_CONTENT_BYTES}"


def test_a_frame_must_tell_its_size_and_have_a_checksum() -> None:
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    content = msgspec.msgpack.encode(PARTITION_FIELDS)
    assert reason_of(b"TWC\x04" + packer.compress(content) + packer.flush()) == "it does not tell its size"
    assert reason_of(b"TWC\x04" + zstandard.compress(content)) == "it has no checksum"


@pytest.mark.parametrize("fields", [SESSION_FIELDS, PARTITION_FIELDS])
def test_every_field_must_be_there_and_no_other(fields: dict[str, object]) -> None:
    for name in fields:
        assert name in reason_of(value_of({key: value for key, value in fields.items() if key != name}))
    assert "more" in reason_of(value_of(fields | {"more": 1}))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("kind", "neither"),
        ("run", -1),
        ("run", 1.5),
        ("run", True),
        ("profile", None),
        ("profile", b"p"),
        ("layout", 7),
        ("offset", None),
        ("offset", 2**63),
        ("offset", "41"),
        ("symbol", 5),
        ("day", None),
        ("last_seen", -1),
        ("order", 0.0),
        ("detectors", {"tape": "text"}),
        ("detectors", {"tape": [1, 2]}),
        ("detectors", {5: b"state"}),
        ("detectors", [b"state"]),
    ],
)
def test_fields_of_other_types_are_rejected(name: str, wrong: object) -> None:
    assert "its content is not a checkpoint's" in reason_of(value_of(SESSION_FIELDS | {name: wrong}))


@pytest.mark.parametrize(
    ("name", "wrong"), [("replay_from", -1), ("retract_until", "x"), ("letters_from", None), ("run", None)]
)
def test_a_partitions_fields_of_other_types_are_rejected(name: str, wrong: object) -> None:
    assert "its content is not a checkpoint's" in reason_of(value_of(PARTITION_FIELDS | {name: wrong}))


@pytest.mark.parametrize("content", [None, 7, [], "session", {}, [SESSION_FIELDS]])
def test_content_that_is_not_a_map_of_fields_is_rejected(content: object) -> None:
    assert "its content is not a checkpoint's" in reason_of(value_of(content))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(["", "2024-12-02"]))
def test_keys_name_their_session(symbol: str, day: str) -> None:
    assert parse_session_key(session_key(SessionKey(symbol, day))) == SessionKey(symbol, day)


def test_a_symbol_may_have_the_sign_that_parts_it_from_the_day() -> None:
    assert session_key(SessionKey("A@B", "")) == b"A@B@"
    assert parse_session_key(b"A@B@") == SessionKey("A@B", "")


@pytest.mark.parametrize("key", [PARTITION_KEY, b"", b"@2024-12-02", b"\xff@2024-12-02"])
def test_keys_of_no_session_are_rejected(key: bytes) -> None:
    with pytest.raises(UnreadableCheckpointError, match="the key"):
        parse_session_key(key)
