"""What each panel has to show, counted anew from the documents."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from services.contracts.anomaly import Severity
from services.contracts.trade import SIDE_WORDS
from tests.grafana.generated import Document, Tape, time_of
from tests.grafana.macros import View, seconds

Row = dict[str, Any]
SHOWN = 25
LARGE = 100_000
SEVERITIES = [str(one) for one in Severity]
CLOSED = ("closed", "withdrawn")


@dataclass(frozen=True)
class Chosen:
    """What a dashboard's variables leave of a tape."""

    tape: Tape
    view: View

    def trades(self) -> list[Document]:
        """Return the trades of the chosen symbols."""
        return [one for one in self.all_trades() if one["symbol"] in self.view.variables["symbol"]]

    def all_trades(self) -> list[Document]:
        """Return the trades in the time range."""
        return [one for one in self.tape.trades if self.is_in_range(one)]

    def anomalies(self) -> list[Document]:
        """Return the newest revisions of the chosen anomalies."""
        return self._chosen(self.tape.anomalies, "anomalies")

    def alerts(self) -> list[Document]:
        """Return the newest revisions of the chosen alerts."""
        newest = {one["alert_id"]: one for one in self.tape.alerts}
        return self._chosen(newest.values(), "labels")

    def start(self, one: Document) -> float:
        """Return the start of its interval, in seconds since 1970."""
        interval = self.view.variables["interval"]
        assert isinstance(interval, str)
        return time_of(one).timestamp() // seconds(interval) * seconds(interval)

    def _chosen(self, documents: Iterable[Document], labels: str) -> list[Document]:
        symbols, wanted, severities = (self.view.variables[name] for name in ("symbol", "label", "severity"))
        return [
            one
            for one in documents
            if self.is_in_range(one)
            and (isinstance(symbols, str) or one["symbol"] in symbols)
            and (isinstance(wanted, str) or {*one[labels]} & {*wanted})
            and (isinstance(severities, str) or one["severity"] in severities)
        ]

    def is_in_range(self, one: Document) -> bool:
        return self.view.start <= time_of(one) <= self.view.end


def totals(chosen: Chosen) -> list[Row]:
    trades = chosen.trades()
    return [{"Trades": len(trades), "Volume": sum(one["size"] for one in trades if _counts(one))}]


def prices(chosen: Chosen) -> list[Row]:
    cells: dict[tuple[float, str], list[Document]] = defaultdict(list)
    for one in chosen.trades():
        if one.get("price_eligible", True):
            cells[chosen.start(one), one["symbol"]].append(one)
    worth: Counter[str] = Counter()
    volume: Counter[str] = Counter()
    found = []
    for (start, symbol), trades in sorted(cells.items()):
        for one in filter(_counts, trades):
            worth[symbol] += one["price"] * one["size"]
            volume[symbol] += one["size"]
        last = max(trades, key=lambda one: (one["@timestamp"], one["sequence"], one["trade_id"]))
        vwap = worth[symbol] / volume[symbol] if volume[symbol] else None
        found.append({"time": start, "series": symbol, "price": last["price"], "VWAP": vwap})
    return found


def marks(chosen: Chosen) -> list[Row]:
    return [
        {"time": time_of(one).timestamp(), "series": one["severity"], "anomaly": one["price"]}
        for one in chosen.tape.anomalies
        if chosen.is_in_range(one)
        and one["symbol"] in chosen.view.variables["symbol"]
        and one["severity"] in ("medium", "high", "critical")
    ]


def volume(chosen: Chosen) -> list[Row]:
    cells: Counter[tuple[float, str]] = Counter()
    for one in chosen.trades():
        if _counts(one) and one["size"] < LARGE:
            cells[chosen.start(one), SIDE_WORDS[one["side"]]] += one["size"]
    return [{"time": start, "side": side, "volume": shares} for (start, side), shares in cells.items()]


def pace(chosen: Chosen) -> list[Row]:
    counts = Counter(chosen.start(one) for one in chosen.trades())
    minutes = seconds(str(chosen.view.variables["interval"])) / 60
    return [{"time": start, "Trades a minute": count / minutes} for start, count in counts.items()]


def largest(chosen: Chosen) -> list[Row]:
    worst = sorted(chosen.trades(), key=lambda one: (-one["size"], time_of(one), one["trade_id"]))[:20]
    return [
        {
            "time": time_of(one).timestamp(),
            **{name: one[name] for name in ("symbol", "size", "price", "trade_id")},
            "side": SIDE_WORDS[one["side"]],
            "conditions": ", ".join(one["conditions"]) if "conditions" in one else None,
        }
        for one in worst
    ]


def symbols(chosen: Chosen) -> list[Row]:
    by_symbol = _by_symbol(chosen.all_trades())
    return [
        {
            "symbol": symbol,
            "trades": len(trades),
            "volume": sum(one["size"] for one in trades if _counts(one)),
            "low": min(one["price"] for one in trades),
            "high": max(one["price"] for one in trades),
            "largest": max(one["size"] for one in trades),
        }
        for symbol, trades in sorted(by_symbol.items(), key=lambda item: (-len(item[1]), item[0]))[:SHOWN]
    ]


