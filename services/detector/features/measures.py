"""What the calibrated detectors measure of a trade, as features; the forest, a model, is left out."""

from services.detector.features.feature import Feature

_SOURCE = "[detection.md](detection.md#the-calibrated-detectors-profile-default)"

_MEASURES = {
    "is_cross": ("0, 1 or 2", "1 for an auction's print, 2 for one away from the market"),
    "is_scheduled": ("0 or 1", "1 for a burst at a scheduled moment"),
    "price_evidence": ("1", "evidence of the price on the common scale"),
    "price_rarity": ("decades", "-log₁₀ of how often a price is as far off"),
    "price_value": ("1", "distance of the price in units of its scale"),
    "distance": ("price", "beyond the detector's envelope of recent prices, signed"),
    "price_scale": ("price", "the distance's unit"),
    "price_tick": ("price", "the session's tick"),
    "price_gap_s": ("s", "since the price before"),
    "grid_rarity": ("decades", "of a price off the half-tick grid, or with swapped cents"),
    "size_evidence": ("1", "evidence of the size on the common scale"),
    "size_rarity": ("decades", "-log₁₀ of how often a size is as large"),
    "size_value": ("1", "surprise of the size, with its surroundings"),
    "size_ratio": ("log", "ln(v / mean size)"),
    "size_context": ("1", "what the surroundings add to the surprise"),
    "is_block": ("0 or 1", "1 for a size that a desk names"),
    "is_largest": ("0 or 1", "1 if the session had none as large outside auctions"),
    "day_share": ("1", "share in the session's volume so far, itself included"),
    "burst_evidence": ("1", "evidence of the burst on the common scale"),
    "burst_rarity": ("decades", "-log₁₀ of how often a burst is as large"),
    "burst_value": ("1", "size of the burst"),
    "burst_times": ("times", "distinct times in the burst's window"),
    "burst_trades": ("trades", "trades in it"),
    "burst_drift": ("price", "how far the price moved in it"),
    "burst_s": ("s", "time since its first trade"),
    "fast_pace": ("1", "pace of a fast market, in usual ones; 0 outside"),
    "fast_move": ("1", "range of a fast market, in usual ones; 0 outside"),
}
"""Unit and meaning by the field of `core.state.MEASURES`."""


def _measure(field: str, unit: str, meaning: str) -> Feature:
    return Feature(f"measure_{field}", unit, meaning, _SOURCE, lambda m: m.batch.measured()[field])


FEATURES = [_measure(field, unit, meaning) for field, (unit, meaning) in _MEASURES.items()]
"""For trades that are eligible for anything; 0 for others, as in the detectors."""
