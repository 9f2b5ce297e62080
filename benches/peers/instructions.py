"""Instructions of a proxy's worker per request, counted by callgrind: repeatable where times are not."""

import re
import shutil
import subprocess
import time
from dataclasses import replace

from load import Crowd
from proxies import BenchError, running

WARM, SHORT, LONG = 1000, 1000, 4000


# What serves a request: whatever follows the clock in the same thread is outside.
SERVING = "<pingora_proxy::HttpProxy<SV,C> as pingora_core::apps::HttpServerApp>::process_new_http::*"


def per_request(program, ports, place, files, core, connections, head="bare", change=None, inside=None):
    """The slope between a short and a long run, by which beginnings and ends cancel out.

    Only the thread that does most of the work is counted: the others follow the clock, not the requests. What callgrind
    wrote stays in `files`; the third dump is the long run. With `inside`, only what happens within that function.
    """
    for old in files.glob("callgrind.*"):
        old.unlink()
    valgrind = ("valgrind", "--quiet", "--tool=callgrind", "--separate-threads=yes")
    valgrind += (f"--callgrind-out-file={files}/callgrind.%p",)
    valgrind += (f"--toggle-collect={inside}",) if inside else ()
    with running(readable(program, place).alone(), ports, ports.front, place, core, valgrind, change) as process:
        crowd = Crowd(ports.front, connections, head)
        try:
            for count in (WARM, SHORT, LONG):
                crowd.ask(count)
                time.sleep(0.5)  # for what is done after the last answer
                dump(process.pid)
        finally:
            crowd.close()
    short, long = totals(files, 2), totals(files, 3)
    if not long:
        raise BenchError(f"callgrind wrote nothing about {program.name}")
    most = max(count - short.get(thread, 0) for thread, count in long.items())
    if not most:
        raise BenchError(f"callgrind counted nothing of {program.name}{f' in {inside}' if inside else ''}")
    return most / (LONG - SHORT)


def readable(program, place):
    """The program without its lines: valgrind 3.19 stops at those of a program that BOLT has laid out. It needs names only."""
    binary = place / f"{program.name.lower()}-for-valgrind"
    command = ["strip", "--strip-debug", "-o", binary, shutil.which(program.binary) or program.binary]
    stripped = subprocess.run(command, capture_output=True, timeout=60)
    return program if stripped.returncode else replace(program, binary=str(binary))


def dump(pid):
    """Has the process write what it counted since the last dump."""
    said = subprocess.run(["vgdb", f"--pid={pid}", "dump"], capture_output=True, text=True, timeout=60)
    if said.returncode:
        raise BenchError(f"vgdb could not reach process {pid}: {said.stderr.strip()}")


def totals(files, number):
    """Instructions of each thread in the dump of that number."""
    found = {}
    for file in files.glob(f"callgrind.*.{number}-*"):
        total = re.search(r"^(?:totals|summary): (\d+)", file.read_text(), re.M)
        found[file.name.replace(f".{number}-", "-")] = int(total.group(1)) if total else 0
    return found
