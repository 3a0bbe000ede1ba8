import json
from pathlib import Path

from benchmarks.feed_venue import iso
from benchmarks.peers.feeder import EACH, LARGE_SHARES, SYMBOLS, trade
from benchmarks.peers.tapewatch import LIVE_PROFILE
from services.contracts.trade import decode_trade
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import load_profile


def test_only_each_marked_trade_is_large() -> None:
    sizes = [json.loads(trade(number, iso(0))[1])["size"] for number in range(3 * EACH)]
    assert [number for number, size in enumerate(sizes) if size >= LARGE_SHARES] == [
        EACH - 1,
        2 * EACH - 1,
        3 * EACH - 1,
    ]


def test_detector_tells_each_marked_trade_apart_and_no_other(tmp_path: Path) -> None:
    profile = tmp_path / "live.yaml"
    profile.write_text(LIVE_PROFILE)
    count = 100 * EACH
    began_ns = 1_790_000_000 * 10**9
    trades = [
        decode_trade(trade(number, iso(began_ns + number * 200_000))[1].encode()) for number in range(count)
    ]
    found = Engine(load_profile(profile)).detect(trades)
    marked = [number for number in range(SYMBOLS * EACH, count) if number % EACH == EACH - 1]
    assert [one.at for one in found if one.at >= SYMBOLS * EACH] == marked
    assert all(one.anomaly.revision is None for one in found)
