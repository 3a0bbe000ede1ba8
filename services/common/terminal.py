"""What means the same wherever a terminal shows it."""

from services.contracts.anomaly import Severity

SEVERITY_STYLES = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
"""rich styles, from the most urgent to the least."""
