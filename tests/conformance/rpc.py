"""gRPC: a client and nodes of grpcio, with bookend between them."""

import json
import threading

import grpc

import stage
from claims import holds, try_all

TITLE = "gRPC"
LARGE = [("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_retries", 0)]
MANY = 500


class Calls:
    """A client's side of the nodes' calls."""

    def __init__(self, channel):
        self.channel = channel

    def unary(self, name):
        return self.channel.unary_unary(f"/site.Site/{name}")

    def to_many(self, name):
        return self.channel.unary_stream(f"/site.Site/{name}")

    def from_many(self, name):
        return self.channel.stream_unary(f"/site.Site/{name}")

    def both(self, name):
        return self.channel.stream_stream(f"/site.Site/{name}")


class Line:
    """A client, bookend, and nodes."""

    def __init__(self, place, *modes, pool=None):
        self.place = place
        self.nodes = [place.python("rpc_node.py", f"node-{number}", *mode) for number, mode in enumerate(modes)]
        self.port = place.bookend(self.nodes, tls=place.both_keys(), pool={"protocol": "http2", **(pool or {})})
        trusted = grpc.ssl_channel_credentials(place.authority().read_bytes())
        options = [*LARGE, ("grpc.ssl_target_name_override", stage.NAME)]
        self.channel = place.keep(grpc.secure_channel(f"127.0.0.1:{self.port}", trusted, options))
        self.calls = Calls(self.channel)

    def node(self, number):
        """A node asked directly."""
        return Calls(self.place.keep(grpc.insecure_channel(f"127.0.0.1:{self.nodes[number]}", LARGE)))

    def seen(self, number):
        return json.loads(self.node(number).unary("Tell")(b"", timeout=stage.PATIENCE))


def report(place):
    line = Line(place, [])
    lines, failures = try_all(CLAIMS, line)
    more, wrong = try_all(CLAIMS_OF_SEVERAL, place)
    version = f"A client by TLS and nodes without it, all of grpcio {stage.wheel('grpcio')}:"
    return [version, "", *lines, *more], failures + wrong


def outcome(call, *arguments, **more):
    """The status of a call and what it says."""
    try:
        done = call(*arguments, timeout=more.pop("timeout", stage.PATIENCE), **more)
        messages = [done] if isinstance(done, bytes) else list(done)
        return grpc.StatusCode.OK, "", len(messages)
    except grpc.RpcError as why:
        return why.code(), why.details(), 0


def unary(line):
    """A call comes back, with what was sent along at its beginning and its end, bytes as well."""
    sent = [("x-tell", "words"), ("x-tell-bin", bytes(range(256)))]
    answer, call = line.calls.unary("Whisper").with_call(b"hello", metadata=sent, timeout=stage.PATIENCE)
    first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
    holds(answer == b"hello" and first.get("x-node") == "node-0", (answer, first))
    holds((last.get("x-told"), last.get("x-bytes-bin")) == ("words", bytes(range(256))), last)


def large(line):
    """Messages of 8 MB are whole both ways."""
    message = bytes(range(256)) * 32_768
    answer = line.calls.unary("Whisper")(message, timeout=stage.PATIENCE)
    holds(answer == message, len(answer))


def to_client(line):
    """A stream of messages to the client is whole and in order."""
    answers = list(line.calls.to_many("Count")(str(MANY).encode(), timeout=stage.PATIENCE))
    holds(answers == [str(number).encode() for number in range(MANY)], len(answers))


def to_node(line):
    """A stream of messages to the node is whole."""
    messages = (b"x" * 1000 for _ in range(MANY))
    answer = line.calls.from_many("Gather")(messages, timeout=stage.PATIENCE)
    holds(json.loads(answer) == [MANY, MANY * 1000], answer)


def both_ways(line):
    """Messages go to and fro on one call, each answered before the next is sent: nothing is held back."""
    heard = threading.Semaphore(1)

    def messages():
        for number in range(MANY):
            heard.acquire()
            yield str(number).encode()

    answers = []
    for answer in line.calls.both("Echo")(messages(), timeout=stage.PATIENCE):
        answers.append(answer)
        heard.release()
    holds(answers == [str(number).encode() for number in range(MANY)], len(answers))


def at_once(line):
    """A hundred streams at once on one connection do not hold each other up."""
    calls = [line.calls.to_many("Count")(b"50", timeout=stage.PATIENCE) for _ in range(100)]
    lengths = {len(list(call)) for call in calls}
    holds(lengths == {50}, lengths)


