import pytest
from streamlit.testing.v1 import AppTest

from dashboard.ui.markdown import as_markdown


def test_a_symbol_is_not_taken_as_markup() -> None:
    symbol = "<b>EV*IL*</b> :red[x] $y$ [a](b)"
    assert as_markdown(symbol).startswith("\\<b\\>EV\\*IL\\*")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("Start `make demo`, or *wait*.", ["Start `make demo`\\, or \\*wait\\*\\."]),
        ("`a` and `b`", ["`a` and `b`"]),
        ("one ` alone", []),
        ("<b>", []),
    ],
)
def test_only_what_stands_between_backticks_is_code(text: str, markdown: list[str]) -> None:
    app = AppTest.from_string(f"from dashboard.ui.markdown import show_text\nshow_text({text!r})").run()
    assert [one.value for one in app.markdown] == markdown
    assert [one.value for one in app.text] == ([] if markdown else [text])
