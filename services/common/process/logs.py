"""One structured form of log for every service: for people on a terminal, JSON lines elsewhere."""

import sys

import structlog


def configure_logs(service: str) -> None:
    """Send this process's log to stderr, each line naming the service."""
    for_people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            lambda _logger, _level, entry: {"service": service, **entry},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_people else "iso", utc=not for_people),
            structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
