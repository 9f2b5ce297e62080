"""What is not one kind of request against one proxy after the other: crowds, slow nodes, checks, threads, many pools.

Each scene returns a section of the report. Every figure is the median of rounds in which every proxy ran once.
"""

import re
import resource
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import median

import instructions
import load
import proxies
import report
import variants

ROUNDS = 3
CROWD = 10_000
CHECKED = 1_000
CHECK_SECONDS = 4
# Who does not check nodes by a connection.
UNCHECKED = {
    "nginx": "does not check nodes (that is part of nginx Plus)",
    "Traefik": "checks the nodes of HTTP by requests only",
    "Caddy": "checks nodes by requests only",
}
FAST_MS, SLOW_MS = 5, 100
POOLS, ROUTES, NODES = 1_000, 10, 5


@dataclass(frozen=True)
class Site:
    """Where scenes are played."""

    programs: list
    ports: proxies.Ports
    place: object
    cores: list
    options: object

    def rounds(self, titles, play):
        """For each round the values of each proxy, by its name; the order turns from round to round."""
        found = []
        for number in range(ROUNDS):
            turn = number % len(self.programs)
            order = self.programs[turn:] + self.programs[:turn]
            values = {program.name: play(program) for program in order}
            found.append({program.name: values[program.name] for program in self.programs})
            for name, seen in values.items():
                said = ", ".join(f"{value:,.2f} {title}" for title, value in zip(titles, seen))
                print(f"round {number + 1} of {ROUNDS}, {name}: {said}", file=sys.stderr, flush=True)
        return found

    def running(self, program, change, core=None):
        core = self.cores[0] if core is None else core
        return proxies.running(program, self.ports, self.ports.front, self.place, core, change=change)


