"""docs/sources.md says how files are read: its examples are read here, and its tables compared."""

import re
import shlex
from pathlib import Path

import orjson
import pytest

from services.sources.conditions import CONDITIONS
from services.sources.files import open_source
from services.sources.mapped.mapping import COLUMN_KEYS, OTHER_KEYS, mapping_of, read_mapping
from services.sources.options import FileOptions
from services.sources.registry import FILE_KINDS
from tests.docs.pages import ROOT, headings, rows, section

PAGE = (ROOT / "docs" / "sources.md").read_text()
SECTIONS = {part.splitlines()[0].strip("# "): part for part in re.split(r"^(?=##+ )", PAGE, flags=re.M)}
EXAMPLES = {title: part for title, part in SECTIONS.items() if "```csv" in part}
BINARY = {"Databento's DBN", "Parquet"}
USES = {"full": (), "no_anchor": ("anchor",), "no_price": ("price counts", "anchor")}


def test_every_kind_of_file_has_its_section_with_an_example_and_its_ids() -> None:
    names = {kind.name for kind in FILE_KINDS}
    assert names <= set(headings(PAGE))
    assert names - BINARY <= EXAMPLES.keys()
    for name in names - {"Databento's DBN"}:
        assert re.search(r"^Ids: ", SECTIONS[name], re.M), name


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_is_read_as_the_kind_of_its_section_with_the_ids_that_the_page_says(
    title: str, tmp_path: Path
) -> None:
    part = EXAMPLES[title]
    [name] = re.findall(r"Example, `([^`]+)`:", part)
    [text] = re.findall(r"```csv\n(.*?)```", part, re.S)
    [told] = re.findall(r"^Ids: ((?:`[^`]+`(?:, )?)+)", part, re.M)
    [command] = re.findall(r"^tapewatch produce .*--map.*$", part, re.M) or [None]
    path = tmp_path / name
    path.write_text(text)
    mapping = None if command is None else read_mapping(shlex.split(command)[-1])
    source = open_source(path, FileOptions(mapping))
    if mapping is None:
        [kind] = [kind for kind in FILE_KINDS if kind.name == title]
        assert kind.reader.endswith(f":{type(source).__name__}")
    [chunk] = source.chunks()
    assert not chunk.rejected
    ids = [orjson.loads(value)["trade_id"] for value in source.to_json(chunk.trades)]
    assert ids == re.findall(r"`([^`]+)`", told)


def test_every_key_of_a_mapping_is_in_the_table() -> None:
    table = [row["key"] for row in rows(section(PAGE, "Any other layout")) if "key" in row]
    assert sorted(re.findall(r"`(\w+)`", " ".join(table))) == sorted((*COLUMN_KEYS, *OTHER_KEYS))


def test_the_pages_yaml_is_a_mapping(tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    path = tmp_path / "map.yaml"
    path.write_text(text)
    mapping = read_mapping(str(path))
    assert mapping.price.text == "Last, traded"
    assert mapping == mapping_of(
        {"time": "Time (UTC)", "symbol": "ticker", "price": "Last, traded", "size": "qty", "buy": "Kauf|K"},
        "",
    )


def test_sale_conditions_are_those_of_the_code() -> None:
    table = rows(section(PAGE, "Sale conditions"))
    for row, condition in zip(table, CONDITIONS, strict=True):
        number = "" if condition.number is None else str(condition.number)
        assert row["number"] == number
        assert (row["tapes A, B"], row["tape C"]) == (condition.letter_ab or "", condition.letter_c or "")
        assert row["condition"] == (f"`{condition.name}`" if condition.name else "ordinary")
        unused = {key for key in ("price counts", "anchor", "volume counts") if row[key] == "no"}
        assert unused == set(USES.get(condition.use, ("price counts", "anchor", "volume counts")))
