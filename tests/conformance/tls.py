"""TLS as openssl and curl see it: names, keys, versions, tickets, ALPN, OCSP, certificates of clients."""

import json
import subprocess

import stage
from claims import holds, says, try_all

TITLE = "TLS: openssl and curl"
OTHER = "shop.test"


class Doors:
    """A bookend with everything that a listener can be told of TLS, and one that asks clients for certificates."""

    def __init__(self, place):
        self.place = place
        origin = place.python("origin.py")
        tls = place.both_keys()
        tls["certificates"].append(place.certificate("ec", [f"*.{OTHER}"]))
        tls["certificates"][0]["ocsp"] = str(ocsp_response(place, tls["certificates"][0]))
        self.port = place.bookend([origin], tls=tls)
        authority = str(place.authority())
        self.guarded = place.bookend(
            [origin], tls={**place.both_keys(), "client_certificates": {"authorities": authority}}
        )
        self.anna = place.certificate("ec", ["anna"], usage="clientAuth", subject="/O=Site/CN=Anna, O=root")


def ocsp_response(place, certificate):
    """What the authority says of a certificate: it is good."""
    authority, leaf = place.authority(), certificate["certificate"]
    serial = stage.run(["openssl", "x509", "-in", leaf, "-noout", "-serial"]).strip().partition("=")[2]
    index, request, response = (place.place / f"ocsp.{end}" for end in ("index", "request", "response"))
    index.write_text(f"V\t491231235959Z\t\t{serial}\tunknown\t/CN={stage.NAME}\n")
    stage.run(["openssl", "ocsp", "-issuer", authority, "-cert", leaf, "-no_nonce", "-reqout", request])
    signed = ["-rsigner", authority, "-rkey", authority.with_suffix(".key"), "-CA", authority, "-ndays", "7"]
    stage.run(["openssl", "ocsp", "-index", index, *signed, "-reqin", request, "-respout", response])
    return response


def report(place):
    doors = Doors(place)
    lines, failures = try_all(CLAIMS, doors)
    versions = f"openssl {stage.version(['openssl', 'version'])} and curl {stage.version(['curl', '--version'])}:"
    return [versions, "", *lines], failures


def s_client(
    doors, *more, port=None, name=stage.NAME, request="GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n"
):
    """What `openssl s_client` prints of a connection with one request, up to its end."""
    server = ["-servername", name] if name else ["-noservername"]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port or doors.port}", *server, "-ign_eof"]
    command += ["-CAfile", doors.place.authority(), *more]
    return stage.run(command, text=request, is_expected=stage.any_exit)


def curl(doors, *more, port=None, name=stage.NAME, path="/"):
    port = port or doors.port
    resolve = ["--resolve", f"{name}:{port}:127.0.0.1", "--cacert", doors.place.authority()]
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *resolve, *more, f"https://{name}:{port}{path}"]
    return stage.run(command, is_expected=stage.any_exit)


def sni(doors):
    """Each client gets the certificate for the name it asks for, by wildcard too, and the first if it asks for none."""
    for name, wanted in [(stage.NAME, stage.NAME), (f"eu.{OTHER}", OTHER), (None, stage.NAME)]:
        says(s_client(doors, name=name), f"subject=CN = {wanted}\n", "Verify return code: 0 (ok)", "HTTP/1.1 200 OK")


def keys(doors):
    """ECDSA for those that can check it, RSA for the others, by TLS 1.3 and 1.2."""
    for version in ["-tls1_3", "-tls1_2"]:
        says(s_client(doors, version), "Peer signature type: ECDSA")
        says(s_client(doors, version, "-sigalgs", "RSA-PSS+SHA256"), "Peer signature type: RSA-PSS", "200 OK")


def versions(doors):
    """TLS 1.3 and 1.2 are spoken, 1.1 and 1.0 are not."""
    for version, name in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")]:
        says(s_client(doors, version), f"New, {name}, Cipher is", "200 OK")
    for version in ["-tls1_1", "-tls1"]:
        said = s_client(doors, version, "-cipher", "ALL:@SECLEVEL=0")
        says(said, "Cipher is (NONE)", "alert")


