"""Proposes a mapping for a file of an unknown layout, from its columns' names and some of their values."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from services.sources.mapped.convert import BUY, EPOCH, NO_SIDE, SELL

NAMES = {
    "time": (
        "tsevent ts timestamp datetime tradetime tradetimestamp transacttime transactiontime"
        " executiontime exectime eventtime time utctime utc epoch unixtime createdat"
        " participanttimestamp siptimestamp localtime date t"
    ),
    "symbol": (
        "symbol ticker sym instrument instrumentid pair productid product security securityid ric contract"
        " tckrsymb market stock code isin name s"
    ),
    "price": (
        "price px tradeprice lastprice lastpx executionprice execprice dealprice rate last close clspric p"
    ),
    "size": (
        "size qty quantity tradesize tradeqty tradequantity lastsize lastqty lastshares shares"
        " volume vol amount lots contracts ttltradgvol q v"
    ),
    "side": (
        "side aggressor aggressorside takerside tradeside direction buysell bs isbuyermaker"
        " buyerismaker maker"
    ),
    "sequence": "sequence seq seqnum seqno sequencenumber sequenceno",
    "id": "tradeid id tid matchid execid executionid dealid tradeno tradenumber aggtradeid",
    "venue": "venue exchange exch mic exchangecode",
}
"""Names of columns without spaces and marks, in small letters, the likeliest first."""

SYMBOL = r"^[A-Za-z][A-Za-z0-9.:/ _-]{0,31}$"
NUMBER = r"^[+-]?\d*[.,]?\d+([eE][+-]?\d+)?$"
WRITTEN_TIME = r"^(\d{4}[-/]\d\d[-/]\d\d|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ,]|$)"


@dataclass
class Proposal:
    """A mapping for a person to check.

    Parameters
    ----------
    fields
        Keys and columns, as `--map` takes them.
    missing
        Required keys for which no column was found.
    notes
        What the person should look at.
    """

    fields: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def spec(self) -> str:
        """The mapping on one line; a missing symbol is to be filled in."""
        fields = dict.fromkeys(("time", "symbol", "price", "size", "side"), "-") | self.fields
        if "symbol" in self.missing:
            fields["symbol"] = '"NAME"'
        return ",".join(f"{key}={value}" for key, value in fields.items())


def propose(sample: pl.DataFrame, has_header: bool) -> Proposal:
    """Propose a mapping.

    Parameters
    ----------
    sample
        Some rows of the file, columns by their names, or by `#1`, `#2`, … without a header.
    has_header
        Whether the names are those of a header, and so mean something.
    """
    proposal = Proposal()
    text = sample.select(pl.all().cast(pl.String).fill_null("").str.strip_chars())
    free = list(sample.columns)
    if has_header:
        _by_name(proposal, free)
    _by_value(proposal, free, text)
    _explain_time(proposal, free, text)
    if "price" in proposal.fields:
        cells = text[proposal.fields["price"]]
        if cells.str.contains(r"^[+-]?\d+,\d+$").any() and not cells.str.contains(".", literal=True).any():
            proposal.fields["decimal"] = "comma"
    _explain_side(proposal, text)
    bar = {name.lower(): name for name in sample.columns if name.lower() in ("open", "high", "low")}
    if has_header and len(bar) == len(("open", "high", "low")):
        proposal.fields |= {key: bar[key] for key in ("open", "high", "low")} | {"kind": "bar"}
        proposal.notes.append("time: a bar is one print at its end; check that this is not its start.")
    proposal.missing = [key for key in ("time", "symbol", "price", "size") if key not in proposal.fields]
    return proposal


def _by_name(proposal: Proposal, free: list[str]) -> None:
    for key, names in NAMES.items():
        plain = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(free)}
        found = next((plain[name] for name in names.split() if name in plain), None)
        if found is not None and not re.search(r"[,=+\"']", found):  # such names can be given in YAML only
            proposal.fields[key] = found
            free.remove(found)


def _by_value(proposal: Proposal, free: list[str], text: pl.DataFrame) -> None:
    """Find what is still missing by what columns hold."""
    sides = {*BUY, *SELL, *NO_SIDE} - {"", "-", "0"}

    def holds(name: str, pattern: str) -> bool:
        return bool(len(text)) and bool(text[name].str.contains(pattern).all())

    def is_side(name: str) -> bool:
        return bool(len(text)) and set(text[name].str.to_lowercase()) <= sides

    tests: dict[str, Callable[[str], bool]] = {
        "time": lambda name: holds(name, EPOCH) or holds(name, WRITTEN_TIME),
        "side": is_side,
        "symbol": lambda name: (
            holds(name, SYMBOL) and not is_side(name) and not holds(name, r"^(?i:true|false|nan|null)$")
        ),
        "price": lambda name: holds(name, NUMBER) and bool(text[name].str.contains(r"[.,]").any()),
        "size": lambda name: holds(name, NUMBER),
    }
    for key, test in tests.items():
        if key not in proposal.fields:
            found = next((name for name in free if test(name)), None)
            if found is not None:
                proposal.fields[key] = found
                free.remove(found)
                proposal.notes.append(f"{key}: {found!r} was chosen by its values; check it.")


def _explain_time(proposal: Proposal, free: list[str], text: pl.DataFrame) -> None:
    """Join a date and a time of day that stand in two columns."""
    name = proposal.fields.get("time")
    if name is None or not len(text):
        return
    if text[name].str.contains(r"^\d{1,2}:?\d\d(:?\d\d)?").all() and not text[name].str.contains(EPOCH).any():
        day = next((other for other in free if re.search("date|day", other.lower())), None)
        if day is not None and not text[name].str.contains(WRITTEN_TIME).any():
            proposal.fields["time"] = f"{day}+{name}"
    elif text[name].str.contains(r"^(\d{8}|\d{4}-\d\d-\d\d)$").all():
        clock = next((other for other in free if text[other].str.contains(r"^\d\d:?\d\d:?\d\d").all()), None)
        if clock is not None:
            proposal.fields["time"] = f"{name}+{clock}"
        else:
            proposal.notes.append(
                f'time: {name!r} has days only; add a time of day, such as {name}+"16:00:00".'
            )
    written = text[name].str.contains(r"\d[:T]\d").any()
    if written and not text[name].str.contains(r"(Z|[+-]\d\d:?\d\d)$").all():
        proposal.notes.append(
            "time: no offset is written, so it is read as UTC; zone=America/New_York says otherwise."
        )


def _explain_side(proposal: Proposal, text: pl.DataFrame) -> None:
    name = proposal.fields.get("side")
    if name is None:
        return
    words = sorted(set(text[name].str.to_lowercase()) - set(NO_SIDE))
    if set(words) <= {*BUY, *SELL}:
        return
    if set(words) <= {"true", "false"} and re.search("maker|bm", name.lower()):
        proposal.fields |= {"buy": "false", "sell": "true"}
    elif set(words) <= {"1", "-1"}:
        proposal.fields |= {"buy": "1", "sell": "-1"}
    else:
        proposal.fields["side"] = "-"
        shown = ", ".join(map(repr, words[:5]))
        proposal.notes.append(f"side: {name!r} has {shown}; say what they mean: side={name},buy=…,sell=….")
