"""Frames that clients may not send, and some that they may, with what has to come of each (RFC 9113, RFC 7541)."""

import struct

from wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    POST,
    PREFACE,
    PRIORITY,
    PRIORITY_FLAG,
    PUSH_PROMISE,
    REQUEST,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    block,
    frame,
    headers,
    settings,
)

OPEN = headers(POST, flags=END_HEADERS)
ALIVE = frame(PING, payload=b"is it ok")


def gone(*codes):
    """The connection ends with one of these; whoever just hangs up has ended it as well (RFC 9113, 5.4.1)."""
    return {*(f"connection {code}" for code in codes), "closed"}


def broken(*codes):
    """The stream ends with one of these; an endpoint may make it an error of the connection (RFC 9113, 5.4.2)."""
    return {*(f"stream {code}" for code in codes), *gone(*codes)}


# What the library below has taken out before anybody can see it (docs/decisions.md).
LENIENT = {"RFC 9113, 8.1: trailers with a pseudo-field", "RFC 9113, 8.3.1: the path '/a#b'"}

FINE = {"200"}
ON = {"goes on"}
PROTOCOL, SIZE, FLOW = gone("PROTOCOL_ERROR"), gone("FRAME_SIZE_ERROR"), gone("FLOW_CONTROL_ERROR")
CLOSED = broken("STREAM_CLOSED", "PROTOCOL_ERROR")
COMPRESSION = gone("COMPRESSION_ERROR")
# A request that is none: an error of the stream, or an answer that says so (RFC 9113, 8.1.1).
NO_REQUEST = {*broken("PROTOCOL_ERROR"), "400"}


def asked(*fields, base=REQUEST):
    return headers([*base, *fields])


def without(name):
    return [(key, value) for key, value in REQUEST if key != name]


def uint32(number):
    return struct.pack(">I", number)