def anomaly_totals(chosen: Chosen) -> list[Row]:
    severities = Counter(one["severity"] for one in chosen.anomalies())
    return [{"Anomalies": severities.total() - severities["info"], "Critical": severities["critical"]}]


def score_map(chosen: Chosen) -> list[Row]:
    anomalies = [one for one in chosen.anomalies() if one["severity"] != "info"]
    cells: dict[tuple[float, str], float] = defaultdict(float)
    for one in anomalies:
        cell = chosen.start(one), one["symbol"]
        cells[cell] = max(cells[cell], one["score"])
    return [{"time": start, "symbol": symbol, "score": score} for (start, symbol), score in cells.items()]


def over_time_by_severity(documents: Callable[[Chosen], list[Document]]) -> Callable[[Chosen], list[Row]]:
    def count(chosen: Chosen) -> list[Row]:
        cells: dict[float, Counter[str]] = defaultdict(Counter)
        for one in documents(chosen):
            cells[chosen.start(one)][one["severity"]] += 1
        return [
            {"time": start} | {name: found[name] for name in SEVERITIES} for start, found in cells.items()
        ]

    return count


def by_label(chosen: Chosen) -> list[Row]:
    cells = Counter((chosen.start(one), label) for one in chosen.anomalies() for label in one["anomalies"])
    return [{"time": start, "label": label, "anomalies": count} for (start, label), count in cells.items()]


def by_symbol(documents: Callable[[Chosen], list[Document]]) -> Callable[[Chosen], list[Row]]:
    def count(chosen: Chosen) -> list[Row]:
        rows: list[Row] = []
        for symbol, found in _by_symbol(documents(chosen)).items():
            severities = Counter(one["severity"] for one in found)
            rows.append({"symbol": symbol} | {name: severities[name] for name in SEVERITIES})
        return sorted(rows, key=lambda row: (-sum(row[name] for name in SEVERITIES), row["symbol"]))[:SHOWN]

    return count


def top(chosen: Chosen) -> list[Row]:
    worst = sorted(chosen.anomalies(), key=lambda one: (-one["score"], time_of(one), one["trade_id"]))[:100]
    kept = ("severity", "score", "symbol", "message", "price", "size", "trade_id")
    return [
        {"time": time_of(one).timestamp(), "labels": ", ".join(one["anomalies"])}
        | {name: one[name] for name in kept}
        for one in worst
    ]


def alert_totals(chosen: Chosen) -> list[Row]:
    alerts = chosen.alerts()
    return [
        {
            "Alerts": len(alerts),
            "Open": sum(one["state"] not in CLOSED for one in alerts),
            "Critical": sum(one["severity"] == "critical" for one in alerts),
        }
    ]


def newest_alerts(chosen: Chosen) -> list[Row]:
    newest = sorted(chosen.alerts(), key=lambda one: (-time_of(one).timestamp(), one["alert_id"]))[:100]
    kept = ("severity", "state", "symbol", "message", "count", "rule", "alert_id")
    return [
        {"time": time_of(one).timestamp(), "labels": ", ".join(one["labels"])}
        | {name: one[name] for name in kept}
        for one in newest
    ]


def rules(chosen: Chosen) -> list[Row]:
    found: dict[str, list[Document]] = defaultdict(list)
    for one in chosen.alerts():
        found[one["rule"]].append(one)
    return [
        {
            "rule": rule,
            "alerts": len(alerts),
            "open": sum(one["state"] not in CLOSED for one in alerts),
            "critical": sum(one["severity"] == "critical" for one in alerts),
            "anomalies": sum(one["count"] for one in alerts),
            "symbols": len({one["symbol"] for one in alerts}),
        }
        for rule, alerts in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _counts(trade: Document) -> bool:
    found: bool = trade.get("volume_eligible", True)
    return found


def _by_symbol(documents: Iterable[Document]) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = defaultdict(list)
    for one in documents:
        found[one["symbol"]].append(one)
    return found


RECOUNTS: dict[str, Callable[[Chosen], list[Row]]] = {
    "market: Total": totals,
    "market: Price and VWAP, with anomalies from medium on": prices,
    "market: Price and VWAP, with anomalies from medium on (B)": marks,
    "market: Volume by side of the aggressor, prints below 100,000": volume,
    "market: Trades a minute": pace,
    "market: The 25 symbols with the most trades": symbols,
    "market: Largest trades of the chosen symbols": largest,
    "anomalies: Without info": anomaly_totals,
    "anomalies: Highest score by symbol and time, without info": score_map,
    "anomalies: The 100 highest scores and their reasons": top,
    "anomalies: Anomalies by severity": over_time_by_severity(Chosen.anomalies),
    "anomalies: Anomalies by label": by_label,
    "anomalies: Anomalies by symbol, the 25 with the most": by_symbol(Chosen.anomalies),
    "alerts: Alerts": alert_totals,
    "alerts: Alerts by severity, at their first anomaly": over_time_by_severity(Chosen.alerts),
    "alerts: The newest 100 alerts": newest_alerts,
    "alerts: Alerts by symbol, the 25 with the most": by_symbol(Chosen.alerts),
    "alerts: Rules": rules,
}
"""By the names of the queries."""
