"""A webhook's receiver, for the benchmark of alerts: it notes when each alert's first message has arrived.

    python -m benchmarks.alert_receiver FILE

It prints its port first, and writes a line for each alert that opens: the arrival, in seconds since 1970,
and the id of the alert's first trade.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Receiver(BaseHTTPRequestHandler):
    """Accepts every POST."""

    protocol_version = "HTTP/1.1"
    lines: Path

    def do_POST(self) -> None:
        """Accept a message."""
        now_s = time.time()
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        if told["type"] == "alert.opened":
            with self.lines.open("a") as file:
                file.write(f"{now_s!r} {told['data']['first_trade']}\n")

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until standard input ends."""
    Receiver.lines = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
