from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from services.common.terminal import Striking, striking_table, visible
from services.contracts.anomaly import Severity


def test_an_anomaly_has_a_row_with_its_trade_how_grave_it_is_and_why() -> None:
    one = Striking("Burst", "NV[DA]", "14:30 UTC", 1234.5, 20_000, 0.75, Severity.HIGH, "many [at once]")
    console = Console(width=120)
    with console.capture() as capture:
        console.print(striking_table("The most striking", [one]))
    text = capture.get()
    assert "The most striking" in text
    assert "NV[DA] 20,000 at 1,234.5" in text
    for part in ("14:30 UTC", "high", "0.750", "many [at once]"):
        assert part in text


@given(st.text())
def test_visible_text_is_printable_and_loses_nothing(text: str) -> None:
    assert not set(visible(text)) & set(map(chr, [*range(32), *range(127, 160)]))
    assert "".join(c for c in visible(text) if c.isalnum() and ord(c) > 0xFF) == "".join(
        c for c in text if c.isalnum() and ord(c) > 0xFF
    )
