"""HTTP/2 from clients: frames made by hand, and curl, nghttp, h2load and Python's h2."""

import json
import re
import socket
import ssl
from contextlib import suppress

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

import http2_rows
import stage
import wire
from claims import holds, says, try_all

TITLE = "HTTP/2 from clients"


class Door:
    """A bookend that speaks HTTP/2 by TLS, in front of a node that counts what it is asked."""

    def __init__(self, place):
        self.place = place
        self.node = place.python("origin.py")
        self.authority = place.authority()
        self.port = place.bookend([self.node], tls=place.both_keys(), pool={"health_check": "off"})
        self.address = f"https://{stage.NAME}:{self.port}"

    def asked(self):
        """How many requests the node has had."""
        return json.loads(stage.run(["curl", "--silent", f"http://127.0.0.1:{self.node}/asked"]))


def report(place):
    door = Door(place)
    frames, wrong = by_hand(door)
    claims, failures = try_all(CLAIMS, door)
    tools = [("curl", "--version"), ("nghttp", "--version"), ("h2load", "--version")]
    versions = ", ".join(f"{tool} {stage.version([tool, how])}" for tool, how in tools)
    return [*frames, "", f"{versions}, h2 {stage.wheel('h2')}:", "", *claims], wrong + failures


def by_hand(door):
    """Plays every row on a connection of its own, and compares what comes of it and what the node hears of it."""
    rows = list(http2_rows.everything())
    wrong, unspecific, lenient, refused = [], [], [], 0
    for name, said, wanted in rows:
        may_be_well = bool(wanted & (http2_rows.FINE | http2_rows.ON))
        refused += not may_be_well
        before = door.asked()
        seen = played(door, said, may_be_well)
        if seen in wanted:
            pass
        elif name in http2_rows.LENIENT and seen in http2_rows.FINE:
            lenient.append(name)
            continue
        elif seen == "connection PROTOCOL_ERROR" and "closed" in wanted:
            unspecific.append(name)
        else:
            wrong.append(f"{name}: {seen}, not {' or '.join(sorted(wanted))}")
        # What is broken after its head may have begun at the node.
        if http2_rows.is_head_alone(said) and not may_be_well and door.asked() != before:
            wrong.append(f"{name}: a node heard of it")
    lines = [f"{len(rows)} connections with frames made by hand, {refused} of them with what may not be sent:", ""]
    as_it_has_to_be = "- What comes of each is what RFC 9113 and RFC 7541 say."
    if lenient:
        few = f"{len(lenient)} connections are served, without what should not be there (docs/decisions.md)"
        as_it_has_to_be = f"- What comes of the others is what RFC 9113 and RFC 7541 say; {few}: {'; '.join(lenient)}."
    lines += [f"- **Not so:** {one}" for one in wrong] or [as_it_has_to_be]
    if unspecific:
        few = f"{len(unspecific)} connections end as they have to, with PROTOCOL_ERROR where a code says more"
        lines.append(f"- {few}: {'; '.join(unspecific)}.")
    return lines, wrong


def played(door, said, may_be_well):
    """What comes of these frames."""
    has_preface = said.startswith(b"PRI ")
    hello = b"" if has_preface else wire.PREFACE + wire.settings()
    stream = 1 if has_preface else int.from_bytes(said[5:9], "big") & 0x7FFFFFFF
    with wire.Connection(door.port, door.authority, hello) as connection:
        connection.send(said)
        try:
            return connection.outcome(stream or 1, may_be_well)
        except TimeoutError:
            return "nothing"


def curl(door, *more, path="/"):
    resolve = ["--resolve", f"{stage.NAME}:{door.port}:127.0.0.1", "--cacert", door.authority]
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *resolve, *more, f"{door.address}{path}"]
    return stage.run(command, is_expected=stage.any_exit)


def by_curl(door):
    """curl agrees on HTTP/2, and requests with and without a body of 8 MB are whole at the node."""
    body = door.place.place / "body"
    body.write_bytes(b"x" * 8_000_000)
    version = curl(door, "--http2", "--output", "/dev/null", "--write-out", "%{http_version} %{http_code}")
    holds(version == "2 200", version)
    for more in [["--data-binary", f"@{body}"], ["--upload-file", body]]:
        seen = json.loads(curl(door, "--http2", *more))
        holds(seen["length"] == 8_000_000, seen)
    head = curl(door, "--http2", "--head", path="/bytes/100")
    says(head, "HTTP/2 200", "content-length: 100")
    length = curl(door, "--http2", "--output", "/dev/null", "--write-out", "%{size_download}", path="/bytes/8000000")
    holds(length == "8000000", length)


