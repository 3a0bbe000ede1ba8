"""A sender alone in a process, as tests start and kill it: `python -m … RULES`, a JSON file of channels."""

import json
import sys
from pathlib import Path
from typing import Any

from services.alerter.rules.model import ChannelSpec, Match, Route, Rule, Rules
from services.alerter.sending.service import run_sender
from services.common.config.settings import Settings
from services.common.kafka.connection import kafka_connection
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.logs import configure_logs
from services.common.process.shutdown import Stop
from services.contracts.components import ALERTER


def rules_of(name: str, channels: dict[str, dict[str, Any]]) -> Rules:
    """Return one rule that sends all it is about to webhooks, given by their options."""
    specs = {}
    for channel, options in channels.items():
        budget = options.pop("budget_per_hour", None)
        specs[channel] = ChannelSpec(channel, "webhook", options, budget)
    rule = Rule(name, Match(), "label", 300.0, None, tuple(Route(channel) for channel in specs))
    return Rules((rule,), specs, "0" * 16)


def main(path: str) -> None:
    """Send until a signal."""
    configure_logs("alerter")
    given = json.loads(Path(path).read_text())
    settings = Settings()
    stop, health = Stop(), Health()
    with serve_metrics(ALERTER, settings, health):
        rules = rules_of(given["rule"], given["channels"])
        run_sender(settings, kafka_connection(settings), rules, stop, health)


if __name__ == "__main__":
    main(sys.argv[1])
