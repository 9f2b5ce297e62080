"""A plain node that says what it was asked, as JSON; prints its port first."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self):
        # What tests ask of it is no request.
        Origin.asked += self.path != "/asked"
        length = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Transfer-Encoding") == "chunked":
            length = 0
            while size := int(self.rfile.readline().strip(), 16):
                length += len(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = {"method": self.command, "target": self.path, "headers": headers, "length": length}
        answer = json.dumps(Origin.asked if self.path == "/asked" else asked).encode()
        if self.path.startswith("/bytes/"):
            answer = b"x" * int(self.path.removeprefix("/bytes/"))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        # As a site that knows browsers has them; they are no proxy's business.
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


server = Server(("127.0.0.1", 0), Origin)
print(server.server_address[1], flush=True)
server.serve_forever()
