import platform
import subprocess
import sys

import pytest

TWICE = """
import resource
import numpy as np
from pedbench.host.malloc import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**22, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
print(faults(), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_memory_is_used_again() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True)
    first, second = map(int, done.stdout.split())
    assert first > 100
    assert second < first / 10


GIVEN_BACK = """
import threading
from pathlib import Path
import numpy as np
from pedbench.host.malloc import give_back_freed_memory

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

freed, done = threading.Event(), threading.Event()

def work():
    # The last of many small blocks stays, so that the allocator cannot shrink the arena by itself.
    blocks = [np.ones(2**12) for _ in range(2**12)]
    last = np.ones(2**12)
    del blocks
    freed.set()
    done.wait()

thread = threading.Thread(target=work)
thread.start()
freed.wait()
before = resident()
give_back_freed_memory()
after = resident()
done.set()
print(before - after)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_memory_of_other_threads_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 100_000, "less than 100 MB of the 128 MiB came back"
