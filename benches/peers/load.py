"""What is asked of a proxy: works, a check that answers are right, and load by wrk or by count."""

import http.client
import re
import selectors
import socket
import subprocess
import time
from dataclasses import dataclass

from proxies import HERE, BenchError


@dataclass(frozen=True)
class Work:
    """One kind of request, and the answer it must get."""

    key: str
    title: str
    method: str
    path: str
    body_bytes: int
    closes: bool
    answer: bytes


ANSWERS = {"1k": b"k" * 1024, "1m": b"m" * 2**20}

WORKS = [
    Work("get", "GET, 1 KiB, kept-alive", "GET", "/1k", 0, False, ANSWERS["1k"]),
    Work("post", "POST of 16 KiB, kept-alive", "POST", "/post", 16384, False, b"16384"),
    Work("connect", "GET, 1 KiB, a new connection for each request", "GET", "/1k", 0, True, ANSWERS["1k"]),
    Work("large", "GET, 1 MiB, kept-alive", "GET", "/1m", 0, False, ANSWERS["1m"]),
]


def check(work, port, proxy):
    """Raises unless answers are right, and both nodes give them."""
    nodes = set()
    for _ in range(8):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            client.request(work.method, work.path, body=b"x" * work.body_bytes or None)
            answer = client.getresponse()
            body = answer.read()
        finally:
            client.close()
        if answer.status != 200 or body != work.answer:
            raise BenchError(f"{proxy} answers {work.method} {work.path} with {answer.status} and {len(body)} bytes")
        nodes.add(answer.getheader("X-Node"))
    if nodes != {"web-01", "web-02"}:
        raise BenchError(f"{proxy} does not ask both nodes, but {sorted(map(str, nodes))}")


@dataclass(frozen=True)
class Load:
    """What wrk saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: dict  # kind: how many, those that happened


def wrk(work, port, core, connections, seconds):
    keep = "close" if work.closes else "keep"
    command = ["taskset", "--cpu-list", str(core), "wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", "5s", "--script", str(HERE / "load.lua")]
    command += [f"http://127.0.0.1:{port}{work.path}", "--", work.method, str(work.body_bytes), keep]
    said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
    numbers = {name: int(number) for name, number in re.findall(r"([a-z]\w+) (\d+)(?= |$)", said.stdout, re.M)}
    if said.returncode or "requests" not in numbers:
        raise BenchError(f"wrk failed:\n{said.stdout}{said.stderr}")
    kinds = ("connect", "read", "write", "timeout", "status")
    return Load(
        requests=numbers["requests"],
        seconds=numbers["microseconds"] / 1e6,
        p50_ms=numbers["p50"] / 1e3,
        p99_ms=numbers["p99"] / 1e3,
        errors={kind: numbers[kind] for kind in kinds if numbers[kind]},
    )


class Crowd:
    """Kept-alive connections that ask a fixed number of times, each again as soon as it is answered."""

    def __init__(self, port, connections):
        self.request = f"GET /1k HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        self.selector = selectors.DefaultSelector()
        for _ in range(connections):
            client = socket.create_connection(("127.0.0.1", port), timeout=30)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(client, selectors.EVENT_READ, bytearray())

    def ask(self, count, seconds=300):
        """Has exactly `count` requests answered, or raises."""
        clients = [key.fileobj for key in self.selector.get_map().values()][:count]
        for client in clients:
            client.sendall(self.request)
        asked, answered = len(clients), 0
        deadline = time.monotonic() + seconds
        while answered < count:
            if time.monotonic() > deadline:
                raise BenchError(f"only {answered} of {count} requests were answered in {seconds} s")
            for key, _ in self.selector.select(1):
                if not self.is_answered(key):
                    continue
                answered += 1
                if asked < count:
                    key.fileobj.sendall(self.request)
                    asked += 1

    @staticmethod
    def is_answered(key):
        """Whether the answer is whole by now; raises if it is not the right one."""
        received = key.data
        piece = key.fileobj.recv(65536)
        received += piece
        head, blank, body = received.partition(b"\r\n\r\n")
        if blank and len(body) < 1024 and piece:
            return False
        if not blank and piece:
            return False
        if not head.startswith(b"HTTP/1.1 200 ") or body != ANSWERS["1k"]:
            raise BenchError(f"a wrong answer: {bytes(received[:200])!r}")
        received.clear()
        return True

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()