def deadlines(line):
    """The node is told of a deadline; when it has passed the client hears DEADLINE_EXCEEDED and the node's call ends."""
    before = line.seen(0)["cancelled"]
    code, _, _ = outcome(line.calls.unary("Sleep"), b"", timeout=0.5)
    holds(code == grpc.StatusCode.DEADLINE_EXCEEDED, code)
    stage.wait_until(lambda: line.seen(0)["cancelled"] > before, lambda: "the node's call did not end")
    line.calls.unary("Whisper")(b"", timeout=20)
    told = line.seen(0)["timeout"]
    holds(told is not None and 10 < told < 22, told)


def cancellation(line):
    """What a client gives up ends at the node."""
    before = line.seen(0)["cancelled"]
    call = line.calls.to_many("Wait")(b"first", timeout=stage.PATIENCE)
    holds(next(call) == b"first", "no first message")
    call.cancel()
    stage.wait_until(lambda: line.seen(0)["cancelled"] > before, lambda: "the node's call did not end")


def statuses(line):
    """Every status that a node ends a call with reaches the client as it is, after messages and without any."""
    for status in grpc.StatusCode:
        # That without a message is another claim.
        for messages in [0, 3] if status is not grpc.StatusCode.UNAVAILABLE else [3]:
            if status is grpc.StatusCode.OK:
                continue
            code, details, _ = outcome(line.calls.to_many("Fail"), json.dumps([status.value[0], messages]).encode())
            holds((code, details) == (status, f"it is {status.name}: ü %"), (status, messages, code, details))


def unknown(line):
    """A method that the node does not have is UNIMPLEMENTED."""
    code, _, _ = outcome(line.calls.unary("Nothing"), b"")
    holds(code == grpc.StatusCode.UNIMPLEMENTED, code)


def unavailable(place):
    """A node that answers UNAVAILABLE before any message is not what clients hear: another one answers."""
    line = Line(place, ["unavailable"], [])
    outcomes = [outcome(line.calls.unary("Whisper"), b"hello") for _ in range(60)]
    holds({code for code, _, _ in outcomes} == {grpc.StatusCode.OK}, outcomes)
    holds(line.seen(0)["calls"] > 0, "nobody asked the one that is unavailable")


def gone(place):
    """A node that is killed between two calls fails neither."""
    line = Line(place, [], [])
    for number in range(60):
        if number == 20:
            place.kill(line.nodes[0])
        code, details, _ = outcome(line.calls.unary("Whisper"), b"hello")
        holds(code == grpc.StatusCode.OK, (number, code, details))


def broken_off(place):
    """A call whose node is killed half way ends with a status, after all messages that had come."""
    line = Line(place, [])
    call = line.calls.to_many("Wait")(b"first", timeout=stage.PATIENCE)
    holds(next(call) == b"first", "no first message")
    place.kill(line.nodes[0])
    code, _, _ = outcome(lambda **_: call)
    holds(code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL), code)


def nobody(place):
    """Where no node is there, bookend itself answers with a status of gRPC, UNAVAILABLE."""
    line = Line(place, [], pool={"queue": "off"})
    place.kill(line.nodes[0])
    code, details, _ = outcome(line.calls.unary("Whisper"), b"hello")
    holds(code == grpc.StatusCode.UNAVAILABLE and "http" not in details.lower(), (code, details))


def checks(place):
    """A node that tells a health check (`grpc.health.v1`) that it does not serve gets nothing until it does."""
    line = Line(place, [], [], pool={"health_check": {"type": "grpc", "interval": "250ms"}})
    line.node(0).unary("SetHealth")(b"NOT_SERVING", timeout=stage.PATIENCE)
    stage.wait_until(lambda: "node is down" in place.log(line.port), lambda: "nobody noticed")
    before = line.seen(0)["calls"]
    outcomes = {outcome(line.calls.unary("Whisper"), b"hello")[0] for _ in range(30)}
    holds(outcomes == {grpc.StatusCode.OK} and line.seen(0)["calls"] == before, (outcomes, before, line.seen(0)))
    line.node(0).unary("SetHealth")(b"SERVING", timeout=stage.PATIENCE)

    def is_back():
        outcome(line.calls.unary("Whisper"), b"hello")
        return line.seen(0)["calls"] > before

    stage.wait_until(is_back, lambda: "it did not come back")


CLAIMS = [
    unary,
    large,
    to_client,
    to_node,
    both_ways,
    at_once,
    deadlines,
    cancellation,
    statuses,
    unknown,
]
CLAIMS_OF_SEVERAL = [unavailable, gone, broken_off, nobody, checks]
