import re

import pytest

from tests.docs.compare import differences, same_default, undocumented, unknown
from tests.docs.pages import anchors, code, commands_in, first_code, links, rows, section

PAGE = """# A page

It has `tapewatch produce` and [a link](other.md#part), ``two `ticks` ``.

## `tapewatch index`

| flag | default |
|---|---:|
| `--limit N` | 1,000 |
| `--kind a\\|b` | `x` |

```sh
# not a heading
FOO=1 tapewatch detect --profile 'my file' & tapewatch index  # and so on
exec tapewatch stack
```

## Part two, of two!

![A picture](images/a.png)
"""


def test_name_that_no_page_has_is_undocumented() -> None:
    names = {"tapewatch produce", "tapewatch index", "tapewatch tune"}
    assert undocumented(names, code(PAGE)) == ["tapewatch tune"]


@pytest.mark.parametrize("text", ["TAPEWATCH_KAFKA_PORT", "MY_TAPEWATCH_KAFKA", "TAPEWATCH_KAFKA-x"])
def test_longer_name_does_not_document_a_shorter_one(text: str) -> None:
    assert undocumented(["TAPEWATCH_KAFKA"], [text]) == ["TAPEWATCH_KAFKA"]


def test_text_outside_of_code_does_not_document() -> None:
    assert undocumented(["trades"], code("All trades are indexed in `anomalies`.")) == ["trades"]


def test_name_that_the_code_lacks_is_unknown() -> None:
    found = unknown(re.compile(r"^tapewatch ([a-z]+)"), code(PAGE), {"detect", "index"})
    assert found == ["produce"]


def test_differences_tell_both_sides() -> None:
    assert differences({"a", "b"}, {"b", "c"}) == ["not documented: c", "not in the code: a"]
    assert differences({"a"}, {"a"}) == []


@pytest.mark.parametrize(
    ("cell", "default", "same"),
    [
        ("1,000", 1000, True),
        ("1,001", 1000, False),
        ("0.6", 0.6, True),
        ("many", 5, False),
        ("`x`", "x", True),
        ("`y`", "x", False),
        ("variable", None, True),
    ],
)
def test_default_is_compared_by_value(cell: str, default: object, same: bool) -> None:
    assert same_default(cell, default) is same


def test_table_is_read_by_its_head() -> None:
    table = rows(section(PAGE, "`tapewatch index"))
    assert [first_code(row["flag"]) for row in table] == ["--limit N", "--kind a|b"]
    assert [row["default"] for row in table] == ["1,000", "`x`"]


def test_section_needs_exactly_one_heading() -> None:
    with pytest.raises(ValueError, match="0 headings"):
        section(PAGE, "Nothing")
    with pytest.raises(ValueError, match="2 headings"):
        section("# A b\n# A c\n", "A")


def test_commands_are_found_between_operators_variables_and_comments() -> None:
    block = "A=1 tapewatch detect --profile 'my file' & tapewatch index  # tapewatch no\nmake demo\n"
    assert commands_in(block, "tapewatch") == [["detect", "--profile", "my file"], ["index"]]
    assert commands_in(block, "make") == [["demo"]]


def test_quotation_over_several_lines_is_one_word() -> None:
    assert commands_in("curl -d '{\n a & b }' x\nmake demo\n", "curl") == [["-d", "{\n a & b }", "x"]]


def test_links_and_anchors_are_found() -> None:
    assert links(PAGE) == ["other.md#part", "images/a.png"]
    assert anchors(PAGE) == {"a-page", "tapewatch-index", "part-two-of-two"}
