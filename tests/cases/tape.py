"""A small tape with one print off the market, and the ways in which people have it as CSV."""

import datetime as dt
from collections.abc import Callable, Iterable

from tests.samples import HEADER

NAMES = HEADER.split(",")
COUNT = 60
OFF_MARKET = 108.09
TIMES = ("ts_recv", "ts_event")

Row = dict[str, str]
Change = Callable[[str], str]


def tape() -> list[Row]:
    """Return trades of one symbol as Databento writes them; the 48th is 8 % off the market."""
    rows = []
    for at in range(COUNT):
        micros, nanos = at * 391_207 % 1_000_000, 254 + at
        clock = f"2026-01-15T16:00:{at * 391_207 // 1_000_000:02}.{micros:06}{nanos}"
        price = OFF_MARKET if at == 47 else 100 + (at * 7 % 5 - 2) / 100
        rows.append(
            {
                "ts_recv": f"{clock}Z",
                "ts_event": f"{clock}Z",
                "rtype": "0",
                "publisher_id": "2",
                "instrument_id": "77",
                "action": "T",
                "side": "AB"[at % 2],
                "depth": "0",
                "price": f"{price:.9f}",
                "size": str((1, 100, 40, 100, 5)[at % 5]),
                "flags": "130",
                "ts_in_delta": "165000",
                "sequence": str(1000 + 7 * at),
                "symbol": "ACME",
            }
        )
    return rows


def text(
    rows: Iterable[Row] | None = None,
    *,
    separator: str = ",",
    line_end: str = "\n",
    names: list[str] | None = None,
    quote: str = "",
    **changes: Change,
) -> str:
    """Return the tape as text; each change is of one column, `times` of both times."""
    if "times" in changes:
        changes |= dict.fromkeys(TIMES, changes["times"])
    lines = [separator.join(f"{quote}{name}{quote}" for name in names or NAMES)]
    for row in rows or tape():
        cells = (changes.get(name, str)(cell) for name, cell in row.items())
        lines.append(separator.join(f"{quote}{cell}{quote}" for cell in cells))
    return line_end.join([*lines, ""])


def short(number: str) -> str:
    """Strip zeros as spreadsheets do: 99.99, 100."""
    return number.rstrip("0").rstrip(".")


def like_float(number: str) -> str:
    return repr(float(number))


def comma(number: str) -> str:
    return short(number).replace(".", ",")


def spaced(time: str) -> str:
    return time.replace("T", " ").replace("Z", "+00:00")


def nanos(time: str) -> int:
    seconds = dt.datetime.fromisoformat(f"{time[:19]}+00:00").timestamp()
    return int(seconds) * 10**9 + int(time[20:29])


def new_york(time: str) -> str:
    return time.replace("T16", "T11").replace("Z", "-05:00")


def american(time: str) -> str:
    return f"1/15/2026 4{time[13:29]} PM"


def german(time: str) -> str:
    return f"15.01.2026 {time[11:29].replace('.', ',')}"


def with_column(value: Callable[[int], str]) -> list[Row]:
    return [{"new": value(at), **row} for at, row in enumerate(tape())]


def lines_with(extra: dict[int, str]) -> str:
    lines = text().splitlines()
    for at, line in sorted(extra.items(), reverse=True):
        lines.insert(at, line)
    return "\n".join([*lines, ""])


