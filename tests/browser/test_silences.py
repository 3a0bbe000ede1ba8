"""Silences on the alerts page in a real browser, with a Kafka that is reached and one that is not."""

import datetime as dt
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard.server.silences import find_silences
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from services.contracts.alert import Matcher, Silence, decode_silence
from services.contracts.topics import SILENCES_TOPIC
from tests.browser.alerts import FIRST, indexed_alerts
from tests.browser.conftest import OpenPage, serve
from tests.browser.one_anomaly import indexed
from tests.integration.pipeline import read_topic, set_up


@pytest.fixture(scope="module")
def alerts(stack: EmbeddedStack) -> Iterator[None]:
    set_up(stack)
    with new_client(stack.elasticsearch_url) as client, indexed(client), indexed_alerts(client):
        yield


@contextmanager
def beside(kafka: str, stack: EmbeddedStack, folder: Path) -> Iterator[str]:
    """Run a dashboard for this Kafka until the end of the block."""
    with ExitStack() as closing:
        with pytest.MonkeyPatch.context() as patch:  # for its start alone
            patch.setitem(os.environ, "TAPEWATCH_KAFKA", kafka)
            url, _ = closing.enter_context(serve(stack.elasticsearch_url, folder))
        yield url


def silences(stack: EmbeddedStack) -> list[Silence]:
    return [decode_silence(record.value() or b"") for record in read_topic(stack, SILENCES_TOPIC)]


def silence_first(page: Page, reason: str) -> None:
    """Fill in who and why on the first alert's page, and silence alerts like it."""
    page.get_by_label("Your name").fill("Kim")
    page.get_by_label("Your name").press("Enter")
    page.get_by_role("button", name="Silence").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("LOOK")).to_be_visible()
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name="Silence").click()


@pytest.mark.slow
def test_alerts_like_one_are_silenced_and_sent_again(
    open_page: OpenPage, alerts: None, stack: EmbeddedStack, tmp_path: Path
) -> None:
    with new_client(stack.elasticsearch_url) as client:  # those of other tests with the same stack
        ended_before = len(find_silences(client, dt.datetime.now(dt.UTC)).ended)
    with beside(stack.kafka_bootstrap, stack, tmp_path) as url:
        page = open_page(f"{url}/alerts?id={FIRST.alert_id}")
        silence_first(page, "the index is rebalanced")
        expect(page.get_by_text("Silenced for 2h.")).to_be_visible()
        added = silences(stack)[-1]
        assert added.matcher == Matcher(["LOOK"], ["Off-Market Price"], ["anomalies"])
        assert (added.author, added.reason) == ("Kim", "the index is rebalanced")
        page.get_by_role("button", name="All alerts").click()
        expect(page.get_by_text("symbols LOOK; labels Off-Market Price; rules anomalies")).to_be_visible()
        expect(page.get_by_text(re.compile("1h59m left · by Kim · nothing held back yet"))).to_be_visible()
        page.get_by_label("Your name").fill("Lee")
        page.get_by_label("Your name").press("Enter")
        page.get_by_role("button", name="End").click()
        expect(page.get_by_text("No silence is in force")).to_be_visible()
        expect(page.get_by_text(f"Ended in the last 7 days ({ended_before + 1})")).to_be_visible()
        ended = silences(stack)[-1]
        assert (ended.silence_id, ended.expired_by) == (added.silence_id, "Lee")
        expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_without_kafka_the_form_gives_the_command_and_stays(
    open_page: OpenPage, alerts: None, stack: EmbeddedStack, tmp_path: Path
) -> None:
    with beside(f"127.0.0.1:{free_port()}", stack, tmp_path) as url:
        page = open_page(f"{url}/alerts?id={FIRST.alert_id}")
        silence_first(page, "it's a rebalance")
        expect(page.get_by_text("Kafka did not take it.")).to_be_visible()
        expect(page.get_by_test_id("stCode").last).to_contain_text(
            "tapewatch silence add --for 2h --reason 'it'\"'\"'s a rebalance' --symbols LOOK "
            "--labels 'Off-Market Price' --rules anomalies --author Kim"
        )
        expect(page.get_by_role("dialog").get_by_label("Why")).to_have_value("it's a rebalance")
