import asyncio
import re

import pytest

from dashboard.server.preload import (
    KINDS,
    PAGE,
    PATHS,
    WORDS,
    BrowserCode,
    Message,
    Receive,
    Send,
    page_with_code,
    with_imports,
)

SCRIPTS = PAGE.parent / "static" / "js"


async def other_app(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})


def ask(path: str, method: str = "GET", kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    asyncio.run(BrowserCode(other_app)({"type": kind, "method": method, "path": path}, receive, send))
    return sent


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_a_script_of_this_streamlit(kind: str) -> None:
    (script,) = SCRIPTS.glob(f"{kind}.*.js")
    assert f'rel="modulepreload" crossorigin href="./static/js/{script.name}"' in page_with_code()


def test_the_page_preloads_each_script_once_and_keeps_its_own() -> None:
    named = re.findall(r"static/js/([^\"]+)", page_with_code())
    assert len(named) == len(set(named)) > len(KINDS)
    assert set(re.findall(r"static/js/([^\"]+)", PAGE.read_text())) < set(named)


def test_a_script_brings_what_it_imports() -> None:
    (chart,) = SCRIPTS.glob("ArrowVegaLiteChart.*.js")
    names = with_imports([chart.name])
    assert names[0] == chart.name
    assert any(name.startswith("recordbatch.") for name in names)


def test_the_page_is_revalidated_and_its_code_is_cached() -> None:
    start, body = ask("/")
    assert body["body"].decode() == page_with_code()
    assert dict(start["headers"])[b"cache-control"] == b"no-cache"
    (chart,) = SCRIPTS.glob("ArrowVegaLiteChart.*.js")
    start, body = ask(f"/static/js/{chart.name}")
    assert body["body"] == chart.read_bytes()
    assert dict(start["headers"])[b"content-length"] == str(chart.stat().st_size).encode()
    assert b"immutable" in dict(start["headers"])[b"cache-control"]


@pytest.mark.parametrize("path", PATHS)
def test_each_page_has_the_same_code(path: str) -> None:
    assert ask(f"/{path}") == ask("/")


@pytest.mark.parametrize("theirs", WORDS)
def test_what_streamlit_says_to_its_developers_is_said_to_visitors(theirs: str) -> None:
    (script,) = [path for path in SCRIPTS.glob("index.*.js") if theirs.encode() in path.read_bytes()]
    _, body = ask(f"/static/js/{script.name}")
    assert theirs.encode() not in body["body"]
    assert WORDS[theirs].encode() in body["body"]


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [
        ("/nosuchpage", "GET", "http"),
        ("/", "HEAD", "http"),
        ("/", "GET", "websocket"),
        ("/static/js/../../index.html", "GET", "http"),
        ("/_stcore/health", "GET", "http"),
    ],
)
def test_all_else_is_the_other_apps(path: str, method: str, kind: str) -> None:
    (start,) = ask(path, method, kind)
    assert start["status"] == 299
