import pytest

from dashboard.ui.page_title import to_title


@pytest.mark.parametrize(
    ("parts", "title"),
    [
        (("NVDA", "15:50", "Burst"), "NVDA 15:50 Burst · Tapewatch"),
        ((), "Tapewatch"),
        ((" a \n b ",), "a b · Tapewatch"),
        (("\u202eADVN\u0000\u200b",), "ADVN · Tapewatch"),
        (("<script>alert(1)</script>",), "<script>alert(1)</script> · Tapewatch"),
        (("x" * 300,), f"{'x' * 80}… · Tapewatch"),
    ],
)
def test_a_title_has_all_parts_as_plain_text(parts: tuple[str, ...], title: str) -> None:
    assert to_title(*parts) == title