def idle(site):
    """Memory while ten thousand clients are connected and ask nothing."""
    # A proxy wants two for each client, and some.
    crowd = min(CROWD, allow_descriptors(2 * CROWD + 2_000) // 2 - 1_000)

    def play(program):
        with site.running(program, variants.crowded(crowd)) as process:
            load.check(load.WORKS[0], site.ports.front, program.name)
            before = proxies.memory_mib(process.pid)
            with connected(site.ports.front, crowd):
                with_crowd = proxies.memory_mib(process.pid)
        return with_crowd, before, (with_crowd - before) * 1024 / crowd

    titles = ["MiB", "MiB before", "KiB for each"]
    rounds = site.rounds(titles, play)
    title = f"Memory with {crowd:,} idle connections, each of which was answered once"
    return report.scene_section(title, titles, [",.1f", ",.1f", ".2f"], rounds)


def slow(site):
    """How long requests take while one of two nodes is slow, by the way in which nodes are picked."""
    ways = [
        ("bookend power_of_two", "bookend", {"bookend": "power_of_two"}),
        ("bookend least_loaded", "bookend", {"bookend": "least_loaded"}),
        ("bookend round_robin", "bookend", {"bookend": "round_robin"}),
        ("HAProxy random(2)", "HAProxy", {"HAProxy": "random(2)"}),
        ("HAProxy leastconn", "HAProxy", {"HAProxy": "leastconn"}),
        ("nginx random two least_conn", "nginx", {"nginx": "random two least_conn;"}),
        ("nginx least_conn", "nginx", {"nginx": "least_conn;"}),
        ("Envoy LEAST_REQUEST", "Envoy", {"Envoy": "lb_policy: LEAST_REQUEST"}),
        ("Traefik p2c", "Traefik", {"Traefik": "strategy: p2c"}),
        ("Caddy random_choose 2", "Caddy", {"Caddy": "lb_policy random_choose 2"}),
        ("Caddy least_conn", "Caddy", {"Caddy": "lb_policy least_conn"}),
    ]
    programs = {program.name: program for program in site.programs}
    ports = proxies.free_ports()
    ports = proxies.Ports(site.ports.front, ports.node_1, ports.node_2)
    site = Site(site.programs, ports, site.place, site.cores, None)
    work, found = load.Work("slow", "", path="/1k"), {}
    for millis in (FAST_MS, SLOW_MS):
        with slow_nodes(site, millis):
            for title, name, by in ways:
                if name in programs:
                    with site.running(programs[name], variants.balanced(by)):
                        load.put(work, site.ports.front, site.cores[1], 16, 1)
                        found.setdefault(title, []).append(load.put(work, site.ports.front, site.cores[1], 16, 2))
    rows = []
    for title, (alike, unlike) in found.items():
        ratio = unlike.p99_ms / alike.p99_ms
        cells = [alike.p99_ms, unlike.p50_ms, unlike.p99_ms, ratio, unlike.requests / unlike.seconds]
        rows.append([title, *map(format, cells, (".1f", ".1f", ".1f", ".2f", ",.0f"))])
    head = ["16 connections, 2 s", "p99 ms, both fast", "p50 ms, one slow", "p99 ms, one slow"]
    head += ["p99: times", "requests/s"]
    title = f"One of two nodes answers after {SLOW_MS} ms, the other after {FAST_MS} ms"
    return "\n\n".join([f"### {title}", report.table(head, rows)])


def checks(site):
    """CPU time of nothing but checks."""
    allow_descriptors(4 * CHECKED)
    all_names = [program.name for program in site.programs]
    site = replace(site, programs=[program for program in site.programs if program.name not in UNCHECKED])

    def play(program):
        with listening(CHECKED) as (ports, accepted):
            with site.running(program, variants.checking(ports)) as process:
                time.sleep(CHECK_SECONDS / 2)  # so that each has been checked
                used, seen, began = proxies.usage(process.pid), accepted(), time.monotonic()
                time.sleep(CHECK_SECONDS)
                used, took = proxies.usage(process.pid) - used, time.monotonic() - began
                made = accepted() - seen
        return used.total() * 1e3 / took, made / took

    titles = ["ms of CPU in a second", "connections accepted in a second"]
    rounds = site.rounds(titles, play)
    title = f"{CHECKED:,} nodes, each checked by a connection every two seconds"
    section = report.scene_section(title, titles, [".1f", ",.0f"], rounds)
    # HAProxy resets a connection before its last step, so that nobody has to accept it.
    unable = "".join(f" {name} {why}." for name, why in UNCHECKED.items() if name in all_names)
    return f"{section}\n\nHAProxy's checks end before the node accepts them.{unable}"


def threads(site):
    """CPU time for a request with one thread and with two, where both have both cores, and so has the load."""
    work, both = load.WORKS[0], ",".join(map(str, site.cores))
    seconds = site.options.seconds
    able = [program for program in site.programs if program.name == "bookend"]
    site = Site(able, site.ports, site.place, site.cores, None)

    def play(program):
        found = []
        for count in (1, 2):
            with site.running(program, variants.threaded(count), both) as process:
                load.put(work, site.ports.front, both, 64, 1)
                used = proxies.usage(process.pid)
                seen = load.put(work, site.ports.front, both, 64, seconds)
                used = proxies.usage(process.pid) - used
                found.append(used.total() * 1e6 / seen.requests)
        return *found, found[1] / found[0]

    titles = ["µs, one thread", "µs, two", "two / one"]
    rounds = site.rounds(titles, play)
    title = "CPU time for a request with two threads, and with one"
    section = report.scene_section(title, titles, [".1f", ".1f", ".2f"], rounds)
    return f"{section}\n\nThis compares bookend with itself."


def many(site):
    """What a thousand pools cost bookend: for a request, and when they are read again."""
    program = next((program for program in site.programs if program.name == "bookend"), None)
    if not program:
        return "Only bookend is measured with many pools."
    large = variants.many(POOLS, ROUTES, NODES)
    counted = []
    for name, change in (("few", variants.alone), ("many", large)):
        files = site.place / name
        files.mkdir(exist_ok=True)
        inside = instructions.SERVING
        count = instructions.per_request(
            program, site.ports, site.place, files, site.cores[0], 64, change=change, inside=inside
        )
        counted.append(count)
    reloads = [reload(site, program, large) for _ in range(ROUNDS)]
    took, used, quiet, longest = (median(values) for values in zip(*reloads))
    rows = [
        ["instructions of a request's task, two nodes in one pool", f"{counted[0]:,.0f}"],
        [f"with {POOLS:,} pools, {POOLS * ROUTES:,} routes, {POOLS * NODES:,} nodes beside it", f"{counted[1]:,.0f}"],
        ["that is", f"{counted[1] / counted[0]:.3f} times"],
        ["reload of that, without load: ms from the command to its end", f"{took:,.0f}"],
        ["ms of CPU time, of the process", f"{used:,.0f}"],
        ["longest request in 2 s without a reload, ms, 4 connections", f"{quiet:.1f}"],
        ["longest request in 2 s with one, ms", f"{longest:.1f}"],
    ]
    title = f"### {POOLS:,} pools, {POOLS * ROUTES:,} routes, {POOLS * NODES:,} nodes"
    return "\n\n".join([title, report.table(["bookend, without checks", ""], rows)])


def reload(site, program, change):
    """Milliseconds that a reload took and CPU time that it used while nobody asked; the longest request without and with one."""
    work = load.WORKS[0]
    with site.running(program, change) as process, ThreadPoolExecutor(1) as aside:
        time.sleep(1)
        before, began = proxies.usage(process.pid), time.monotonic()
        rename(site, program, 7)
        took, used = time.monotonic() - began, proxies.usage(process.pid)
        quiet = load.put(work, site.ports.front, site.cores[1], 4, 2)
        meanwhile = aside.submit(load.put, work, site.ports.front, site.cores[1], 4, 2)
        time.sleep(0.5)
        rename(site, program, 8)
        return took * 1e3, (used - before).total() * 1e3, quiet.longest_ms, meanwhile.result().longest_ms


def rename(site, program, number):
    """Gives a pool another name, and has the configuration read again."""
    config = site.place / program.config
    config.write_text(re.sub(rf"\bpool-{number}\b(?!\.)", f"pool-{number}-new", config.read_text()))
    command = [program.binary, "reload", "--socket", str(site.place / "state" / "admin.sock")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if said.returncode:
        raise proxies.BenchError(f"bookend did not reload:\n{said.stdout}{said.stderr}")


def allow_descriptors(count):
    """For this process and those that it starts; says how many there are, which may be fewer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, count), max(most, count)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@contextmanager
def connected(port, count):
    """So many clients, each of which was answered once."""
    request = f"GET /1k HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            # Ended by a reset, so that no port is taken for another minute.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(request)
            received = b""
            while not received.endswith(load.ANSWERS["1k"]):
                piece = client.recv(65536)
                if not piece:
                    raise proxies.BenchError("a client of the crowd was turned away")
                received += piece
        yield


@contextmanager
def slow_nodes(site, millis):
    """Nodes that do nothing but wait; the first is fast, the second takes so long."""
    script = str(proxies.HERE / "slow_nodes.py")
    command = ["taskset", "--cpu-list", str(site.cores[1]), sys.executable, "-B", script]
    command += map(str, (site.ports.node_1, FAST_MS, site.ports.node_2, millis))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            raise proxies.BenchError("the slow nodes did not start")
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def listening(count):
    """Ports of so many nodes that do nothing but accept, and how many connections they have accepted."""
    selector, accepted, is_done = selectors.DefaultSelector(), [0], [False]
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        for listener in sockets:
            selector.register(listener, selectors.EVENT_READ)

        def accept():
            while not is_done[0]:
                for key, _ in selector.select(0.1):
                    key.fileobj.accept()[0].close()
                    accepted[0] += 1

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield [listener.getsockname()[1] for listener in sockets], lambda: accepted[0]
        finally:
            is_done[0] = True
            thread.join()


# By the names that `run --works` takes.
SCENES = {"idle": idle, "threads": threads, "slow": slow, "checks": checks, "many": many}
