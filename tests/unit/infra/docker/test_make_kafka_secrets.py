import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.docker.make_kafka_secrets import ALL, BROKER, CA, HANDED_OUT, READ_BY_OTHERS, USERS, main
from infra.docker.secret_files import show
from tests.certificates import needs_openssl

pytestmark = needs_openssl


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for volume in HANDED_OUT:
        (tmp_path / volume).mkdir()
    main(tmp_path)
    return tmp_path


def contents(root: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in root.rglob("*") if path.is_file()}


def handshake(root: Path, host: str) -> None:
    """Shake hands in memory, as a client that connects to the broker under this name."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(root / BROKER / "broker.crt", root / BROKER / "broker.key")
    client_side = ssl.create_default_context(cafile=str(root / "kafka-indexer" / CA))
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    steps: list[Callable[[], None]] = [client.do_handshake, server.do_handshake]
    for step in steps * 3:
        try:
            step()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("host", ["redpanda", "127.0.0.1", "localhost"])
def test_clients_trust_the_broker_under_the_names_they_use(root: Path, host: str) -> None:
    handshake(root, host)


def test_clients_do_not_trust_it_under_another_name(root: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(root, "elasticsearch")


def test_each_user_has_a_password_of_its_own_and_each_volume_only_its_users(root: Path) -> None:
    passwords = {user: (root / ALL / f"{user}.password").read_text() for user in USERS}
    assert len(set(passwords.values())) == len(USERS)
    assert all(len(password) >= 32 and ":" not in password for password in passwords.values())
    found = contents(root)
    for volume, user in HANDED_OUT.items():
        assert found[root / volume / "password"] == passwords[user]
        if volume == ALL:
            continue
        others = {password for owner, password in passwords.items() if owner != user}
        assert not others & {text for path, text in found.items() if path.parent.name == volume}


def test_only_the_broker_has_a_key_and_nobody_the_one_that_signed(root: Path) -> None:
    assert [path for path, text in contents(root).items() if "PRIVATE KEY" in text] == [
        root / BROKER / "broker.key"
    ]


def test_only_volumes_of_other_users_images_have_files_that_others_may_read(root: Path) -> None:
    for path in contents(root):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o644 if path.parent.name in READ_BY_OTHERS else 0o600), path


def test_a_second_start_keeps_everything(root: Path) -> None:
    before = contents(root)
    main(root)
    assert contents(root) == before


def test_a_first_start_that_was_interrupted_is_made_good(root: Path) -> None:
    old = (root / BROKER / "broker.crt").read_text()
    (root / ALL / CA).unlink()  # written last
    main(root)
    assert (root / BROKER / "broker.crt").read_text() != old
    handshake(root, "redpanda")


def test_what_is_asked_for_is_shown_and_what_is_not_there_is_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {CA: root / ALL / CA}
    assert show(CA, files) == 0
    assert capsys.readouterr().out == (root / ALL / CA).read_text()
    assert show("nobody", files) == 1
    assert "nothing called 'nobody', only ca.crt" in capsys.readouterr().err
