from dashboard.ui.markdown import as_markdown


def test_a_symbol_is_not_taken_as_markup() -> None:
    symbol = "<b>EV*IL*</b> :red[x] $y$ [a](b)"
    assert as_markdown(symbol).startswith("\\<b\\>EV\\*IL\\*")
