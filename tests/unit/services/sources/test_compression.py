import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.sources import compression
from services.sources.compression import BrokenFileError, first_bytes, read_pieces
from services.sources.file import content_hash
from services.sources.files import open_source
from tests.samples import HEADER, row, write_csv

TEXT = "".join(f"{line}\n" for line in (HEADER, *(row(n) for n in range(60)))).encode()
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00\xda\x02\x00\x00"


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def long_window(content: bytes) -> bytes:
    """Compress as `zstd --long=31` does: without the content's size, so that the window counts."""
    parameters = zstandard.ZstdCompressionParameters(window_log=31, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(content) + stream.flush()


def read(path: Path) -> bytes:
    return b"".join(piece for piece, _ in read_pieces(path))


def read_until_broken(path: Path) -> tuple[bytes, str]:
    found = b""
    try:
        for piece, _ in read_pieces(path):
            found += piece
    except BrokenFileError as error:
        return found, str(error)
    return found, ""


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip, two members": lambda text: gzip.compress(text[:100]) + gzip.compress(text[100:]),
    "gzip, padded": lambda text: gzip.compress(text) + bytes(512),
    "bzip2": bz2.compress,
    "bzip2, two members": lambda text: bz2.compress(text[:100]) + bz2.compress(text[100:]),
    "xz": lzma.compress,
    "xz, two members": lambda text: lzma.compress(text[:100]) + bytes(8) + lzma.compress(text[100:]),
    "zstd": zstandard.compress,
    "zstd, two frames": lambda text: zstandard.compress(text[:100]) + zstandard.compress(text[100:]),
    "zstd, long window": long_window,
    "zstd, skippable frame first": lambda text: SKIPPABLE + zstandard.compress(text),
    "zstd, skippable frame last": lambda text: zstandard.compress(text) + SKIPPABLE,
    "pzstd": lambda text: b"".join(
        SKIPPABLE + zstandard.compress(part) for part in (text[:100], text[100:200], text[200:])
    ),
    "zip": lambda text: zip_of({"day.csv": text}),
    "zip, stored": lambda text: zip_of({"day.csv": text}, zipfile.ZIP_STORED),
    "zip, bzip2": lambda text: zip_of({"day.csv": text}, zipfile.ZIP_BZIP2),
    "zip, of a zstd file": lambda text: zip_of({"day.csv.zst": zstandard.compress(text)}),
    "zip, of macOS": lambda text: zip_of({"a/day.csv": text, "__MACOSX/a/._day.csv": b"\0\5\x16\7"}),
    "zip, of Databento": lambda text: zip_of(
        {"manifest.json": b"{}", "JOB/symbology.json": b"{}", "JOB/day.csv.gz": gzip.compress(text)}
    ),
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 18])
def test_content_comes_out_whole_and_has_one_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str, piece_bytes: int
) -> None:
    monkeypatch.setattr(compression, "PIECE_BYTES", piece_bytes)
    path = tmp_path / "day"
    path.write_bytes(PACKED[packed](TEXT))
    assert read(path) == TEXT
    positions = [position for _, position in read_pieces(path)]
    assert positions == sorted(positions)
    assert positions[-1] <= path.stat().st_size
    assert first_bytes(path, 20) == TEXT[:20]
    plain = tmp_path / "plain"
    plain.write_bytes(TEXT)
    assert content_hash(path) == content_hash(plain)
    assert sum(len(chunk.trades) for chunk in open_source(path).chunks()) == 60


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(["gzip", "bzip2", "xz", "zstd", "zip"]), data=st.data())
def test_a_cut_file_is_told_and_what_was_read_is_a_beginning(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = PACKED[kind](TEXT)
    path = tmp_path_factory.mktemp("cut") / "day"
    path.write_bytes(content[: data.draw(st.integers(12, len(content) - 1))])
    found, reason = read_until_broken(path)
    assert "truncated" in reason
    assert TEXT.startswith(found)


@pytest.mark.parametrize("kind", ["bzip2", "zstd", "xz", "gzip", "zip"])
def test_a_file_cut_before_its_first_line_ends_is_refused_with_the_reason(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(PACKED[kind](TEXT)[:40])
    with pytest.raises(TapewatchError, match=r"day.csv cannot be read: .* truncated") as caught:
        open_source(path)
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_damaged_data_is_told_after_what_was_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "day"
    path.write_bytes(PACKED[kind](TEXT) + b"what follows is no member")
    found, reason = read_until_broken(path)
    assert found == TEXT
    assert f"damaged ({kind}: " in reason


def test_a_damaged_member_of_a_zip_is_named(tmp_path: Path) -> None:
    content = bytearray(zip_of({"day.csv": TEXT}, zipfile.ZIP_STORED))
    content[200] ^= 1
    (tmp_path / "day.zip").write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"day\.csv is damaged \(Bad CRC-32"):
        read(tmp_path / "day.zip")


@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 18])
def test_members_of_a_zip_make_one_file_with_one_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_bytes: int
) -> None:
    monkeypatch.setattr(compression, "PIECE_BYTES", piece_bytes)
    path = tmp_path / "days.zip"
    header, *rows = TEXT.splitlines(keepends=True)
    first = header + b"".join(rows[:20])
    second = b"\xef\xbb\xbf" + header + b"".join(rows[20:40])
    members = {
        "b.csv": first.rstrip(),
        "empty/": b"",
        "a.csv": second,
        "c.csv.gz": gzip.compress(header + b"".join(rows[40:])),
    }
    path.write_bytes(zip_of(members))
    assert read(path) == TEXT
    chunks = list(open_source(path).chunks())
    assert sum(len(chunk.trades) for chunk in chunks) == 60
    assert not any(chunk.rejected for chunk in chunks)