def of_frames():
    """Frames (RFC 9113, 4 to 6)."""
    yield "3.4", "a preface that is none", b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", PROTOCOL
    yield "3.4", "a first frame that is not SETTINGS", PREFACE + frame(PING, payload=b"x" * 8), PROTOCOL
    yield "4.1", "a frame of an unknown kind", frame(0xEE, payload=b"x" * 8) + headers(), FINE
    yield "4.1", "flags that mean nothing", frame(PING, 0xEE & ~ACK, payload=b"is it ok"), ON
    yield "4.1", "the reserved bit", frame(PING, stream=1 << 31, payload=b"is it ok"), ON
    yield (
        "4.2",
        "DATA larger than was agreed",
        OPEN + frame(DATA, END_STREAM, 1, b"x" * 16_385),
        broken("FRAME_SIZE_ERROR"),
    )
    yield "4.2", "HEADERS larger than was agreed", frame(HEADERS, 5, 1, block([*REQUEST, ("x", "y" * 17_000)])), SIZE
    yield "4.3", "a header block that is none", frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff"), COMPRESSION
    begun = frame(HEADERS, END_STREAM, 1, block(REQUEST))
    yield "4.3", "PRIORITY within a header block", begun + frame(PRIORITY, 0, 1, uint32(0) + b"x"), PROTOCOL
    yield "4.3", "HEADERS of another stream within a header block", begun + headers(stream=3), PROTOCOL
    yield "4.3", "an unknown frame within a header block", begun + frame(0xEE, 0, 1), PROTOCOL
    yield "5.1", "DATA on a stream that nobody has opened", frame(DATA, END_STREAM, 1, b"x"), PROTOCOL
    yield "5.1", "RST_STREAM on a stream that nobody has opened", frame(RST_STREAM, 0, 1, uint32(8)), PROTOCOL
    yield "5.1", "WINDOW_UPDATE on a stream that nobody has opened", frame(WINDOW_UPDATE, 0, 1, uint32(8)), PROTOCOL
    yield "5.1", "CONTINUATION on a stream that nobody has opened", frame(CONTINUATION, 4, 1, block(REQUEST)), PROTOCOL
    ended = headers(POST)
    yield "5.1", "DATA after the end of a stream", ended + frame(DATA, END_STREAM, 1, b"x"), CLOSED | FINE
    yield "5.1", "HEADERS after the end of a stream", ended + headers(), CLOSED | FINE
    yield "5.1", "CONTINUATION after the end of a stream", ended + frame(CONTINUATION, 4, 1, b""), PROTOCOL
    reset = OPEN + frame(RST_STREAM, 0, 1, uint32(8))
    yield "5.1", "HEADERS after RST_STREAM", reset + headers(), CLOSED
    yield "5.1.1", "a stream with an even number", headers(stream=2), PROTOCOL
    yield "5.1.1", "a stream with a lower number", headers(stream=5) + headers(stream=3), PROTOCOL | CLOSED
    yield "6.1", "DATA on stream 0", frame(DATA, payload=b"x"), PROTOCOL
    yield "6.1", "DATA with more padding than there is", OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\x08x"), PROTOCOL
    yield "6.1", "DATA with padding", OPEN + frame(DATA, PADDED | END_STREAM, 1, b"\x02xy\0\0"), FINE
    yield "6.2", "HEADERS on stream 0", headers(stream=0), PROTOCOL
    yield (
        "6.2",
        "HEADERS with more padding than there is",
        frame(HEADERS, 5 | PADDED, 1, b"\xff" + block(REQUEST)),
        PROTOCOL,
    )
    padded = b"\x02" + uint32(0) + b"\x10" + block(REQUEST) + b"\0\0"
    yield "6.2", "HEADERS with padding and a priority", frame(HEADERS, 5 | PADDED | PRIORITY_FLAG, 1, padded), FINE
    yield "6.3", "PRIORITY on stream 0", frame(PRIORITY, payload=uint32(1) + b"x"), PROTOCOL
    yield "6.3", "PRIORITY of four bytes", OPEN + frame(PRIORITY, 0, 1, uint32(0)), broken("FRAME_SIZE_ERROR")
    yield "6.4", "RST_STREAM on stream 0", frame(RST_STREAM, payload=uint32(8)), PROTOCOL
    yield "6.4", "RST_STREAM of three bytes", OPEN + frame(RST_STREAM, 0, 1, b"xxx"), SIZE
    yield "6.5", "an ACK of SETTINGS with something in it", frame(SETTINGS, ACK, payload=b"x" * 6), SIZE
    yield "6.5", "SETTINGS on a stream", frame(SETTINGS, stream=1), PROTOCOL
    yield "6.5", "SETTINGS of three bytes", frame(SETTINGS, payload=b"xxx"), SIZE
    yield "6.5.2", "ENABLE_PUSH of 2", settings((2, 2)), PROTOCOL
    yield "6.5.2", "INITIAL_WINDOW_SIZE of 2^31", settings((4, 1 << 31)), FLOW
    yield "6.5.2", "MAX_FRAME_SIZE of 16,383", settings((5, 16_383)), PROTOCOL
    yield "6.5.2", "MAX_FRAME_SIZE of 2^24", settings((5, 1 << 24)), PROTOCOL
    yield "6.5.2", "an unknown setting", settings((0xFF, 1)) + headers(), FINE
    yield "6.6", "PUSH_PROMISE", OPEN + frame(PUSH_PROMISE, 4, 1, uint32(2) + block(REQUEST)), PROTOCOL
    yield "6.7", "PING on a stream", frame(PING, stream=1, payload=b"x" * 8), PROTOCOL
    yield "6.7", "PING of six bytes", frame(PING, payload=b"x" * 6), SIZE
    yield "6.8", "GOAWAY on a stream", frame(GOAWAY, stream=1, payload=b"\0" * 8), PROTOCOL
    yield "6.9", "WINDOW_UPDATE of 0 of the connection", frame(WINDOW_UPDATE, payload=uint32(0)), PROTOCOL
    yield (
        "6.9",
        "WINDOW_UPDATE of 0 of a stream",
        OPEN + frame(WINDOW_UPDATE, 0, 1, uint32(0)),
        broken("PROTOCOL_ERROR"),
    )
    yield "6.9", "WINDOW_UPDATE of three bytes", frame(WINDOW_UPDATE, payload=b"xxx"), SIZE
    full = uint32((1 << 31) - 1)
    yield "6.9.1", "more window than there can be", frame(WINDOW_UPDATE, payload=full) * 2, FLOW
    yield (
        "6.9.1",
        "more window than a stream can have",
        OPEN + frame(WINDOW_UPDATE, 0, 1, full) * 2,
        broken("FLOW_CONTROL_ERROR"),
    )
    more = [*REQUEST, ("x-long", "y" * 100)]
    whole, half = block(more), len(block(more)) // 2
    parts = frame(HEADERS, END_STREAM, 1, whole[:half]) + frame(CONTINUATION, END_HEADERS, 1, whole[half:])
    yield "6.10", "a header block in two frames", parts, FINE
    yield "6.10", "CONTINUATION on stream 0", begun + frame(CONTINUATION, 4, 0, b""), PROTOCOL
    yield "6.10", "CONTINUATION after the end of a header block", OPEN + frame(CONTINUATION, 4, 1, b""), PROTOCOL
    yield "6.10", "DATA within a header block", begun + frame(DATA, END_STREAM, 1, b"x"), PROTOCOL
    yield "7", "RST_STREAM with an unknown code", OPEN + frame(RST_STREAM, 0, 1, uint32(0xFF)) + ALIVE, ON


