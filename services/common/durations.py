"""Lengths of time, for people."""


def duration_text(seconds: float, decimals: int = 0) -> str:
    """Write a length of time in the largest unit of which there are two: days, hours, minutes, or seconds.

    Parameters
    ----------
    seconds
        The length; below 0 counts as 0.
    decimals
        Of seconds.
    """
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s:,.0f} {unit}"
    return f"{max(seconds, 0.0):.{decimals}f} s"