def by_nghttp(door):
    """nghttp reads ten answers over one connection, a long one through a window of 1 KiB as well."""
    address = f"https://127.0.0.1:{door.port}/bytes/100000"
    said = stage.run(["nghttp", "-nv", "--no-dep", "-H", f":authority: {stage.NAME}", "-m", "10", address])
    holds(said.count(":status: 200") == 10, said[-1500:])
    said = stage.run(["nghttp", "--no-dep", "-w", "10", "-W", "10", "-H", f":authority: {stage.NAME}", address])
    holds(said.count("x") >= 100_000, len(said))


def by_h2load(door):
    """h2load has 2,000 requests answered, 10 at once on each of 10 connections, without a failure."""
    options = ["-n", "2000", "-c", "10", "-m", "10", "--header", f":authority: {stage.NAME}"]
    said = stage.run(["h2load", *options, f"https://127.0.0.1:{door.port}/bytes/1000"], seconds=120)
    says(said, "Application protocol: h2")
    found = re.search(r"requests: (.*)", said).group(1)
    says(found, "2000 succeeded", "0 failed", "0 errored", "0 timeout")


class Client:
    """A client by Python's h2, which holds both sides to the protocol."""

    def __init__(self, door):
        context = ssl.create_default_context(cafile=str(door.authority))
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", door.port), timeout=stage.PATIENCE)
        self.wire = context.wrap_socket(plain, server_hostname=stage.NAME)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def flush(self):
        self.wire.sendall(self.h2.data_to_send())

    def events(self):
        self.flush()
        while data := self.wire.recv(65536):
            yield from self.h2.receive_data(data)
            self.flush()

    def ask(self, stream, path="/", method="GET", more=(), end=True):
        fields = [(":method", method), (":scheme", "https"), (":authority", stage.NAME), (":path", path), *more]
        self.h2.send_headers(stream, fields, end_stream=end)

    def answers(self, *streams):
        """The bodies of these streams, by their number; each window is opened as it is read."""
        bodies, left = {stream: b"" for stream in streams}, set(streams)
        for event in self.events():
            if isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                left.discard(event.stream_id)
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                raise AssertionError(f"saw {event}")
            if not left:
                return bodies
        raise AssertionError(f"the connection ended before {left}")


def many_streams(door):
    """Fifty streams at once on a connection are answered, each with its own; h2 finds nothing wrong in any frame."""
    with Client(door) as client:
        streams = range(1, 100, 2)
        for stream in streams:
            client.ask(stream, path=f"/?{stream}")
        bodies = client.answers(*streams)
    for stream, body in bodies.items():
        target = json.loads(body)["target"]
        holds(target == f"/?{stream}", (stream, target))


def windows(door):
    """No byte more than a client's window comes: not of a window of one byte, and not after it was made smaller."""
    with Client(door) as client:
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1})
        client.ask(1, path="/bytes/10")
        got = b""
        for event in client.events():
            if isinstance(event, h2.events.DataReceived):
                # h2 would have raised had there been more than the window.
                got += event.data
                # Its end may have come along with it.
                with suppress(h2.exceptions.StreamClosedError):
                    client.h2.increment_flow_control_window(1, stream_id=1)
            if isinstance(event, h2.events.StreamEnded):
                break
    holds(got == b"x" * 10, got)


def reset_streams(door):
    """Whoever resets a stream keeps the connection: those beside it, and the next, are answered."""
    with Client(door) as client:
        for stream in [1, 3]:
            client.ask(stream, path="/bytes/1000000")
        client.flush()
        client.h2.reset_stream(1, error_code=8)
        bodies = client.answers(3)
        holds(len(bodies[3]) == 1_000_000, len(bodies[3]))
        client.ask(5)
        holds(client.answers(5)[5], "no answer")


def cookies(door):
    """A cookie that came in pieces (RFC 9113, 8.2.3) is one at the node."""
    with Client(door) as client:
        client.ask(1, more=[("cookie", "a=1"), ("cookie", "b=2")])
        headers = json.loads(client.answers(1)[1])["headers"]
    holds(headers.get("cookie") == "a=1; b=2", headers.get("cookie"))


def goodbye(door):
    """A client that says GOAWAY is served what it has asked before."""
    with Client(door) as client:
        client.ask(1, path="/bytes/100000")
        client.flush()
        client.wire.sendall(wire.frame(wire.GOAWAY, payload=b"\0" * 8))
        holds(len(client.answers(1)[1]) == 100_000, "it was cut")


CLAIMS = [by_curl, by_nghttp, by_h2load, many_streams, windows, reset_streams, cookies, goodbye]
