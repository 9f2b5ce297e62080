"""Programs under measurement: how each is started, and what it has used."""

import http.client
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
START_SECONDS = 30
STOP_SECONDS = 10


class BenchError(Exception):
    """Why there is nothing to compare."""


@dataclass(frozen=True)
class Program:
    """A program, its configuration beside this file, and the command that runs it in the foreground."""

    name: str
    binary: str
    config: str
    arguments: tuple  # `{config}` stands for the file
    version_arguments: tuple
    alone_arguments: tuple = ()  # to do all work in the process that is started, where that is not so anyway
    parts: tuple = ()  # the files that get what follows each line of `---` in the configuration
    environment: tuple = ()  # names and values; `{work}` stands for the directory that it runs in
    listens_early: bool = False  # before it knows of its site, and answers 404 until then

    def alone(self):
        return replace(self, arguments=self.arguments + self.alone_arguments)

    def surroundings(self, work):
        return os.environ | {name: value.format(work=work) for name, value in self.environment}

    def command(self, config):
        return [self.binary] + [argument.format(config=config) for argument in self.arguments]

    def version(self):
        said = subprocess.run([self.binary, *self.version_arguments], capture_output=True, text=True, timeout=20)
        said = (said.stdout + said.stderr).replace(self.binary, "")
        number = re.search(r"\d+\.\d+[\w.+-]*", said)
        return number.group() if number else "of unknown version"


def nginx(binary, name="nginx", config="nginx.conf"):
    arguments = ("-e", "stderr", "-p", ".", "-c", "{config}")
    return Program(name, binary, config, arguments, ("-v",), alone_arguments=("-g", "master_process off;"))


def haproxy(binary):
    return Program("HAProxy", binary, "haproxy.cfg", ("-db", "-f", "{config}"), ("-v",))


def bookend(binary):
    return Program("bookend", binary, "bookend.yaml", ("run", "-c", "{config}"), ("--version",))


@dataclass(frozen=True)
class Ports:
    """Free ports in place of those that the configurations name."""

    front: int
    node_1: int
    node_2: int

    def replace(self, text):
        for written, free in ((8080, self.front), (8001, self.node_1), (8002, self.node_2)):
            for between in (":", ", port_value: "):
                text = text.replace(f"127.0.0.1{between}{written}", f"127.0.0.1{between}{free}")
        return text


def free_ports():
    """Below the range that the system hands out for outgoing connections, of which the load needs many."""
    found = []
    while len(found) < 3:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return Ports(*found)


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def serves(port):
    """Whether answers of the nodes come through, with TLS or without."""
    plain = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    context = ssl._create_unverified_context()
    secure = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    for client in (plain, secure):
        try:
            client.request("GET", "/1k")
            if client.getresponse().status == 200:
                return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            client.close()
    return False


@contextmanager
def running(program, ports, port, work, core, wrapper=(), change=None):
    """The process of `program`, bound to `core`, once it is there on `port`; ended when the block is left.

    `change` makes another configuration of its own (see variants.py), from its name, its text and the directory.
    """
    text = (HERE / program.config).read_text()
    if change:
        text = change(program.name, text, work)
    config = work / program.config
    for file, part in zip((program.config, *program.parts), ports.replace(text).split("\n---\n")):
        (work / file).write_text(part)
    is_there = serves if program.listens_early else accepts
    log = work / f"{program.name.lower()}.log"
    command = ["taskset", "--cpu-list", str(core), *wrapper, *program.command(config)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=work,
            env=program.surroundings(work),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_there(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{program.name} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield process
    finally:
        end(process)


def end(process):
    """Ends the process, and whatever it started that is still there a while later."""
    members = tree(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()


def tree(pid):
    """The process and everything below it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid] + [member for child in children for member in tree(child)]


@dataclass(frozen=True)
class Usage:
    """What a process tree has used so far, in seconds of user and system time."""

    user: float
    system: float

    def __sub__(self, before):
        return Usage(self.user - before.user, self.system - before.system)

    def total(self):
        return self.user + self.system


def usage(pid):
    fields = [Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split() for member in tree(pid)]
    return Usage(sum(int(f[11]) for f in fields) / TICKS, sum(int(f[12]) for f in fields) / TICKS)


def memory_mib(pid):
    """Resident memory of the process tree."""
    return sum(int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in tree(pid)) * PAGE_MIB


def busy_seconds(core):
    """How long a core has done anything at all, or was taken away by the machine's host."""
    line = next(l for l in Path("/proc/stat").read_text().splitlines() if l.startswith(f"cpu{core} "))
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(n) for n in line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS
