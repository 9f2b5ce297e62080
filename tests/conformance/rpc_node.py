"""A gRPC node whose calls do what they are asked; prints its port first. Messages are plain bytes."""

import json
import sys
import threading
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

NAME = sys.argv[1]
IS_UNAVAILABLE = "unavailable" in sys.argv[2:]


class Site:
    def __init__(self, healthy):
        self.healthy = healthy
        self.seen = {"calls": 0, "cancelled": 0, "timeout": None}
        self.lock = threading.Lock()

    def begin(self, context):
        with self.lock:
            self.seen["calls"] += 1
            self.seen["timeout"] = context.time_remaining()
        if IS_UNAVAILABLE:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

    def whisper(self, message, context):
        """Says the message back, and what was sent with it."""
        self.begin(context)
        told = dict(context.invocation_metadata())
        context.send_initial_metadata([("x-node", NAME)])
        context.set_trailing_metadata(
            [("x-told", told.get("x-tell", "")), ("x-bytes-bin", told.get("x-tell-bin", b""))]
        )
        return message

    def count(self, message, context):
        """As many messages as it is told."""
        self.begin(context)
        yield from (str(number).encode() for number in range(int(message)))

    def gather(self, messages, context):
        """How many there were, and how long."""
        self.begin(context)
        lengths = [len(message) for message in messages]
        return json.dumps([len(lengths), sum(lengths)]).encode()

    def echo(self, messages, context):
        """Each as it comes."""
        self.begin(context)
        yield from messages

    def wait(self, message, context):
        """One message, and nothing more until the call is ended."""
        self.begin(context)
        ended = threading.Event()
        context.add_callback(ended.set)
        yield message
        ended.wait(60)
        with self.lock:
            self.seen["cancelled"] += 1

    def sleep(self, _message, context):
        """No answer until the call is ended."""
        self.begin(context)
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait(60)
        with self.lock:
            self.seen["cancelled"] += 1
        return b""

    def fail(self, message, context):
        """The status that it is told, after as many messages as it is told."""
        self.begin(context)
        code, messages = json.loads(message)
        yield from (b"message" for _ in range(messages))
        status = next(status for status in grpc.StatusCode if status.value[0] == code)
        context.abort(status, f"it is {status.name}: ü %")

    def set_health(self, message, _context):
        status = health_pb2.HealthCheckResponse.ServingStatus.Value(message.decode())
        self.healthy.set("", status)
        return b""

    def tell(self, _message, _context):
        with self.lock:
            return json.dumps(self.seen).encode()

    def handlers(self):
        unary, to_many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        from_many, both = grpc.stream_unary_rpc_method_handler, grpc.stream_stream_rpc_method_handler
        methods = {
            "Whisper": unary(self.whisper),
            "Count": to_many(self.count),
            "Gather": from_many(self.gather),
            "Echo": both(self.echo),
            "Wait": to_many(self.wait),
            "Sleep": unary(self.sleep),
            "Fail": to_many(self.fail),
            "SetHealth": unary(self.set_health),
            "Tell": unary(self.tell),
        }
        return grpc.method_handlers_generic_handler("site.Site", methods)


healthy = health.HealthServicer()
healthy.set("", health_pb2.HealthCheckResponse.SERVING)
server = grpc.server(futures.ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", 64 << 20)])
server.add_generic_rpc_handlers([Site(healthy).handlers()])
health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
