import subprocess
import sys

from services.common.process.gc import NEW_OBJECTS


def test_many_objects_without_a_cycle_are_searched_once_at_most() -> None:
    program = """
import gc
from services.common.process.gc import relax_gc
relax_gc()
searches = []
gc.callbacks.append(lambda phase, info: searches.append(phase == "start"))
kept = [[number] for number in range(NEW_OBJECTS)]
print(sum(searches))
""".replace("NEW_OBJECTS", str(NEW_OBJECTS))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1