CASES: dict[str, str | bytes] = {
    "plain": text(),
    # What pandas and polars write.
    "pandas": text(times=spaced, price=like_float),
    "pandas with its index": text(
        with_column(str), names=["", *NAMES], times=spaced, price=like_float, size=like_float
    ),
    "pandas with an index that was written twice": text(with_column(str), names=["Unnamed: 0", *NAMES]),
    "pandas with whole numbers as floats": text(
        instrument_id=like_float, flags=like_float, sequence=like_float, publisher_id=like_float
    ),
    "polars": text(times=lambda time: time.replace("Z", "+0000"), price=like_float),
    "polars with a row index": text(with_column(str), names=["index", *NAMES], times=lambda time: time[:-1]),
    # Times.
    "offset of New York": text(times=new_york),
    "offset without a colon": text(times=lambda time: time.replace("Z", "+0000")),
    "space and Z": text(times=lambda time: time.replace("T", " ")),
    "space and no offset": text(times=lambda time: time[:-1].replace("T", " ")),
    "space and UTC": text(times=lambda time: time[:-1].replace("T", " ") + " UTC"),
    "slashes": text(times=lambda time: time[:-1].replace("T", " ").replace("-", "/")),
    "american spreadsheet": text(times=american, price=short),
    "british spreadsheet": text(times=lambda time: f"15/01/2026 {time[11:29]}", price=short),
    "counted in ns": text(times=lambda time: str(nanos(time))),
    "counted in us with decimals": text(times=lambda time: f"{nanos(time) // 1000}.{nanos(time) % 1000:03}"),
    "counted in s with decimals": text(times=lambda time: f"{nanos(time) // 10**9}.{time[20:29]}"),
    "one time ISO and one counted": text(ts_recv=lambda time: str(nanos(time))),
    # Numbers.
    "whole numbers of 1e-9": text(
        times=lambda time: str(nanos(time)), price=lambda price: price.replace(".", "")
    ),
    "stripped zeros": text(price=short),
    "two decimals": text(price=lambda price: price[:-7]),
    "prices with exponents": text(price=lambda price: f"{float(price):.4E}"),
    "sizes as floats": text(size=like_float),
    "sizes with exponents": text(size=lambda size: f"{int(size):.2E}"),
    "signs": text(price=lambda price: f"+{price}", size=lambda size: f"+{size}"),
    # Separators and quotes.
    "all quoted": text(quote='"'),
    "text quoted": text(symbol='"{}"'.format, side='"{}"'.format, action='"{}"'.format),
    "quoted decimal commas between commas": text(price=lambda price: f'"{comma(price)}"'),
    "semicolons": text(separator=";"),
    "semicolons and decimal commas": text(separator=";", price=comma),
    "german spreadsheet": text(separator=";", price=comma, times=german),
    "all quoted with semicolons and decimal commas": text(separator=";", quote='"', price=comma),
    "tabs": text(separator="\t"),
    "tabs and decimal commas": text(separator="\t", price=comma),
    "pipes": text(separator="|"),
    "spaces behind separators": text(separator=", "),
    "quotes and spaces": text(separator=", ", quote='"'),
    # Encodings and line ends.
    "UTF-8 with a mark": text().encode("utf-8-sig"),
    "UTF-16": text().encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + text().encode("utf-16-be"),
    "UTF-16 without a mark": text().encode("utf-16-le"),
    "a spreadsheet's Unicode text": text(separator="\t", line_end="\r\n", price=short).encode("utf-16"),
    "carriage returns": text(line_end="\r"),
    "carriage returns and quotes": text(line_end="\r", quote='"'),
    "UTF-16 with carriage returns": text(line_end="\r").encode("utf-16"),
    "Windows line ends": text(line_end="\r\n"),
    "no final line end": text().removesuffix("\n"),
    "no final line end but quotes": text(quote='"').removesuffix("\n"),
    "no final carriage return": text(line_end="\r").removesuffix("\r"),
    # Headers and lines that are no rows.
    "capitals": text(names=[name.upper() for name in NAMES]),
    "words": text(names=[name.replace("_", " ").title() for name in NAMES]),
    "spaces in the header": text(names=[f" {name} " for name in NAMES]),
    "quoted header": text(names=[f'"{name}"' for name in NAMES]),
    "header again": lines_with({20: HEADER, 40: HEADER}),
    "two files after each other with marks": lines_with({30: f"\ufeff{HEADER}"}).encode("utf-8-sig"),
    "comment first": lines_with({0: "# downloaded, 2026"}),
    "comments between": lines_with({0: "#", 1: "", 30: "# noon", 62: "# end"}),
    "separator named first": "sep=;\n" + text(separator=";"),
    "empty rows last": text() + "," * 13 + "\n" + "," * 13 + "\n",
    "blank lines": text(line_end="\n\n"),
    "separator at the end of each line": text(separator=",").replace("\n", ",\n"),
}
"""Files that say the same as the plain one."""
