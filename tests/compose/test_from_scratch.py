from pathlib import Path

from infra.docker.publish_days import trade_files
from services.sources.files import open_source
from tests.compose.engine import Done
from tests.compose.from_scratch import judge_published, write_layouts


def test_the_layouts_are_taken_and_their_trades_all_differ(tmp_path: Path) -> None:
    folder = tmp_path / "layouts"
    wanted = write_layouts(folder)
    files = trade_files(folder, str(folder))
    assert [path.name for path in files] == ["a.csv", "b.csv.zst", "c.csv.gz", "d.dbn"]
    chunks = [chunk for path in files for chunk in open_source(path).chunks()]
    assert sum(len(chunk.rejected) for chunk in chunks) == 0
    ids = [one for chunk in chunks for one in chunk.trades["trade_id"]]
    assert judge_published(Done(0, "", ""), ids, wanted) == []
    for wrong in (ids[1:], [*ids, ids[0]], [*ids[1:], ids[1]]):
        (violation,) = judge_published(Done(0, "", ""), wrong, wanted)
        assert "different, instead of" in violation.examples[0]
    (violation,) = judge_published(Done(1, "", "no"), ids, wanted)
    assert violation.examples == ("exit code 1: no",)
