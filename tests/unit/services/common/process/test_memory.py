import ctypes
import subprocess
import sys

import pytest

from services.common.process.memory import NEW_OBJECTS, POOLS


def test_many_objects_without_a_cycle_are_searched_once_at_most() -> None:
    program = """
import gc
from services.common.process.memory import tune_memory
tune_memory()
searches = []
gc.callbacks.append(lambda phase, info: searches.append(phase == "start"))
kept = [[number] for number in range(NEW_OBJECTS)]
print(sum(searches))
""".replace("NEW_OBJECTS", str(NEW_OBJECTS))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1


THREADS = """
import ctypes, threading
from services.common.process.memory import tune_memory
{tune}
together = threading.Barrier(8)
kept = []

def work():
    together.wait()
    kept.append([bytes(1_000) for _ in range(1_000)])

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


def pools(tune: str) -> int:
    """Return how many pools of memory eight threads have taken theirs from."""
    program = THREADS.format(tune=tune)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stderr.count("Arena ")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no such pools")
def test_all_threads_share_two_pools_of_memory() -> None:
    assert pools("") > POOLS
    assert pools("tune_memory()") <= POOLS


REPLAY = """
from pathlib import Path
from services.common.process.memory import give_memory_back, tune_memory
tune_memory()

def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6

blocks = [bytes(1_000) for _ in range(200_000)]
kept = blocks[::2_000]
del blocks
before_mb = resident_mb()
give_memory_back()
print(before_mb - resident_mb())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library cannot do that")
def test_what_a_replay_has_freed_is_given_back_though_a_little_of_it_is_kept() -> None:
    done = subprocess.run([sys.executable, "-c", REPLAY], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 100
