import io
import sys
from pathlib import Path

import pytest

from services.alerter.channels.base import Accepted, Failed
from tests.unit.services.alerter.channels.samples import alert, digest, opened


def test_an_alert_is_two_readable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    channel = opened("stdout", {})

    assert channel.send(channel.message(alert())) == Accepted()

    assert capsys.readouterr().out.splitlines() == [
        "2024-12-02T14:30:09.200000Z HIGH NVDA: Traded at 1,137.97, eight times the market's price.",
        "    Revision 1: opened with 1 anomaly (rule urgent, Off-Market Price)."
        " https://tapewatch.example/?id=1 https://kibana.example/app#/1",
    ]


def test_a_digest_is_two_readable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    channel = opened("stdout", {})

    channel.send(channel.message(digest()))

    assert capsys.readouterr().out.startswith("2024-12-02T15:00:00Z Held back: 14 messages about 3 alerts")


def test_an_output_that_is_closed_is_a_failed_try(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    channel = opened("stdout", {})

    assert channel.send(channel.message(alert())) == Failed("standard output takes nothing (ValueError)")
