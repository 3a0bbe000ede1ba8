"""`tapewatch generate`: what belongs to a day in a file and what to a stream."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the file, or give --live"),
        (["--output", "day.csv", "--rate", "5"], "is for --live"),
        (["--output", "day.csv", "--duration", "5"], "is for --live"),
        (["--output", "day.csv", "--kafka", "a:1"], "is for --live"),
        (["--live", "--output", "day.csv"], "is for a day"),
        (["--live", "--trades", "5"], "is for a day"),
        (["--live", "--date", "2026-03-02"], "is for a day"),
        (["--live", "--integers"], "is for a day"),
        (["--live", "--rate", "0"], "greater than or equal to 0.01"),
    ],
)
def test_an_option_of_the_other_kind_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["generate", "--labels", "labels.csv", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []


def test_a_day_is_written_with_its_labels(tmp_path: Path) -> None:
    day, labels = tmp_path / "day.csv", tmp_path / "labels.csv"
    arguments = ["generate", "--output", str(day), "--labels", str(labels), "--trades", "500"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0
    assert len(day.read_text().splitlines()) == 501
    assert labels.read_text().startswith("trade_id,event_id,kind,")
