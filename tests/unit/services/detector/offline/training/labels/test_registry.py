from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.offline.training.labels.registry import LabelChoice, open_origins, read_choices


def test_origins_are_named_with_a_weight_or_without(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("trade_id\n")
    assert read_choices(["injected", "verdicts=7", f"{file}=2.5"]) == [
        LabelChoice("injected", 1.0),
        LabelChoice("verdicts", 7.0),
        LabelChoice("file", 2.5, file),
    ]


@pytest.mark.parametrize("given", [["none"], ["injected=0"], ["injected=x"], ["cancels", "cancels=3"]])
def test_what_cannot_be_is_said_with_the_fix(given: list[str]) -> None:
    with pytest.raises(TapewatchError) as caught:
        read_choices(given)
    assert caught.value.hint


def test_each_origin_keeps_its_name_and_weight(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("trade_id\n")
    origins = open_origins(read_choices(["injected=2", str(file)]), lambda _: (0, 0), 1, None)
    assert [(one.name, one.weight) for one in origins] == [("injected", 2.0), ("file", 1.0)]
