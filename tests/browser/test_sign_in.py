"""Streamlit's sign-in by OpenID Connect, with a provider in a process of its own."""

import re
import secrets
import tomllib
from collections.abc import Iterator
from typing import get_args

import pytest
from playwright.sync_api import Page, expect

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.contracts.alert import Alert
from services.review.case import Action
from services.review.cases import cases_of
from services.review.verdicts import verdicts_of
from tests.browser.alerts import indexed_alerts
from tests.browser.conftest import OpenPage, serve
from tests.browser.one_anomaly import ITSELF, indexed
from tests.docs.pages import ROOT, blocks
from tests.standins.identity.client import Client, IdentityFault
from tests.standins.identity.process import ProviderProcess

NAME = "kim@example.com"
KIM = {"sub": "0815", "email": NAME, "email_verified": True, "name": "Kim"}
ASKS = "Sign in to record anything."


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def alerts(client: Elasticsearch) -> Iterator[list[Alert]]:
    with indexed(client), indexed_alerts(client) as made:
        yield made


@pytest.fixture(scope="module")
def provider_and_url(
    stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ProviderProcess, str]]:
    """A provider, and the dashboard that it signs in to."""
    folder, port = tmp_path_factory.mktemp("dashboard"), free_port()
    client = Client("tapewatch", secrets.token_urlsafe(), f"http://127.0.0.1:{port}/oauth2callback")
    with ProviderProcess(client) as provider:
        settings = {
            "redirect_uri": client.redirect_uri,
            "cookie_secret": secrets.token_urlsafe(),
            "client_id": client.id,
            "client_secret": client.secret,
            "server_metadata_url": f"{provider.url}/.well-known/openid-configuration",
        }
        [documented] = blocks((ROOT / "docs/dashboard.md").read_text(), "toml")
        assert settings.keys() == tomllib.loads(documented)["auth"].keys()
        (folder / ".streamlit").mkdir()
        written = folder / ".streamlit/secrets.toml"
        written.touch(0o600)
        written.write_text("[auth]\n" + "".join(f'{name} = "{value}"\n' for name, value in settings.items()))
        with serve(stack.elasticsearch_url, folder, port) as (url, _):
            yield provider, url


def acknowledge_first(page: Page) -> None:
    """Press the keys that choose the newest alert and acknowledge it."""
    expect(page.locator(".tw-list tr[data-id]")).to_have_count(4)
    page.get_by_text("4 alerts").click()
    page.keyboard.press("j")
    expect(page.get_by_text("Chosen: LOOK")).to_be_visible()
    page.keyboard.press("a")


@pytest.mark.slow
def test_what_is_recorded_has_the_name_of_the_sign_in_until_the_sign_out(
    open_page: OpenPage,
    provider_and_url: tuple[ProviderProcess, str],
    client: Elasticsearch,
    alerts: list[Alert],
) -> None:
    provider, url = provider_and_url
    newest = alerts[-1].alert_id
    page = open_page(f"{url}/alerts")
    expect(page.get_by_text(ASKS)).to_be_visible()
    acknowledge_first(page)
    expect(page.get_by_text("Nothing is recorded without a name.")).to_be_visible()
    assert cases_of(client, [newest]) == {}

    provider.next_is(KIM)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.get_by_role("link", name="Alerts").click()
    expect(page.get_by_text(NAME, exact=True)).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_count(0)
    acknowledge_first(page)
    expect(page.get_by_text("Acknowledged: LOOK")).to_be_visible()
    (entry,) = cases_of(client, [newest])[newest].entries
    assert (entry.action, entry.recorded_by, entry.signed_in) == (Action.ACKNOWLEDGED, NAME, True)

    page.goto(f"{url}/anomaly?id={ITSELF}")
    expect(page.get_by_text("Recorded under the name you signed in with:")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_count(0)
    page.get_by_role("button", name="Confirmed").click()
    expect(page.get_by_text("Recorded.")).to_be_visible()
    expect(page.get_by_text("· signed in")).to_be_visible()
    verdict = verdicts_of(client, [ITSELF])[ITSELF]
    assert (verdict.verdict, verdict.recorded_by, verdict.signed_in) == ("confirmed", NAME, True)

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert provider.state() == {"signed_in": 1, "ended": 1}
    page.goto(f"{url}/alerts")
    expect(page.get_by_text(ASKS)).to_be_visible()
    acknowledge_first(page)
    expect(page.get_by_text("Nothing is recorded without a name.")).to_be_visible()
    assert len(cases_of(client, [newest])[newest].entries) == 1
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_nobody_is_signed_in_by_a_provider_that_refuses_or_by_a_token_that_is_wrong(
    open_page: OpenPage, provider_and_url: tuple[ProviderProcess, str]
) -> None:
    provider, url = provider_and_url
    page = open_page(url)
    for fault in get_args(IdentityFault):
        provider.next_is(KIM, fault)
        with page.expect_response(re.compile("/oauth2callback")) as response:
            page.get_by_role("button", name="Sign in").click()
        assert response.value.status == 302
        page.wait_for_url(f"{url}/")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert "_streamlit_user" not in {one.get("name") for one in page.context.cookies()}, fault
    provider.next_is(KIM)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
