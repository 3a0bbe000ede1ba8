"""Runs the pipeline and injects the planned faults, making sure that each one hits a working process."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.server import Server, await_ready
from services.common.errors import TapewatchError
from tests.chaos.day import Day
from tests.chaos.processes import Service, Zombie, log_tail
from tests.chaos.progress import Progress, ProgressReader
from tests.chaos.schedule import (
    DETECTORS,
    OF_SINKS,
    PAUSE_S,
    SERVERS,
    Act,
    Fault,
    Leg,
    Victim,
    next_leg,
    victims_of,
)
from tests.chaos.stores import Stores
from tests.chaos.verify import Violation

TICK_S = 0.05
LONGEST_PAUSE_S = 20.0
"""Time within which another instance must have taken over, and a replacement must be working."""

GIVES_UP_WITHIN_S = 20.0
STALLED_AFTER_S = 90.0
SETTLED_FOR_S = 1.5
STOP_WITHIN_S = 20.0
IDLE_S = 2
CATCH_UP_WITHIN_S = 120.0
MOST_UNEXPECTED_ENDS = 10
GAVE_UP_WORDS = ("uses the transactional id", "has taken over")
"""Texts of which one is in the error of a service whose name another process has taken."""

FIRST_WORDS = {
    Victim.PRODUCER: "publishing",
    Victim.DETECTOR_A: "assigned",
    Victim.DETECTOR_B: "assigned",
    Victim.INDEXER: "assigned",
    Victim.INDEXER_POSTGRES: "assigned",
}
"""The log event with which a service reports that it starts to work."""


COMMANDS: dict[Victim, tuple[str, ...]] = {
    Victim.DETECTOR_A: ("detect",),
    Victim.DETECTOR_B: ("detect",),
    Victim.INDEXER: ("index",),
    Victim.INDEXER_POSTGRES: ("index", "--sink", "postgres"),
}


@dataclass
class Strike:
    """A fault, its victim and its result.

    Parameters
    ----------
    fault
        As planned.
    victim
        Whom it hit: the other detector where the planned one had nothing to do.
    pid
        The struck process.
    at_s
        Since the beginning of the run.
    passed
        Trades that had passed the victim's stage.
    back_s
        From the strike (from SIGCONT for a pause) until it was at work and its stage had moved on; None if
        it was struck again before, or nothing was left to do.
    note
        What else was seen.
    """

    fault: Fault
    victim: Victim
    pid: int
    at_s: float
    passed: int
    back_s: float | None = None
    note: str = ""


class StalledError(Exception):
    """The pipeline makes no progress."""


@dataclass
class _Return:
    """A victim that should recover."""

    strike: Strike
    since_s: float
    first_words: int
    """How often it must have logged that it starts to work."""
    passed_when_up: int | None = None


class Conductor:
    """One run.

    Parameters
    ----------
    stores
        Running and set up; its servers are struck too.
    plan
        The faults in their order.
    day
        What is published.
    folder
        Gets the services' logs.
    say
        Called with a line of text for each fault.
    """

    def __init__(
        self, stores: Stores, plan: list[Fault], day: Day, folder: Path, say: Callable[[str], None]
    ) -> None:
        self.strikes: list[Strike] = []
        self.violations: list[Violation] = []
        stack = stores.stack
        self._upcoming = list(plan)
        self._planned = len(plan)
        self._day = day
        self._say = say
        running = victims_of(stores.sinks)
        self._sinks = stores.sinks
        self._services = {
            victim: Service(victim.value, folder, stack, stores.env)
            for victim in running
            if victim not in SERVERS
        }
        self._servers: dict[Victim, Server] = {
            victim: server for victim, server in stores.servers.items() if victim in running
        }
        self._starts_due: dict[Victim, float] = {}
        self._starting: set[Victim] = set()
        self._returns: dict[Victim, _Return] = {}
        self._zombies: list[tuple[Strike, Zombie, float]] = []
        self._records_at_start = 0
        self._unexpected_ends = 0
        self._leg: Leg | None = None
        self._began_s = self._moved_s = time.monotonic()
        self._last = Progress()
        self._reader = ProgressReader(stack.kafka_connection, stores.sinks)

    def run(self) -> None:
        """Publish the whole day, injecting the planned faults, until all services are idle; then stop them.

        In the end each starts once more, to find that nothing is left.
        """
        for victim in self._services:
            self._start(victim)
        try:
            while self._upcoming:
                self._strike(self._upcoming[0])
                self._upcoming.pop(0)
                if self._upcoming == []:
                    self._say("  all faults have struck; the rest flows as fast as it can")
            self._wait_until_settled()
        except StalledError as error:
            self._violate("pipeline", "stalled", str(error))
            self._start_servers()
            self._stop_services()
        else:
            self._stop_services()
            self._catch_up(Victim.DETECTOR_A, Victim.DETECTOR_B)
            for sink in self._sinks:
                self._catch_up(OF_SINKS[sink][0])

    def close(self) -> None:
        """Stop whatever is still running."""
        for _, zombie, _ in self._zombies:
            zombie.kill()
        for service in self._services.values():
            service.kill()
        self._reader.close()

    def last_logs(self) -> dict[str, str]:
        """Return the ends of the services' last logs by their names."""
        return {service.log_file.name: log_tail(service.log_file) for service in self._services.values()}

    # Runs all the time.

    def _tick(self) -> Progress:
        """Check all processes once, and return the progress."""
        time.sleep(TICK_S)
        self._reader.check()
        progress = self._reader.current
        if progress != self._last:
            self._last, self._moved_s = progress, time.monotonic()
        self._notice_ends()
        self._start_what_is_due()
        self._notice_returns()
        self._watch_zombies()
        if time.monotonic() - self._moved_s > STALLED_AFTER_S:
            raise StalledError(f"no progress for {STALLED_AFTER_S:.0f} s at {progress}")
        return progress

    def _notice_ends(self) -> None:
        for victim, service in self._services.items():
            code = service.code
            if code is None or victim in self._starts_due or self._is_finished(victim):
                continue
            if victim is Victim.PRODUCER and code == 0:  # the end of a leg
                self._starts_due[victim] = time.monotonic()
                continue
            self._violate(
                victim.value,
                "ended by itself",
                f"exit code {code}, {service.log_file}:\n{log_tail(service.log_file)}",
            )
            self._unexpected_ends += 1
            if self._unexpected_ends > MOST_UNEXPECTED_ENDS:
                raise StalledError("services end again and again")
            self._starts_due[victim] = time.monotonic() + 1.0
        for victim, server in self._servers.items():
            if victim not in self._starts_due:
                server.check()

    def _is_finished(self, victim: Victim) -> bool:
        return victim is Victim.PRODUCER and self._services[victim].code == 0 and self._leg is None

    def _start_what_is_due(self) -> None:
        for victim, due_s in list(self._starts_due.items()):
            if time.monotonic() >= due_s:
                del self._starts_due[victim]
                self._start(victim)
        for victim in list(self._starting):
            if self._servers[victim].poll_ready():
                self._starting.remove(victim)

    def _start(self, victim: Victim) -> None:
        if victim in SERVERS:
            self._servers[victim].launch()
            self._starting.add(victim)
            return
        arguments = self._produce() if victim is Victim.PRODUCER else COMMANDS[victim]
        self._services[victim].start(*arguments)

    def _produce(self) -> tuple[str, ...]:
        # The fault that strikes now is still the first of those to come.
        upcoming = self._upcoming if not self.strikes else self._upcoming[self._strikes_done() :]
        self._records_at_start = self._reader.current.records
        self._leg = next_leg(self._day.event_ns, self._reader.current.published, upcoming)
        arguments = ("produce", str(self._day.path))
        if self._leg is None:
            return arguments
        return (*arguments, "--speed", f"{self._leg.speed:.3f}", "--limit", str(self._leg.limit_trades))

    def _strikes_done(self) -> int:
        """Return how many of `_upcoming` have struck: the first one, while it is still worked on."""
        return int(bool(self._upcoming) and self.strikes[-1].fault is self._upcoming[0])

    def _notice_returns(self) -> None:
        for victim, back in list(self._returns.items()):
            if not self._is_up(victim, back.first_words):
                continue
            passed = self._passed(victim)
            if back.passed_when_up is None:
                back.passed_when_up = passed
            elif passed > back.passed_when_up:
                back.strike.back_s = time.monotonic() - back.since_s
                del self._returns[victim]

    def _watch_zombies(self) -> None:
        for entry in list(self._zombies):
            strike, zombie, since_s = entry
            code = zombie.code
            if code is None and time.monotonic() - since_s < GIVES_UP_WITHIN_S:
                continue
            self._zombies.remove(entry)
            if code is None:
                zombie.kill()
                strike.note = f"lived on beside its replacement for {GIVES_UP_WITHIN_S:.0f} s, ended"
            elif code == 1 and any(words in log_tail(zombie.log_file) for words in GAVE_UP_WORDS):
                strike.note = f"gave up after {time.monotonic() - since_s:.1f} s: replaced"
            else:
                text = f"exit code {code}, {zombie.log_file}:\n{log_tail(zombie.log_file)}"
                self._violate(f"{strike.victim.value}, replaced", "ended in another way than giving up", text)

    # What is asked of the parts.

    def _passed(self, victim: Victim) -> int:
        """Return how many trades have passed the stage of a victim."""
        progress = self._reader.current
        if victim in DETECTORS:
            return progress.detected
        for sink, victims in OF_SINKS.items():
            if victim in victims:
                return progress.indexed[sink]
        return progress.published

    def _is_up(self, victim: Victim, first_words: int = 1) -> bool:
        """Tell whether it runs and has logged at least that often that it works."""
        if victim in self._starts_due or victim in self._starting:
            return False
        if victim in SERVERS:
            return True
        service = self._services[victim]
        if not service.is_running or len(service.events(FIRST_WORDS[victim])) < first_words:
            return False
        return victim is not Victim.PRODUCER or self._reader.current.records > self._records_at_start

    def _is_at_work(self, victim: Victim) -> bool:
        """Tell whether a fault would hit it while it works, not while it recovers."""
        waits_for = self._returns.get(victim)
        return self._is_up(victim, waits_for.first_words if waits_for else 1)

    def _has_trades(self, detector: Victim) -> bool:
        assigned = self._services[detector].events("assigned")
        partitions = set(assigned[-1].get("partitions", ())) if assigned else set()
        return bool(partitions & self._reader.current.busy_partitions)

    def _whom(self, planned: Victim) -> Victim:
        """Return the victim: if possible, a detector that has partitions with trades."""
        if planned in DETECTORS and not self._has_trades(planned):
            other = _other(planned)
            if self._is_at_work(other) and self._has_trades(other):
                return other
        return planned

    # The strikes.

    def _strike(self, fault: Fault) -> None:
        total = len(self._day.trades)
        while True:
            self._tick()
            victim = self._whom(fault.victim)
            passed = self._passed(victim)
            is_over = passed >= total or (victim is Victim.PRODUCER and self._is_finished(victim))
            if is_over:
                text = f"{fault.act} of {victim} at {passed:,} of {total:,} trades: the flow was over"
                self._violate(f"fault {fault.number}", "not struck", text)
                return
            needed = [victim]
            if fault.act is Act.PAUSE and victim in DETECTORS:
                # The other one takes over, as soon as the broker says so.
                needed += [_other(victim), Victim.KAFKA]
            if passed >= fault.fraction * total and all(map(self._is_at_work, needed)):
                break
        time.sleep(fault.delay_s)
        pid = (self._servers if victim in SERVERS else self._services)[victim].pid
        strike = Strike(fault, victim, pid or 0, time.monotonic() - self._began_s, self._passed(victim))
        self.strikes.append(strike)
        self._returns.pop(victim, None)
        self._say(
            f"  {fault.number:>3}/{self._planned}  {strike.at_s:6.1f} s  {fault.act:<7} {victim:<16} "
            f"at {strike.passed:,} of {total:,} trades"
        )
        {Act.KILL: self._kill, Act.PAUSE: self._pause, Act.REPLACE: self._replace}[fault.act](strike)
        if self._passed(victim) >= total and fault.act is Act.KILL:
            self._violate(f"fault {fault.number}", "struck too late", f"{victim}: the flow was over")

    def _kill(self, strike: Strike) -> None:
        victim = strike.victim
        if victim in SERVERS:
            died_by_it = self._kill_server(self._servers[victim])
        else:
            died_by_it = self._services[victim].kill() == -signal.SIGKILL
        if not died_by_it:
            self._violate(f"fault {strike.fault.number}", "not struck", f"{victim} had ended before SIGKILL")
        now_s = time.monotonic()
        self._starts_due[victim] = now_s + strike.fault.down_s
        self._returns[victim] = _Return(strike, now_s, first_words=1)

    def _kill_server(self, server: Server) -> bool:
        server.check()
        os.kill(server.pid or 0, signal.SIGKILL)
        deadline_s = time.monotonic() + 5.0
        died_by_it = False
        while not died_by_it and time.monotonic() < deadline_s:
            try:
                server.check()
            except TapewatchError as error:
                died_by_it = "SIGKILL" in error.cause
                break
            time.sleep(0.01)
        server.kill()
        return died_by_it

    def _pause(self, strike: Strike) -> None:
        victim, service = strike.victim, self._services[strike.victim]
        colleague = self._services[_other(victim)] if victim in DETECTORS else None
        assigned_before = len(colleague.events("assigned")) if colleague else 0
        self._stand_still(strike, service)

        def is_taken_over() -> bool:
            return colleague is None or len(colleague.events("assigned")) > assigned_before

        self._wait_paused(is_taken_over)
        if not is_taken_over():
            text = f"the colleague of {victim} took nothing over within {LONGEST_PAUSE_S:.0f} s"
            self._violate(f"fault {strike.fault.number}", "no takeover", text)
        elif colleague:
            strike.note = f"{colleague.name} took over"
        # A detector comes back only by joining again; the others' stages show that they do.
        words = len(service.events(FIRST_WORDS[victim])) + (1 if colleague and is_taken_over() else 0)
        service.resume()
        self._returns[victim] = _Return(strike, time.monotonic(), first_words=words)

    def _replace(self, strike: Strike) -> None:
        victim, service = strike.victim, self._services[strike.victim]
        self._stand_still(strike, service)
        zombie = service.release()
        self._zombies.append((strike, zombie, float("inf")))
        now_s = time.monotonic()
        self._starts_due[victim] = now_s + strike.fault.down_s
        self._returns[victim] = _Return(strike, now_s, first_words=1)
        self._wait_paused(lambda: self._is_up(victim))
        zombie.resume()
        self._zombies[-1] = (strike, zombie, time.monotonic())

    def _stand_still(self, strike: Strike, service: Service) -> None:
        state = service.pause()
        if state != "T":
            self._violate(f"fault {strike.fault.number}", "not struck", f"{service.name} is in state {state}")

    def _wait_paused(self, is_enough: Callable[[], bool]) -> None:
        began_s = time.monotonic()
        while (elapsed_s := time.monotonic() - began_s) < LONGEST_PAUSE_S:
            if elapsed_s >= PAUSE_S and is_enough():
                return
            self._tick()

    # The end.

    def _wait_until_settled(self) -> None:
        while True:
            progress = self._tick()
            is_quiet = not (self._starts_due or self._starting or self._zombies)
            if (
                is_quiet
                and progress.is_settled
                and self._is_finished(Victim.PRODUCER)
                and time.monotonic() - self._moved_s > SETTLED_FOR_S
            ):
                return

    def _start_servers(self) -> None:
        """Restart the servers that are down, so that the results can be read."""
        for victim, server in self._servers.items():
            if victim in self._starts_due:
                server.launch()
            await_ready([server])

    def _stop_services(self) -> None:
        running = {victim: service for victim, service in self._services.items() if service.is_running}
        for service in running.values():
            service.terminate()
        for victim, service in running.items():
            if (code := service.wait(STOP_WITHIN_S)) != 0:
                if victim is Victim.PRODUCER and code == 128 + signal.SIGTERM:
                    continue  # only after a stall, which is told already
                how = f"exit code {code}" if code is not None else f"still ran after {STOP_WITHIN_S:.0f} s"
                self._violate(victim.value, "SIGTERM", f"{how}:\n{log_tail(service.log_file)}")

    def _catch_up(self, *victims: Victim) -> None:
        """Let services run until they are idle."""
        for victim in victims:
            self._services[victim].start(*COMMANDS[victim], "--until-idle", str(IDLE_S))
        for victim in victims:
            service = self._services[victim]
            if (code := service.wait(CATCH_UP_WITHIN_S)) != 0:
                text = f"exit code {code}, {service.log_file}:\n{log_tail(service.log_file)}"
                self._violate(victim.value, f"--until-idle {IDLE_S}", text)

    def _violate(self, where: str, kind: str, text: str) -> None:
        self.violations.append(Violation(where, kind, 1, (text,)))
        self._say(f"  ! {where}: {kind}: {text}")


def _other(detector: Victim) -> Victim:
    return next(victim for victim in DETECTORS if victim is not detector)