def tickets(doors, after=lambda: None):
    """Sessions are resumed by TLS 1.3 and 1.2, and no early data is taken."""
    for version in ["-tls1_3", "-tls1_2"]:
        file = doors.place.place / "session.pem"
        file.unlink(missing_ok=True)
        says(s_client(doors, version, "-sess_out", file), "New, TLSv1", "200 OK")
        session = stage.run(["openssl", "sess_id", "-in", file, "-noout", "-text"])
        holds("Max Early Data: 0" in session or version == "-tls1_2", session)
        after()
        says(s_client(doors, version, "-sess_in", file), "Reused, TLSv1", "200 OK")


def tickets_after_an_upgrade(doors):
    """Sessions are resumed after `bookend upgrade`, too."""
    tickets(doors, after=lambda: doors.place.upgrade(doors.port))


def protocols(doors):
    """Who offers HTTP/1.1 by ALPN gets it, and who offers nothing that bookend speaks gets no connection."""
    says(s_client(doors, "-alpn", "http/1.1"), "ALPN protocol: http/1.1", "200 OK")
    # Why is told by an alert, which may be lost if the connection ends at once.
    says(s_client(doors, "-alpn", "spdy/3"), "no peer certificate available")


def stapling(doors):
    """The OCSP response of a certificate is handed to those who ask for it."""
    said = s_client(doors, "-status", "-sigalgs", "ECDSA+SHA256")
    says(said, "OCSP Response Status: successful (0x0)", "Cert Status: good")


def client_certificates(doors):
    """Where clients are to show a certificate, nobody is served without one, and the node is told whom it is for."""
    said = curl(doors, port=doors.guarded)
    holds("x-client-cert-subject" not in said and '"target"' not in said, said)
    shown = ["--cert", doors.anna["certificate"], "--key", doors.anna["key"]]
    forged = ["--header", "X-Client-Cert-Subject: CN=root"]
    asked = json.loads(curl(doors, *shown, *forged, port=doors.guarded))
    subject = asked["headers"].get("x-client-cert-subject")
    holds(subject == "CN=Anna\\2C O\\3Droot,O=Site", subject)
    for version in ["-tls1_3", "-tls1_2"]:
        says(s_client(doors, version, port=doors.guarded), "certificate required" if version == "-tls1_3" else "alert")


def renegotiation(doors):
    """No client can make bookend negotiate anew."""
    address = f"127.0.0.1:{doors.port}"
    command = ["openssl", "s_client", "-tls1_2", "-connect", address, "-servername", stage.NAME]
    # `R` at the beginning of a line asks for it, once the connection is there.
    with subprocess.Popen(
        [*command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as client:
        said = b""
        while b"Extended master secret" not in said and (line := client.stdout.readline()):
            said += line
        client.stdin.write(b"R\n")
        client.stdin.flush()
        said += client.stdout.read()
    says(said.decode(errors="replace"), "RENEGOTIATING", "no renegotiation")


def exchanges(doors):
    """Requests with and without a body, in chunks and of 8 MB, are whole at the node, over one connection."""
    body = doors.place.place / "body"
    body.write_bytes(b"x" * 8_000_000)
    head = json.loads(curl(doors, "--http1.1", path="/a?b=c"))
    holds((head["method"], head["target"]) == ("GET", "/a?b=c"), head)
    for more in [["--data-binary", f"@{body}"], ["--upload-file", body, "--header", "Transfer-Encoding: chunked"]]:
        seen = json.loads(curl(doors, "--http1.1", *more))
        holds(seen["length"] == 8_000_000, seen)
    written = ["--write-out", "%{num_connects} ", "--output", "/dev/null"]
    address = f"https://{stage.NAME}:{doors.port}/bytes/100000"
    connects = curl(doors, "--http1.1", *written, address, *written).split()
    holds(connects in (["1", "0"], ["0", "1"]), connects)


CLAIMS = [
    sni,
    keys,
    versions,
    tickets,
    tickets_after_an_upgrade,
    protocols,
    stapling,
    client_certificates,
    renegotiation,
    exchanges,
]
