"""A client that comes back again and again, on a new connection each time, with the TLS session of its last visit.

    returning.py PORT PATH SECONDS

It prints what load.lua does. Visits on which the session was not taken up are errors (`status`).
"""

import socket
import ssl
import sys
import time


def main():
    port, path, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session, _, _ = visit(context, port, request, None)
    took, failed = [], 0
    began = now = time.monotonic()
    while now < began + seconds:
        session, is_resumed, answer = visit(context, port, request, session)
        failed += not is_resumed or not answer.startswith(b"HTTP/1.1 200 ")
        before, now = now, time.monotonic()
        took.append(now - before)
    took.sort()
    times = (now - began, took[len(took) // 2], took[len(took) * 99 // 100], took[-1])
    names = ("microseconds", "p50", "p99", "longest")
    print(f"requests {len(took)}", *(f"{name} {int(at * 1e6)}" for name, at in zip(names, times)))
    print(f"errors connect 0 read 0 write 0 timeout 0 status {failed}")


def visit(context, port, request, session):
    """The session for the next visit, whether this one took up the last, and the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        # The request does not wait for the acknowledgement of the end of the handshake, as with browsers.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, session=session) as client:
            client.sendall(request)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return client.session, client.session_reused, answer


if __name__ == "__main__":
    main()