def test_members_of_a_zip_with_different_headers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "days.zip"
    other = TEXT.replace(b"price,size", b"size,price")
    path.write_bytes(zip_of({"monday.csv": TEXT, "tuesday.csv": other}))
    with pytest.raises(TapewatchError, match=r"tuesday\.csv have different headers") as caught:
        open_source(path)
    assert "Unpack" in caught.value.hint


def test_members_of_a_zip_without_headers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "days.zip"
    path.write_bytes(zip_of({"1.csv": b"28457,0.01,12\n", "2.csv": b"28458,0.02,13\n"}))
    assert read(path) == b"28457,0.01,12\n28458,0.02,13\n"


NOISE = random.Random(1).randbytes(50)  # noqa: S311 - no secret


def encrypted_zip() -> bytes:
    content = bytearray(zip_of({"day.csv": TEXT}, zipfile.ZIP_STORED))
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags_at] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x04\x22\x4d\x18" + NOISE, "lz4"),
        (b"7z\xbc\xaf\x27\x1c" + NOISE, "a 7z archive"),
        (b"Rar!\x1a\x07\x01\x00" + NOISE, "a RAR archive"),
        (b"\x1f\x9d\x90" + NOISE, "compress"),
        (b"day.csv".ljust(257, b"\0") + b"ustar\x0000" + bytes(250), "a tar archive"),
        (gzip.compress(b"day.csv".ljust(257, b"\0") + b"ustar\x0000" + bytes(250)), "a tar archive"),
        (gzip.compress(zstandard.compress(TEXT)), r"compressed twice \(zstd"),
        (gzip.compress(zip_of({"day.csv": TEXT})), r"compressed twice \(zip"),
        (zip_of({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}), "an Excel workbook"),
        (zip_of({"a.dbn": b"DBN\3", "b.dbn": b"DBN\3"}), "several binary files"),
        (zip_of({"manifest.json": b"{}"}), "no file of trades"),
        (encrypted_zip(), "day.csv cannot be read: .*encrypted"),
        (gzip.compress(b""), "nothing in it"),
        (gzip.compress(b"PAR1" + bytes(50)), "compressed Parquet"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # gzip writes the time into its output
)
def test_what_is_packed_in_another_way_is_refused_by_its_name(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(content)
    with pytest.raises(TapewatchError, match=reason) as caught:
        open_source(path)
    assert caught.value.hint


def test_a_plain_file_is_not_taken_for_a_packed_one(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "BZh9", ["BZh,PK,7z"], header="PK,BZh9,LZ")
    assert read(path) == b"PK,BZh9,LZ\nBZh,PK,7z\n"