def of_requests():
    """Requests (RFC 9113, 8)."""
    yield (
        "8.1",
        "a second header block that does not end the stream",
        OPEN + headers(POST, flags=END_HEADERS),
        NO_REQUEST,
    )
    yield "8.1", "trailers with a pseudo-field", OPEN + headers([(":method", "POST")]), NO_REQUEST
    yield "8.1", "trailers", OPEN + frame(DATA, 0, 1, b"x") + headers([("x-end", "1")]), FINE
    yield "8.2", "a name in upper case", asked(("X-Test", "1")), NO_REQUEST
    for name in ["", "a b", "a\0", "a:b", "a\r", "ä"]:
        yield "8.2.1", f"the name {name!r}", asked((name, "1")), NO_REQUEST
    for value in ["a\0b", "a\rb", "a\nb", "a\r\nx: y", " a", "a ", "\ta"]:
        yield "8.2.1", f"the value {value!r}", asked(("x-test", value)), NO_REQUEST
    for name, value in [
        ("connection", "keep-alive"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
    ]:
        yield "8.2.2", f"`{name}: {value}`", asked((name, value)), NO_REQUEST
    yield "8.2.2", "`te: trailers`", asked(("te", "trailers")), FINE
    yield "8.3", "an unknown pseudo-field", asked((":test", "1")), NO_REQUEST
    yield "8.3", "a pseudo-field of answers", asked((":status", "200")), NO_REQUEST
    yield "8.3", "a pseudo-field after others", headers([("x-test", "1"), *REQUEST]), NO_REQUEST
    for name, _ in REQUEST[:3]:
        yield "8.3.1", f"no `{name}`", headers(without(name)), NO_REQUEST
    for name, value in REQUEST:
        yield "8.3.1", f"`{name}` twice", asked((name, value)), NO_REQUEST
    for path in ["", "a", "/a b", "/a#b", "/a\r\nb", "/a\0", "*", "http://site.test/"]:
        yield "8.3.1", f"the path {path!r}", headers([*without(":path"), (":path", path)]), NO_REQUEST
    for authority in ["", "a b", "user@site.test", "site.test:x", "site.test/a", "a\r\nb"]:
        changed = [*without(":authority"), (":authority", authority)]
        yield "8.3.1", f"the authority {authority!r}", headers(changed), NO_REQUEST
    yield "8.3.1", "a Host that differs from the authority", asked(("host", "other.test")), NO_REQUEST
    yield "8.3.1", "neither an authority nor a Host", headers(without(":authority")), NO_REQUEST
    for method in ["", "G T", "GE\r\nT"]:
        yield "8.3.1", f"the method {method!r}", headers([*without(":method"), (":method", method)]), NO_REQUEST
    for length, body in [("1", b""), ("1", b"xy"), ("2", b"x"), ("+1", b"x"), ("1, 1", b"x"), ("x", b"x"), ("-0", b"")]:
        said = headers([*POST, ("content-length", length)], flags=END_HEADERS) + frame(DATA, END_STREAM, 1, body)
        yield "8.1.1", f"`content-length: {length}` before {len(body)} bytes", said, NO_REQUEST
    two = [("content-length", "1"), ("content-length", "2")]
    yield (
        "8.1.1",
        "two lengths",
        headers([*POST, *two], flags=END_HEADERS) + frame(DATA, END_STREAM, 1, b"x"),
        NO_REQUEST,
    )


def of_blocks():
    """Header blocks (RFC 7541)."""
    whole = block(REQUEST)
    yield "2.3.3", "an index that nothing has", frame(HEADERS, 5, 1, whole + b"\xff\x80\x01"), COMPRESSION
    yield "4.2", "a change of the table's size at the end", frame(HEADERS, 5, 1, whole + b"\x20"), COMPRESSION
    yield (
        "5.2",
        "Huffman with more than 7 bits of padding",
        frame(HEADERS, 5, 1, whole + b"\0\x01x\x83\x1f\xff\xff"),
        COMPRESSION,
    )
    yield "5.2", "Huffman with padding that is not ones", frame(HEADERS, 5, 1, whole + b"\0\x01x\x81\x00"), COMPRESSION
    yield (
        "5.2",
        "Huffman with an end of string",
        frame(HEADERS, 5, 1, whole + b"\0\x01x\x84\xff\xff\xff\xff"),
        COMPRESSION,
    )
    yield "6.1", "the index 0", frame(HEADERS, 5, 1, whole + b"\x80"), COMPRESSION
    yield "6.3", "a table larger than was agreed", frame(HEADERS, 5, 1, b"\x3f\xff\xff\xff\x0f" + whole), COMPRESSION


def is_head_alone(said):
    """Whether it is one request that ends with its head."""
    return said[3] == HEADERS and bool(said[4] & END_STREAM) and len(said) == 9 + int.from_bytes(said[:3], "big")


def everything():
    for document, rows in [("RFC 9113", of_frames()), ("RFC 9113", of_requests()), ("RFC 7541", of_blocks())]:
        for section, name, said, wanted in rows:
            yield f"{document}, {section}: {name}", said, wanted
