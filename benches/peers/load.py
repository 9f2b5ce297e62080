"""What is asked of a proxy: works, a check that answers are right, and load by wrk, by h2load or by count."""

import http.client
import re
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Callable, Optional

import variants
from proxies import HERE, BenchError

ANSWERS = {"1k": b"k" * 1024, "1m": b"m" * 2**20}


@dataclass(frozen=True)
class Work:
    """One kind of request, and the answer it must get."""

    key: str
    title: str
    method: str = "GET"
    path: str = "/1k"
    body_bytes: int = 0
    closes: bool = False
    answer: bytes = ANSWERS["1k"]
    change: Optional[Callable] = None  # how the proxies are set up for it
    tool: str = "wrk"  # or `returning`, or `h2load`

    def is_secure(self):
        return self.change is variants.secured

    def url(self, port):
        return f"http{'s' if self.is_secure() else ''}://127.0.0.1:{port}{self.path}"


NEW = "GET, 1 KiB, a new connection for each request"
WORKS = [
    Work("get", "GET, 1 KiB, kept-alive"),
    Work("log", "GET, 1 KiB, kept-alive, with an access log in JSON", change=variants.logged),
    Work("post", "POST of 16 KiB, kept-alive", "POST", "/post", 16384, answer=b"16384"),
    Work("large", "GET, 1 MiB, kept-alive", path="/1m", answer=ANSWERS["1m"]),
    Work("connect", NEW, closes=True),
    Work("tls", f"{NEW}, TLS (ECDSA) with a whole handshake", closes=True, change=variants.secured),
    Work("resumed", f"{NEW}, TLS resumed, one client", closes=True, change=variants.secured, tool="returning"),
    Work("h2", "GET, 1 KiB, HTTP/2 over TLS", change=variants.secured, tool="h2load"),
]


def check(work, port, proxy):
    """Raises unless answers are right, and both nodes give them."""
    nodes = set()
    for _ in range(8):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        if work.is_secure():
            unchecked = ssl._create_unverified_context()
            client = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=unchecked)
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
    longest_ms: float
    errors: dict  # kind: how many, those that happened


def put(work, port, core, connections, seconds):
    """Has the work's own tool ask, bound to `core`, for so long."""
    bound = ["taskset", "--cpu-list", str(core)]
    if work.tool == "h2load":
        return h2load(bound, work.url(port), connections, seconds)
    if work.tool == "returning":
        command = [sys.executable, "-B", str(HERE / "returning.py"), str(port), work.path, str(seconds)]
    else:
        command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
        command += ["--timeout", "5s", "--script", str(HERE / "load.lua"), work.url(port), "--"]
        command += [work.method, str(work.body_bytes), "close" if work.closes else "keep"]
    said = subprocess.run(bound + command, capture_output=True, text=True, timeout=seconds + 30)
    numbers = {name: int(number) for name, number in re.findall(r"([a-z]\w+) (\d+)(?= |$)", said.stdout, re.M)}
    if said.returncode or "requests" not in numbers:
        raise BenchError(f"{work.tool} failed:\n{said.stdout}{said.stderr}")
    kinds = ("connect", "read", "write", "timeout", "status")
    return Load(
        requests=numbers["requests"],
        seconds=numbers["microseconds"] / 1e6,
        p50_ms=numbers["p50"] / 1e3,
        p99_ms=numbers["p99"] / 1e3,
        longest_ms=numbers["longest"] / 1e3,
        errors={kind: numbers[kind] for kind in kinds if numbers[kind]},
    )


def speaks_h2(port):
    """Whether whoever listens agrees on HTTP/2."""
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        with context.wrap_socket(plain) as client:
            return client.selected_alpn_protocol() == "h2"


def h2load(bound, url, connections, seconds):
    with tempfile.NamedTemporaryFile(mode="r") as log:
        command = [*bound, "h2load", "--clients", str(connections), "--duration", str(seconds)]
        command += ["--log-file", log.name, url]
        said = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
        lines = [line.split() for line in log]
    if said.returncode or "Application protocol: h2" not in said.stdout or not lines:
        raise BenchError(f"h2load failed:\n{said.stdout}{said.stderr}")
    took = sorted(int(micros) for _, _, micros in lines)
    wrong = sum(status != "200" for _, status, _ in lines)
    return Load(
        requests=len(lines) - wrong,
        seconds=seconds,
        p50_ms=took[len(took) // 2] / 1e3,
        p99_ms=took[len(took) * 99 // 100] / 1e3,
        longest_ms=took[-1] / 1e3,
        errors={"status": wrong} if wrong else {},
    )


# What wrk sends beside the host, and what a browser does.
HEADS = {
    "bare": "",
    "browser": """Connection: keep-alive
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
Accept-Encoding: gzip, deflate, br, zstd
Accept-Language: en-GB,en;q=0.9
Referer: https://www.example.com/products/?page=2
Cookie: session=3f2a9c1b7d5e4f60a1b2c3d4e5f60718; consent=all
""",
}


class Crowd:
    """Kept-alive connections that ask a fixed number of times, each again as soon as it is answered."""

    def __init__(self, port, connections, head="bare"):
        head = f"GET /1k HTTP/1.1\nHost: 127.0.0.1:{port}\n{HEADS[head]}\n"
        self.request = head.replace("\n", "\r\n").encode()
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
