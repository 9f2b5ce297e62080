"""HTTP/2 byte by byte: a connection that sends exactly the frames it is told, and reads what comes back."""

import socket
import ssl
import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY_FLAG = 0x4, 0x8, 0x20
NAMES = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
]
REQUEST = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "site.test")]
POST = [(":method", "POST"), *REQUEST[1:]]
PATIENCE = 10


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields):
    """A header block in which nothing is shared with another one, whatever stands in the fields."""
    said = b""
    for name, value in fields:
        name, value = (part.encode("latin-1") if isinstance(part, str) else part for part in (name, value))
        # Literal without indexing, a new name (RFC 7541, 6.2.2).
        said += b"\0" + text(name) + text(value)
    return said


def text(data):
    return hpack.hpack.encode_integer(len(data), 7) + data


def headers(fields=REQUEST, stream=1, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, block(fields))


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def name_of(code):
    return NAMES[code] if code < len(NAMES) else hex(code)


class Connection:
    """A connection by TLS that has agreed on `h2`."""

    def __init__(self, port, authority, hello):
        context = ssl.create_default_context(cafile=str(authority))
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.wire = context.wrap_socket(plain, server_hostname="site.test")
        if self.wire.selected_alpn_protocol() != "h2":
            raise OSError("bookend does not speak HTTP/2")
        self.wire.settimeout(PATIENCE)
        self.decoder = hpack.Decoder()
        self.read_so_far = b""
        self.is_open = True
        self.send(hello)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def send(self, data):
        try:
            self.wire.sendall(data)
        except OSError:
            # Whoever has said why may hang up before all of it is there.
            self.is_open = False

    def frames(self):
        """What comes, frame by frame, until the connection ends or nothing comes for a while."""
        while one := self.next():
            yield one

    def next(self):
        head = self.exactly(9)
        if not head:
            return None
        length = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = self.exactly(length) if length else b""
        return None if payload is None else (kind, flags, stream & 0x7FFFFFFF, payload)

    def exactly(self, length):
        while len(self.read_so_far) < length:
            try:
                more = self.wire.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                more = b""
            if not more:
                return None
            self.read_so_far += more
        found, self.read_so_far = self.read_so_far[:length], self.read_so_far[length:]
        return found

    def outcome(self, stream, may_be_well):
        """What comes of a stream: its status, how it was reset, or how the connection ended.

        Where it may not be well, whatever comes after an answer that is well is waited for.
        """
        status = None
        for kind, flags, on, payload in self.frames():
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK))
            elif kind == GOAWAY and (code := struct.unpack(">I", payload[4:8])[0]):
                return f"connection {name_of(code)}"
            elif kind == RST_STREAM and on == stream:
                # An answer may be whole before the rest of a request is of no use (RFC 9113, 8.1).
                code = struct.unpack(">I", payload)[0]
                return f"stream {name_of(code)}" if status is None or code else status
            elif kind == PING and flags & ACK and payload == b"is it ok":
                return status or "goes on"
            elif kind in (HEADERS, DATA):
                if kind == HEADERS:
                    fields = dict(self.decoder.decode(payload))
                    status = status or (fields.get(":status") if on == stream else None)
                if on == stream and flags & END_STREAM:
                    if may_be_well or status != "200":
                        return status
                    self.send(frame(PING, payload=b"is it ok"))
        return "closed"
