"""Pins the images to the newest patch of their versions, and to what it holds: `make lock-images`.

Reads and rewrites docker-compose.yml and the Dockerfile. A new minor or major version is a decision: write
its tag into the file, then run this.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from services.common.errors import TapewatchError

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "docker-compose.yml", ROOT / "infra" / "docker" / "Dockerfile")
TIMEOUT_S = 30
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
"""Kinds of manifest whose digest stands for the images of all architectures."""

_IMAGE = re.compile(r"^(?: +image: |ARG \w+=)(?!tapewatch-)(\S+:\S+)$", re.M)
_TAG = re.compile(r"(\D*\d+\.\d+\.)(\d+)(.*)")
_TAG_OF_TWO = re.compile(r"(\D*\d+\.)(\d+)((?!\.?\d).*)")
_VERSIONS_OF_TWO = ("postgres",)
"""Images whose patches are the second number."""

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Image:
    """An image's name as the files have it.

    Attributes
    ----------
    registry
        URL of its registry, without a slash at the end.
    repository
        Its name there.
    name, tag
        What stands before and behind the colon; without a digest.
    """

    registry: str
    repository: str
    name: str
    tag: str

    @classmethod
    def parse(cls, reference: str, usual_registry: str) -> "Image":
        """Read a reference; one that names no registry is one of the usual registry's."""
        name, _, tag = reference.partition("@")[0].rpartition(":")
        host, slash, rest = name.partition("/")
        if slash and ("." in host or ":" in host or host == "localhost"):
            is_here = host.partition(":")[0] in ("localhost", "127.0.0.1")
            return cls(f"{'http' if is_here else 'https'}://{host}", rest, name, tag)
        return cls(usual_registry, name if slash else f"library/{name}", name, tag)


class Registry:
    """Asks registries (their API of version 2), with a token where they want one."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._tokens: dict[str, str] = {}

    def tags(self, image: Image) -> Iterator[str]:
        """Return the repository's tags, page by page."""
        url = f"{image.registry}/v2/{image.repository}/tags/list?n=1000"
        while url:
            answer = self._ask("GET", url, image)
            yield from answer.json()["tags"] or ()
            following = answer.links.get("next", {}).get("url", "")
            url = requests.compat.urljoin(url, following) if following else ""

    def digest(self, image: Image, tag: str) -> str:
        """Return what a tag stands for now: `sha256:…`."""
        url = f"{image.registry}/v2/{image.repository}/manifests/{tag}"
        return str(self._ask("HEAD", url, image).headers["Docker-Content-Digest"])

    def _ask(self, method: str, url: str, image: Image) -> requests.Response:
        try:
            answer = self._send(method, url, image.name)
            if answer.status_code == requests.codes.unauthorized:
                self._tokens[image.name] = self._token(answer.headers.get("WWW-Authenticate", ""))
                answer = self._send(method, url, image.name)
            answer.raise_for_status()
        except (requests.RequestException, ValueError, KeyError) as error:
            raise TapewatchError(
                f"The registry did not tell about {image.name}: {error}.",
                "Check the name in docker-compose.yml or the Dockerfile and the network, and try again.",
            ) from error
        return answer

    def _send(self, method: str, url: str, name: str) -> requests.Response:
        headers = {"Accept": MANIFESTS if method == "HEAD" else "application/json"}
        if name in self._tokens:
            headers["Authorization"] = f"Bearer {self._tokens[name]}"
        return self._session.request(method, url, headers=headers, timeout=TIMEOUT_S)

    def _token(self, challenge: str) -> str:
        """Get the token that a challenge asks for; anybody gets one that may read public images."""
        asked = dict(_CHALLENGE.findall(challenge))
        answer = self._session.get(asked.pop("realm"), params=asked, timeout=TIMEOUT_S)
        answer.raise_for_status()
        given = answer.json()
        return str(given.get("token") or given["access_token"])


def newest_patch(name: str, tag: str, tags: Sequence[str]) -> str:
    """Return the tag with the highest patch among those that are like this one otherwise.

    Parameters
    ----------
    name
        The image's.
    tag, tags
        The one that is pinned now, and all that there are.

    Raises
    ------
    TapewatchError
        The tag has no version of three numbers (of two, for Postgres), or there is none like it.
    """
    has_two = name in _VERSIONS_OF_TWO
    pattern = _TAG_OF_TWO if has_two else _TAG
    own = pattern.fullmatch(tag)
    if own is None:
        count, example = ("two", "18.6") if has_two else ("three", "v1.2.3")
        raise TapewatchError(
            f"The tag {tag} has no version of {count} numbers.", f"Pin one such as {example}."
        )
    found = [
        match
        for one in tags
        if (match := pattern.fullmatch(one)) and (match[1], match[3]) == (own[1], own[3])
    ]
    if not found:
        raise TapewatchError(f"There is no tag like {tag}.", "Correct it, then run `make lock-images` again.")
    return max(found, key=lambda match: int(match[2]))[0]


def lock(files: Sequence[Path], usual_registry: str) -> list[str]:
    """Rewrite the files; returns a line for each image that changed."""
    registry = Registry()
    texts = {file: file.read_text() for file in files}
    locked: dict[str, str] = {}
    for reference in sorted({one for text in texts.values() for one in _IMAGE.findall(text)}):
        image = Image.parse(reference, usual_registry)
        tag = newest_patch(image.name, image.tag, list(registry.tags(image)))
        locked[reference] = f"{image.name}:{tag}@{registry.digest(image, tag)}"
    for file, text in texts.items():  # only now: all or none
        file.write_text(_IMAGE.sub(lambda found: found[0].replace(found[1], locked[found[1]]), text))
    return [f"{old} -> {new}" for old, new in locked.items() if old != new]


def docker_registry() -> str:
    """Return the registry that Docker uses for images that name none."""
    command = ["docker", "info", "--format", "{{json .IndexServerAddress}}"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        url = requests.compat.urlsplit(json.loads(done.stdout.strip() or '""'))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise TapewatchError(
            "Docker does not tell which registry it uses.", "Start Docker, or name one: --registry URL"
        ) from error
    return f"{url.scheme}://{url.netloc}"


def main(arguments: Sequence[str]) -> int:
    """Lock the images of the project; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", help="URL of the registry of images that name none; else Docker's")
    given = parser.parse_args(arguments)
    try:
        changes = lock(FILES, (given.registry or docker_registry()).rstrip("/"))
    except TapewatchError as error:
        print(f"Error: {error.cause}\nFix:   {error.hint}", file=sys.stderr)
        return 1
    print("\n".join(changes) or "all images are pinned to the newest patch already")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
