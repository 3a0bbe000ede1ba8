"""The dashboard's server process: Streamlit's app under uvicorn, so that nothing of Streamlit's own shows.

Not by `streamlit run`: on the socket that it opens, the kernel holds a small packet back until the browser
has acknowledged the one before, 40 ms for each file and each step of a page. Uvicorn's own sockets
send at once.
"""

import signal
import sys
from pathlib import Path

import streamlit
import uvicorn
from streamlit.commands import navigation
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.bootstrap import load_config_options

import dashboard.pages.overview.page
import dashboard.pages.symbol.page  # noqa: F401  # so that the first visitor need not wait for them
from dashboard.server.hosts import EVERY_ADDRESS, KnownHosts, own_hosts
from dashboard.server.preload import BrowserCode
from dashboard.server.sign_in import check_sign_in
from dashboard.settings import DashboardSettings
from dashboard.ui.exchange import exchange
from services.common.errors import TapewatchError

APP = Path(__file__).parents[1] / "app.py"

# They win over any config.toml in the current or the home folder.
OPTIONS = {
    "browser.gatherUsageStats": False,
    # Its own button saves a table as it is on the screen, with texts that a spreadsheet takes for formulas.
    "client.disableDataExport": True,
    "client.showErrorDetails": "none",  # the log has them; a person at the screen cannot act on a traceback
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    # Nothing is sent as a reference to what the browser has already: references of a run that a quick second
    # click has overtaken reach the browser without the rest of that run, and the page goes blank
    # (streamlit 1.67, `ForwardMsgQueue.clear`).
    "global.minCachedMessageSize": float(1 << 40),
    "logger.enableRich": False,
    # A full collection after each run of a page keeps all visitors waiting for 0.1 s; Python collects anyway.
    "runner.postScriptGC": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    # So dark that what Streamlit writes at 60 % of it, such as captions, has WCAG's contrast of 4.5.
    "theme.light.textColor": "#0e1117",
    # Streamlit's own red would read as an alarm.
    "theme.light.primaryColor": "#2860be",
    "theme.dark.primaryColor": "#7ba7f5",
    "ui.hideTopBar": True,
}

# The app itself says that there is no such page: Streamlit's dialog would lie over that and over the links.
navigation.send_page_not_found = lambda *_, **__: None


def main(host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Parameters
    ----------
    host
        Address or name of this machine to listen on.
    port
        TCP port, 1 to 65535.
    """
    load_config_options(OPTIONS | {"server.address": host, "server.port": port})
    try:
        exchange()
        check_sign_in()
    except TapewatchError as error:
        sys.exit(str(error))
    # Until the app has called `st.navigation` once, Streamlit takes a folder `pages` beside it for the pages:
    # the first visitor of any page but the overview would be told that it is not found.
    PagesManager.uses_pages_directory = False
    # Uvicorn shuts down cleanly, and then passes the signal to the previous handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = DashboardSettings()
    app = KnownHosts(BrowserCode(streamlit.App(APP)), own_hosts(host, settings.dashboard_hosts))
    print(f"{where(host, port)}; press Ctrl-C to stop.", flush=True)
    uvicorn.run(app, host=host, port=port, ws="websockets-sansio", access_log=False, log_level="warning")


def where(host: str, port: int) -> str:
    """Say where the dashboard is; one that listens on every address may have another port for visitors."""
    if host in EVERY_ADDRESS:
        return f"The dashboard listens on port {port} of every address"
    return f"The dashboard is at http://{f'[{host}]' if ':' in host else host}:{port}"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
