"""Text in CSV files that people open in a spreadsheet."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_cell(text: str) -> str:
    """Return a text so that a spreadsheet takes it as one: what would be a formula gets a quote before it."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
