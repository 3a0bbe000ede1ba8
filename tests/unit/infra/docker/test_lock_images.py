import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.docker import lock_images
from infra.docker.lock_images import FILES, Image, lock, main, newest_patch
from services.common.errors import TapewatchError
from tests.unit.infra.docker.stand_in_registry import digest


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("registry") / "port"
    process = subprocess.Popen([sys.executable, "-m", "tests.unit.infra.docker.stand_in_registry", str(file)])
    try:
        while not file.exists():
            assert process.poll() is None
            time.sleep(0.02)
        yield f"127.0.0.1:{file.read_text()}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def files(tmp_path: Path, address: str) -> tuple[Path, Path]:
    compose, dockerfile = tmp_path / "docker-compose.yml", tmp_path / "Dockerfile"
    compose.write_text(
        "services:\n"
        f"  broker:\n    image: {address}/acme/broker:v26.1.14\n"
        "  store:\n    image: elasticsearch:9.5.3  \n".replace("  \n", "\n")
        + "  ours:\n    image: tapewatch-setup\n"
    )
    dockerfile.write_text("ARG BASE=python:3.11.9-slim-bookworm\n\nFROM ${BASE} AS base\n")
    return compose, dockerfile


def test_images_are_pinned_to_the_newest_patch_and_its_digest(files: tuple[Path, Path], address: str) -> None:
    compose, dockerfile = files
    assert len(lock(files, f"http://{address}")) == 3
    broker, store = digest("acme/broker", "v26.1.21"), digest("library/elasticsearch", "9.5.10")
    assert f"    image: {address}/acme/broker:v26.1.21@{broker}\n" in compose.read_text()
    assert f"    image: elasticsearch:9.5.10@{store}\n" in compose.read_text()
    assert "    image: tapewatch-setup\n" in compose.read_text()
    python = digest("library/python", "3.11.16-slim-bookworm")
    assert dockerfile.read_text().splitlines() == [
        f"ARG BASE=python:3.11.16-slim-bookworm@{python}",
        "",
        "FROM ${BASE} AS base",
    ]


def test_a_second_run_changes_nothing(files: tuple[Path, Path], address: str) -> None:
    lock(files, f"http://{address}")
    before = [file.read_text() for file in files]
    assert lock(files, f"http://{address}") == []
    assert [file.read_text() for file in files] == before


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        ("acme/unknown:v1.0.0", "did not tell about acme/unknown: 404"),
        ("acme/gone:v1.0.0", "did not tell about acme/gone: 404"),
        ("acme/broker:v27.0.0", "no tag like v27.0.0"),
        ("acme/broker:latest", "The tag latest has no version"),
    ],
)
def test_what_cannot_be_pinned_is_named_and_no_file_is_changed(
    files: tuple[Path, Path], address: str, image: str, cause: str
) -> None:
    compose, _ = files
    compose.write_text(f"{compose.read_text()}  other:\n    image: {image}\n")
    before = [file.read_text() for file in files]
    with pytest.raises(TapewatchError, match=cause):
        lock(files, f"http://{address}")
    assert [file.read_text() for file in files] == before


def test_a_registry_that_is_away_is_named(files: tuple[Path, Path]) -> None:
    with pytest.raises(TapewatchError, match="did not tell about"):
        lock(files[1:], "http://127.0.0.1:9")


def test_patches_are_compared_as_numbers_and_other_versions_are_left_alone() -> None:
    assert (
        newest_patch("broker", "v1.2.3", ["v1.2.9", "v1.2.10", "v1.3.0", "1.2.11", "v1.2.12-rc1"])
        == "v1.2.10"
    )
    assert newest_patch("python", "3.11.1-slim", ["3.11.2", "3.11.1-slim", "3.11.2-slim-x"]) == "3.11.1-slim"


def test_postgres_has_its_patch_in_the_second_number_and_keeps_its_major_version() -> None:
    tags = ["18", "18.4", "18.6", "18.16", "18.17-trixie", "18.20beta1", "19.1", "19.99", "latest"]
    assert newest_patch("postgres", "18.4", tags) == "18.16"
    assert newest_patch("postgres", "18.4-trixie", tags) == "18.17-trixie"
    with pytest.raises(TapewatchError, match="no version of two numbers"):
        newest_patch("postgres", "18", tags)
    with pytest.raises(TapewatchError, match="no version of two numbers"):
        newest_patch("postgres", "9.6.24", tags)
    with pytest.raises(TapewatchError, match="no version of three numbers"):
        newest_patch("elasticsearch", "9.5", ["9.5", "9.6"])


@pytest.mark.parametrize(
    ("reference", "registry", "repository"),
    [
        ("kibana:9.5.3", "https://usual", "library/kibana"),
        ("redpandadata/console:v3.9.0@sha256:ab", "https://usual", "redpandadata/console"),
        ("registry.example/a/b:1.2.3", "https://registry.example", "a/b"),
        ("localhost:5000/b:1.2.3", "http://localhost:5000", "b"),
    ],
)
def test_a_reference_says_where_its_registry_is(reference: str, registry: str, repository: str) -> None:
    image = Image.parse(reference, "https://usual")
    assert (image.registry, image.repository) == (registry, repository)
    assert f"{image.name}:{image.tag}" == reference.partition("@")[0]


def test_every_foreign_image_of_the_project_is_found() -> None:
    found = {one for file in FILES for one in lock_images._IMAGE.findall(file.read_text())}
    names = {Image.parse(reference, "https://usual").repository for reference in found}
    assert names == {
        "redpandadata/redpanda",
        "redpandadata/console",
        "library/elasticsearch",
        "library/kibana",
        "library/postgres",
        "library/python",
        "grafana/grafana",
        "prom/prometheus",
        "prom/alertmanager",
    }


def test_without_docker_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main([]) == 1
    assert "--registry URL" in capsys.readouterr().err
