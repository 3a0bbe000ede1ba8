"""The code that a browser needs for the pages at `/`: named in the page itself, and answered from memory.

Streamlit's page fetches the code of each kind of element when the first element of that kind comes, from
files that Streamlit opens again for each request. Named in the page, the code is loaded before any element.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

import streamlit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

KINDS = (
    "ArrowVegaLiteChart",
    "BidiComponent",
    "Button",
    "ButtonGroup",
    "Checkbox",
    "Html",
    "Metric",
    "Multiselect",
    "PageLink",
    "Selectbox",
    "Slider",
    "TextInput",
    "embed",
    "loadVegaEmbed",
)
"""Names of the scripts of these pages' elements; in a file's name a hash follows."""

PATHS = ("alerts", "anomaly", "health", "search", "tuning")
"""Pages beside `/`."""

# Without it, Streamlit's code takes a page's name for a folder that the dashboard is served in, and asks
# there first: two errors in the browser's console at each visit.
_BASE = f"""<script>{{
  const parts = location.pathname.split("/").filter(Boolean);
  if ({json.dumps(PATHS)}.includes(parts.at(-1))) parts.pop();
  window.__streamlit = {{ BACKEND_BASE_URL: `${{location.origin}}/${{parts.join("/")}}` }};
}}</script>"""

WORDS = {
    "Streamlit server is not responding. Are you connected to the internet?": (
        "The dashboard does not answer: it is being restarted, or the network is down. "
        "This page goes on by itself when it answers again."
    ),
    "Is Streamlit still running? If you accidentally stopped Streamlit, just restart it in your terminal:": (
        "The dashboard does not answer. This page goes on by itself when it answers again. "
        "If it was stopped, start it:"
    ),
    "streamlit run yourscript.py": "tapewatch dashboard",
}
"""What Streamlit's code tells visitors in words for its developers, and what it tells them here."""

PAGE = Path(streamlit.__file__).with_name("static") / "index.html"
_FOLDER = "static/js"
_SCRIPTS = PAGE.parent / _FOLDER
_NAMED = re.compile(rf'"\./{_FOLDER}/([^"/]+\.js)"')
_IMPORT = re.compile(r'(?:from|import)"\./([^"/]+\.js)"')


class BrowserCode:
    """An app that answers for the pages and their code, and has another app answer all else.

    Parameters
    ----------
    app
        Streamlit's.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        page = page_with_code()
        html = _answer(page.encode(), "text/html; charset=utf-8", "no-cache")
        self._answers = dict.fromkeys(("/", *(f"/{path}" for path in PATHS)), html)
        for name in _NAMED.findall(page):
            body = in_own_words((_SCRIPTS / name).read_bytes())
            # A script of another content has another name.
            keeping = "public, immutable, max-age=31536000"
            self._answers[f"/{_FOLDER}/{name}"] = _answer(body, "text/javascript; charset=utf-8", keeping)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        is_plain = scope["type"] == "http" and scope["method"] == "GET"
        answer = self._answers.get(scope["path"]) if is_plain else None
        if answer is None:
            await self._app(scope, receive, send)
            return
        for message in answer:
            await send(message)


def page_with_code() -> str:
    """Return Streamlit's page, with a link to each script of `KINDS` that it does not name itself."""
    page = PAGE.read_text(encoding="utf-8")
    wanted = with_imports(path.name for kind in KINDS for path in _SCRIPTS.glob(f"{kind}.*.js"))
    links = [
        f'<link rel="modulepreload" crossorigin href="./{_FOLDER}/{name}">'
        for name in wanted
        if name not in _NAMED.findall(page)
    ]
    # Before all other scripts: the first one reads it.
    page = page.replace("<head>", f"<head>{_BASE}", 1)
    return page.replace("</head>", "".join(links) + "</head>", 1)


def in_own_words(script: bytes) -> bytes:
    """Return a script with `WORDS` put right."""
    for theirs, ours in WORDS.items():
        script = script.replace(theirs.encode(), ours.encode())
    return script


def with_imports(names: Iterable[str]) -> list[str]:
    """Return scripts and all that they import, each once.

    Parameters
    ----------
    names
        Of files in Streamlit's folder of scripts.
    """
    found: list[str] = []
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting += _IMPORT.findall((_SCRIPTS / name).read_text(encoding="utf-8"))
    return found


def _answer(body: bytes, content_type: str, keeping: str) -> tuple[Message, Message]:
    headers = {"content-type": content_type, "content-length": str(len(body)), "cache-control": keeping}
    return (
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        },
        {"type": "http.response.body", "body": body},
    )
