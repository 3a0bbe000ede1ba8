"""Runs the embedded stack in the foreground of a terminal (`tapewatch stack`)."""

import signal
import time
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.errors import TapewatchError

_CHECK_PAUSE_S = 0.5


def run_stack(
    data_dir: Path | None, kafka_port: int, elasticsearch_port: int, brokers: int = 1, nodes: int = 1
) -> int:
    """Run the stack until Ctrl-C or SIGTERM, then stop it; a second signal kills it at once.

    Must be called from the main thread, because it handles signals.

    Parameters
    ----------
    data_dir
        Folder for the servers' data; None for a temporary folder.
    kafka_port, elasticsearch_port
        Ports on 127.0.0.1 that clients connect to: the first servers'.
    brokers, nodes
        How many servers of Kafka and of Elasticsearch.

    Returns
    -------
    int
        Exit code: 0 after a clean stop, 1 if a server did not start or exited unexpectedly, 130 after a
        kill. The summary is printed to stdout, progress and errors to stderr.
    """
    console = Console(stderr=True, highlight=False)
    stack = EmbeddedStack(
        StackConfig(
            data_dir=data_dir,
            brokers=brokers,
            nodes=nodes,
            kafka_port=kafka_port,
            elasticsearch_port=elasticsearch_port,
        ),
        report=lambda line: console.print(escape(line), style="dim", soft_wrap=True),
    )
    previous = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _run(stack, console)
    except KeyboardInterrupt:
        stack.kill()
        console.print("Killed.")
        return 130
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(stack: EmbeddedStack, console: Console) -> int:
    """Start, watch and stop the stack; a KeyboardInterrupt raised from here is the second signal."""
    try:
        stack.start()
        Console(highlight=False).print(_summary(stack), soft_wrap=True)
        while True:
            time.sleep(_CHECK_PAUSE_S)
            stack.check()
    except KeyboardInterrupt:
        console.print("Stopping; press Ctrl-C again to kill at once ...")
        stack.stop()
        console.print("Stopped.")
        return 0
    except TapewatchError as error:
        console.print(f"[red]{escape(error.cause)}[/red]", soft_wrap=True)
        console.print(escape(error.hint), soft_wrap=True)
        stack.stop()
        return 1


def _summary(stack: EmbeddedStack) -> str:
    """Return the addresses and folders, each on an unwrapped line so that it can be copied."""
    fate = "removed when the stack stops; --data-dir keeps it" if stack.config.data_dir is None else "kept"
    rows = {
        "Kafka": stack.kafka_bootstrap,
        "Elasticsearch": stack.elasticsearch_url,
        "Data": f"{escape(str(stack.data_dir))} [dim]({fate})[/dim]",
        "Logs": escape(str(stack.log_dir)),
        "Stop": "Ctrl-C",
    }
    lines = [f"  [bold]{name:<14}[/bold] {value}" for name, value in rows.items()]
    return "\n".join(
        [
            "",
            "[bold green]The Tapewatch stack is running.[/bold green]",
            "",
            *lines,
            "",
            "To use this stack from other terminals if it is not on the default ports:",
            f"  export TAPEWATCH_KAFKA={stack.kafka_bootstrap}",
            f"  export TAPEWATCH_ELASTICSEARCH={stack.elasticsearch_url}",
            "",
        ]
    )
