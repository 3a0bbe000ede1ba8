"""Features in plain words, for the sentence of an anomaly."""

_OF_A_WINDOW = {
    "return": "the price's change over {}",
    "volatility": "the volatility of {}",
    "range_ratio": "the price range of {}",
    "vwap_deviation": "the distance from the mean price by volume of {}",
    "roll_spread": "the bounce between bid and ask in {}",
    "median_deviation": "the distance from the median price of {}",
    "envelope_distance": "the distance from the usual prices of {}",
    "size_z": "the size against those of {}",
    "size_ratio": "the size in mean sizes of {}",
    "side_imbalance": "bought less sold shares in {}",
    "volume_z": "the shares of {} against the usual ones",
    "volume_change": "the change of the shares within {}",
    "rate_z": "the trades of {} against the usual ones",
    "rate_change": "the change of the trades within {}",
}
"""By the name without its window, which is its last word."""

_WORDS = {
    "tick_run": "price changes in a row in one direction",
    "price_ties": "trades in a row at one price",
    "side": "the aggressor's side",
    "side_run": "trades in a row from one side",
    "time_of_day_s": "the time of the day",
    "since_open_min": "the time since the opening",
    "to_close_min": "the time until the close",
    "gap_s": "the time since the trade before",
    "time_ties": "trades in a row at one time",
    "price_eligible": "whether it may be used for prices",
    "anchor_eligible": "whether it may be used as a reference price",
    "volume_eligible": "whether it may be used for volume",
    "measure_is_cross": "whether it is an auction's print",
    "measure_is_scheduled": "whether its burst is a scheduled one",
    "measure_price_evidence": "the evidence of the price",
    "measure_price_rarity": "how rare such a price is",
    "measure_price_value": "the price's distance in units of its scale",
    "measure_distance": "the price's distance from recent ones",
    "measure_price_scale": "the scale of the price's moves",
    "measure_price_tick": "the session's tick",
    "measure_price_gap_s": "the time since the price before",
    "measure_grid_rarity": "how rare a price off the grid is",
    "measure_size_evidence": "the evidence of the size",
    "measure_size_rarity": "how rare such a size is",
    "measure_size_value": "the surprise of the size",
    "measure_size_ratio": "the size against the mean",
    "measure_size_context": "the surroundings of the size",
    "measure_is_block": "whether it is a block",
    "measure_is_largest": "whether it is the session's largest",
    "measure_day_share": "the share in the day's volume",
    "measure_burst_evidence": "the evidence of the burst",
    "measure_burst_rarity": "how rare such a burst is",
    "measure_burst_value": "the size of the burst",
    "measure_burst_times": "the distinct times in the burst",
    "measure_burst_trades": "the trades in the burst",
    "measure_burst_drift": "how far the price moved in the burst",
    "measure_burst_s": "how long the burst has lasted",
    "measure_fast_pace": "the pace of a fast market",
    "measure_fast_move": "the range of a fast market",
    "bar_return": "the bar's return",
    "bar_volatility": "the volatility of the last bars",
    "bar_volume_z": "the bar's volume against the last ones",
    "bar_range_ratio": "the bar's range",
    "bar_vwap_deviation": "the distance from the bars' mean price by volume",
}


def words_of(name: str) -> str:
    """Return a feature in plain words, such as `the price's change over 1 s`.

    Raises
    ------
    KeyError
        There is no such feature.
    """
    if name in _WORDS:
        return _WORDS[name]
    stem, _, window = name.rpartition("_")
    return _OF_A_WINDOW[stem].format(_window(window))


def _window(text: str) -> str:
    if text == "session":
        return "the session"
    if text.isdigit():
        return "the last trade" if text == "1" else f"the last {text} trades"
    number = text.rstrip("ms")
    return f"{number} {text[len(number) :]}"
