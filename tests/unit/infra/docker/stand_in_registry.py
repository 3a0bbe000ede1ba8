"""A registry of images (API of version 2) that hands out tokens: `python -m … PORT_FILE`.

Tags come in pages of two. `acme/gone` has tags, but no manifests.
"""

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PAGE = 2
TAGS = {
    "library/python": [
        "3.11.9-slim-bookworm",
        "3.11.16-slim-bookworm",
        "3.11.17-slim-trixie",
        "3.11",
        "latest",
    ],
    "library/elasticsearch": ["9.5.3", "9.5.10", "9.6.0", "9.5.11-SNAPSHOT"],
    "acme/broker": ["v26.1.14", "v26.1.21", "v26.2.1", "v26.1.22-rc1", "26.1.30"],
    "acme/gone": ["v1.0.0"],
}


def digest(repository: str, tag: str) -> str:
    """Return a digest that tells of what it is."""
    return f"sha256:{f'{repository}:{tag}'.encode().hex()[:64]:0<64}"


class Handler(BaseHTTPRequestHandler):
    """Answers with what `TAGS` has, to those with a token for the repository."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        host = self.headers["Host"]
        if url.path == "/token":
            self._answer(HTTPStatus.OK, {"token": f"for {asked['scope']} at {asked['service']}"})
            return
        repository, kind, tag = url.path.removeprefix("/v2/").rsplit("/", 2)
        scope = f"repository:{repository}:pull"
        if self.headers.get("Authorization") != f"Bearer for {scope} at registry of {host}":
            challenge = f'Bearer realm="http://{host}/token",service="registry of {host}",scope="{scope}"'
            self._answer(HTTPStatus.UNAUTHORIZED, {}, {"WWW-Authenticate": challenge})
        elif repository not in TAGS or (kind, repository) == ("manifests", "acme/gone"):
            self._answer(HTTPStatus.NOT_FOUND, {"errors": [{"code": "NAME_UNKNOWN"}]})
        elif kind == "tags":
            self._answer_page(repository, TAGS[repository], asked.get("last"))
        elif "application/vnd.oci.image.index.v1+json" not in self.headers["Accept"]:
            self._answer(HTTPStatus.OK, {}, {"Docker-Content-Digest": "sha256:of-one-architecture-only"})
        else:
            self._answer(HTTPStatus.OK, {}, {"Docker-Content-Digest": digest(repository, tag)})

    def _answer_page(self, repository: str, tags: list[str], last: str | None) -> None:
        begin = tags.index(last) + 1 if last else 0
        page = tags[begin : begin + PAGE]
        following = f'</v2/{repository}/tags/list?n={PAGE}&last={page[-1]}>; rel="next"'
        headers = {"Link": following} if begin + PAGE < len(tags) else {}
        self._answer(HTTPStatus.OK, {"name": repository, "tags": page}, headers)

    def _answer(self, status: HTTPStatus, body: object, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        content = json.dumps(body).encode()
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve on a free port, which is written to a file."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    file = Path(sys.argv[1])
    part = file.with_suffix(".part")
    part.write_text(str(server.server_address[1]))
    part.rename(file)
    server.serve_forever()


if __name__ == "__main__":
    main()
