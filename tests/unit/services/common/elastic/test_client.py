import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import SSLError

from infra.embedded.ports import free_port
from infra.setup.run import wait_for_elasticsearch
from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.elastic.nodes import NotReachable
from services.common.errors import TapewatchError
from tests.certificates import Authority, needs_openssl
from tests.stops import AskedFor
from tests.unit.infra.full_cluster import ADMIN, API_KEY, FullCluster

SECRET = "never-to-be-shown"


@pytest.fixture
def secret_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(content: str) -> Path:
        path = tmp_path / "secret"
        path.write_text(content)
        return path

    return write


class NeverStopped(AskedFor):
    def wait(self, timeout_s: float) -> bool:
        raise AssertionError(f"waited {timeout_s} s for what will never come")


def who(cluster: FullCluster, settings: Settings | None = None) -> str:
    with new_client(cluster.url, settings=settings) as client:
        name: str = client.security.authenticate()["username"]
        return name


def test_a_user_logs_in_by_variables_or_by_file(
    secret_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    user, password = ADMIN
    path = secret_file(f"{password}\n")
    with FullCluster() as cluster:
        assert who(cluster, Settings(elasticsearch_user=user, elasticsearch_password=password)) == user
        assert who(cluster, Settings(elasticsearch_user=user, elasticsearch_password_file=path)) == user
        monkeypatch.setenv("TAPEWATCH_ELASTICSEARCH_USER", user)
        monkeypatch.setenv("TAPEWATCH_ELASTICSEARCH_PASSWORD_FILE", str(path))
        assert who(cluster) == user


def test_an_api_key_logs_in_by_variable_or_by_file(secret_file: Callable[[str], Path]) -> None:
    with FullCluster() as cluster:
        assert who(cluster, Settings(elasticsearch_api_key=API_KEY)) == "by-api-key"
        path = secret_file(f"{API_KEY}\n")
        assert who(cluster, Settings(elasticsearch_api_key_file=path)) == "by-api-key"


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (
            {"elasticsearch_api_key": SECRET, "elasticsearch_user": "u"},
            "Both TAPEWATCH_ELASTICSEARCH_API_KEY",
        ),
        ({"elasticsearch_user": "u"}, "TAPEWATCH_ELASTICSEARCH_PASSWORD_FILE is missing"),
        ({"elasticsearch_password": SECRET}, "TAPEWATCH_ELASTICSEARCH_USER is missing"),
        (
            {"elasticsearch_password": SECRET, "elasticsearch_password_file": "x", "elasticsearch_user": "u"},
            "Both TAPEWATCH_ELASTICSEARCH_PASSWORD and TAPEWATCH_ELASTICSEARCH_PASSWORD_FILE",
        ),
        ({"elasticsearch_api_key_file": "absent"}, "absent cannot be read: No such file"),
        ({"elasticsearch_ca": "absent"}, "is not https"),
    ],
)
def test_settings_that_cannot_work_are_rejected_without_showing_a_secret(
    given: dict[str, Any], cause: str
) -> None:
    with pytest.raises(TapewatchError) as caught:
        new_client("http://127.0.0.1:9", settings=Settings(**given))
    assert cause in caught.value.cause
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "address", [f"http://user:{SECRET}@es:9200", f"user:{SECRET}@es", f"http://u:/{SECRET}@es"]
)
def test_a_password_in_the_address_is_rejected_and_not_shown(address: str) -> None:
    with pytest.raises(TapewatchError, match="TAPEWATCH_ELASTICSEARCH_USER") as caught:
        new_client(address)
    assert SECRET not in str(caught.value)


def test_secrets_do_not_show_in_the_settings() -> None:
    settings = Settings(elasticsearch_password=SECRET, elasticsearch_api_key=SECRET)
    assert SECRET not in f"{settings!r} {settings}"


@pytest.mark.parametrize("url", ["127.0.0.1:9200", "localhost", "ftp://127.0.0.1"])
def test_an_address_that_is_no_url_is_rejected(url: str) -> None:
    with pytest.raises(TapewatchError, match="is not a URL"):
        new_client(url)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make an authority and a server's certificate; returns the folder of ca.pem and server.pem."""
    Authority(tmp_path).issue("server").both.rename(tmp_path / "server.pem")
    return tmp_path


def tls_cluster(certificate: Path) -> FullCluster:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "server.pem")
    return FullCluster(tls=context)


@needs_openssl
def test_tls_is_trusted_by_the_given_authority(certificate: Path) -> None:
    with tls_cluster(certificate) as cluster:
        assert cluster.url.startswith("https:")
        settings = Settings(elasticsearch_api_key=API_KEY, elasticsearch_ca=certificate / "ca.pem")
        assert who(cluster, settings) == "by-api-key"


@needs_openssl
def test_tls_of_an_unknown_authority_is_rejected_before_anything_is_sent(certificate: Path) -> None:
    with tls_cluster(certificate) as cluster:
        settings = Settings(elasticsearch_api_key=API_KEY)
        with pytest.raises(SSLError):
            who(cluster, settings)
        with (
            new_client(cluster.url, settings=settings) as client,
            pytest.raises(TapewatchError, match="TAPEWATCH_ELASTICSEARCH_CA"),
        ):
            wait_for_elasticsearch(client, cluster.url, NeverStopped())
        assert cluster.requests == []


@pytest.mark.parametrize("content", ["", "no certificate", None])
def test_a_file_without_certificates_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TapewatchError, match=r"ca\.pem cannot be read"):
        new_client("https://127.0.0.1:9", settings=Settings(elasticsearch_ca=path))


def test_while_one_node_does_not_answer_the_others_are_asked() -> None:
    with FullCluster() as cluster:
        urls = f"http://127.0.0.1:{free_port()}, {cluster.url}"
        settings = Settings(elasticsearch_user=ADMIN[0], elasticsearch_password=ADMIN[1])
        with new_client(urls, settings=settings) as client:
            answers = 0
            for _ in range(8):
                with contextlib.suppress(NotReachable):
                    answers += client.security.authenticate()["username"] == ADMIN[0]
    assert answers >= 6  # each try at the other one is a while apart


def test_every_node_must_be_reached_with_tls_where_an_authority_is_given(tmp_path: Path) -> None:
    settings = Settings(elasticsearch_ca=tmp_path / "ca.pem")
    with pytest.raises(TapewatchError, match="is not https"):
        new_client("https://one:9200,http://two:9200", settings=settings)
