"""Colors, words and widths that are the same in all of Kibana's objects, and on Tapewatch's own pages."""

from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.contracts.detectors import by_label
from services.contracts.trade import SIDE_COLORS

BLUE, RED, GRAY = (SEVERITY_COLORS[severity] for severity in (Severity.LOW, Severity.CRITICAL, Severity.INFO))
SEVERITIES = {str(severity): color for severity, color in SEVERITY_COLORS.items()}
LABELS = {label: spec.color for label, spec in by_label().items()}
SIDES = SIDE_COLORS

NOT_INFO = f'not severity: "{Severity.INFO}"'
CRITICAL = f'severity: "{Severity.CRITICAL}"'

SYMBOLS_SHOWN = 10
ROWS_SHOWN = 100

MESSAGE_PX = 640
WIDTHS_PX = {
    "severity": 95,
    "score": 75,
    "symbol": 90,
    "side": 90,
    "price": 110,
    "size": 110,
    "anomalies": 165,
    "labels": 165,
    "message": MESSAGE_PX,
    "reason": MESSAGE_PX,
    "comment": 420,
    "trade_id": 220,
    "alert_id": 300,
    "source": 130,
    "state": 100,
    "rule": 130,
    "count": 85,
    "venue": 130,
    "event": 120,
    "action": 130,
    "outcome": 110,
    "channel": 130,
    "attempt": 90,
    "status": 85,
    "assignee": 130,
    "recorded_by": 150,
    "recorded_at": 190,
    "verdict": 120,
    "conditions": 120,
    "linked_to": 130,
    "from": 190,
    "to": 190,
    "seconds": 95,
}
"""Width of a field's column wherever it is shown."""


def columns(*fields: str) -> dict[str, int]:
    """Return fields with the widths of their columns."""
    return {field: WIDTHS_PX[field] for field in fields}
