"""What traders bring about is no fault of a column."""

import numpy as np
import pytest

from services.detector.engine.batch import SIDE_CODES
from tests.unit.services.detector.detectors.data_quality.test_faults import found_in, tape

BUY, SELL = SIDE_CODES["B"], SIDE_CODES["A"]
START, END = 1_500, 2_100


@pytest.mark.parametrize(("turned", "is_fault"), [("to buys", False), ("at random", True)])
def test_flow_of_one_side_is_no_fault_of_the_sides_but_sides_at_random_are(
    turned: str, is_fault: bool
) -> None:
    rng = np.random.default_rng(5)
    columns = tape()
    stretch = np.arange(START, END)
    if turned == "to buys":
        sells = stretch[columns.side[stretch] == SELL]
        columns.side[sells[rng.random(len(sells)) < 0.7]] = BUY
    else:
        columns.side[stretch] = rng.choice([BUY, SELL], len(stretch))
    sentences = [found.message for found in found_in(columns).values()]
    assert any("sides and prices" in sentence.lower() for sentence in sentences) == is_fault
