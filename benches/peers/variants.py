"""The same proxies set up in other ways: with access logs, with TLS, for a crowd, with more threads, with other nodes.

Each function makes of a proxy's name, its configuration and the directory that it runs in another configuration.
"""

import re
import subprocess

import wheels

ACCESS_LOG = "access.log"

# What bookend's lines say, as far as the others know it. HAProxy writes to its standard output, a file here.
NGINX_LOG = """
    log_format line escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
        '"host":"$host","path":"$request_uri","protocol":"$server_protocol","status":$status,"bytes":$body_bytes_sent,'
        '"referer":"$http_referer","user_agent":"$http_user_agent","id":"$request_id","node":"$upstream_addr",'
        '"took":$request_time,"first_byte":"$upstream_header_time"}';
    access_log access.log line buffer=64k flush=1s;"""
HAPROXY_LOG = """
    log stdout format raw local0 info"""
HAPROXY_FIELDS = [
    '"time":"%tr"',
    '"client":"%ci"',
    '"method":"%HM"',
    '"host":"%[capture.req.hdr(0),json]"',
    '"path":"%[capture.req.uri,json]"',
    '"protocol":"%HV"',
    '"status":%ST',
    '"bytes":%B',
    '"referer":"%[capture.req.hdr(1),json]"',
    '"user_agent":"%[capture.req.hdr(2),json]"',
    '"node":"%s"',
    '"took":%Ta',
    '"first_byte":%Tr',
]
HAPROXY_LINE = f"""
    log global
    log-format '{{{",".join(HAPROXY_FIELDS)}}}'"""
HAPROXY_CAPTURES = """
    http-request capture req.hdr(Host) len 128
    http-request capture req.hdr(Referer) len 256
    http-request capture req.hdr(User-Agent) len 256"""


def logged(name, text, place):
    """A line of JSON for each request."""
    (place / ACCESS_LOG).unlink(missing_ok=True)
    if name in wheels.LOGGED:
        return swap_in(text, wheels.LOGGED[name], place)
    if name == "bookend":
        return f"{text}access_log:\n  path: {place / ACCESS_LOG}\n  format: json\n"
    if name == "nginx":
        return swap(text, "\n    access_log off;", NGINX_LOG)
    text = swap(swap(text, "global", "global" + HAPROXY_LOG), "mode http", "mode http" + HAPROXY_LINE)
    return swap(text, "frontend front", "frontend front" + HAPROXY_CAPTURES)


def log_of(name, place):
    """Where the lines of a proxy are that is `logged`."""
    return place / (f"{name.lower()}.log" if name == "HAProxy" else ACCESS_LOG)


def certify(place):
    """Makes a certificate of ECDSA, as browsers get them, and the one file of both that HAProxy wants."""
    key, certificate = place / "site.key", place / "site.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    (place / "both.pem").write_text(certificate.read_text() + key.read_text())


def secured(name, text, place):
    """TLS 1.2 and 1.3 as browsers meet it, HTTP/2 included; sessions can be resumed."""
    if name in wheels.SECURED:
        return swap_in(text, wheels.SECURED[name], place)
    if name == "bookend":
        pair = f"{{ certificate: {place}/site.pem, key: {place}/site.key }}"
        return swap(text, "127.0.0.1:8080\n", f"127.0.0.1:8080\n    tls: {{ certificates: [{pair}] }}\n")
    if name == "nginx":
        pair = f"ssl_certificate {place}/site.pem; ssl_certificate_key {place}/site.key;"
        how = f" ssl http2; {pair} ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:site:10m;"
        return swap(text, "listen 127.0.0.1:8080;", f"listen 127.0.0.1:8080{how}")
    return swap(text, "bind 127.0.0.1:8080", f"bind 127.0.0.1:8080 ssl crt {place}/both.pem alpn h2,http/1.1")


def crowded(count):
    """Room for so many clients, and a few."""

    def change(name, text, place):
        is_bounded = name in ("nginx", "HAProxy")
        return swap(text, " 8192", f" {count + 100}") if is_bounded else text

    return change


def threaded(count):
    """So many threads, or processes of nginx."""

    def change(name, text, place):
        was = {"bookend": "threads: 1", "nginx": "worker_processes 1", "HAProxy": "nbthread 1"}[name]
        return swap(text, was, was[:-1] + str(count))

    return change


def balanced(by):
    """Nodes picked in the way that `by` has for each proxy."""

    def change(name, text, place):
        if name == "bookend":
            return swap(text, "  web:\n", f"  web:\n    balance: {by[name]}\n")
        if name == "nginx":
            return swap(text, "upstream web {", f"upstream web {{ {by[name]}")
        if name in wheels.BALANCED:
            return swap(text, wheels.BALANCED[name], by[name])
        return swap(text, "balance roundrobin", f"balance {by[name]}")

    return change


def checking(ports):
    """Nodes at all these ports, each checked by opening a connection every two seconds."""

    def change(name, text, place):
        nodes = [(f"node-{port}", f"127.0.0.1:{port}") for port in ports]
        if name == "bookend":
            lines = "".join(f"      - {{ name: {node}, address: {address} }}\n" for node, address in nodes)
            return re.sub(r"    nodes:\n(?: {6}.*\n)+", f"    nodes:\n{lines}", text)
        if name == "Envoy":
            text = swap(text, *wheels.CHECKED)
            endpoint = re.search(r".*port_value: 8001.*\n", text).group()
            endpoints = "".join(endpoint.replace("8001", str(port)) for port in ports)
            return re.sub(r"(?:.*port_value: 800[12].*\n)+", lambda _: endpoints, text)
        lines = "".join(f"    server {node} {address} check inter 2s\n" for node, address in nodes)
        return re.sub(r"(?: +server web-.*\n?)+", lines, text)

    return change


def alone(name, text, place):
    """bookend's nodes without checks, so that nothing but requests is counted."""
    return swap(text, "  web:\n", "  web:\n    health_check: off\n") if name == "bookend" else text


def many(pools, routes, nodes):
    """As `alone`, behind so many other pools, with routes and nodes for each of them."""

    def change(name, text, place):
        head, _, tail = alone(name, text, place).partition("routes:\n")
        others = [f"pool-{number}" for number in range(pools)]
        addresses = (f"127.{1 + n // 62_500}.{n // 250 % 250}.{1 + n % 250}:1" for n in range(pools * nodes))
        for pool in others:
            members = ", ".join(next(addresses) for _ in range(nodes))
            head += f"  {pool}: {{ health_check: off, nodes: [{members}] }}\n"
        hosts = "".join(
            f"  - {{ host: {pool}.test, path: /part-{part}, pool: {pool} }}\n"
            for pool in others
            for part in range(routes)
        )
        return f"state_dir: {place / 'state'}\n{head}routes:\n{hosts}{tail}"

    return change


def swap_in(text, old_and_new, place):
    old, new = old_and_new
    return swap(text, old, new.replace("PLACE", str(place)))


def swap(text, old, new):
    """Raises where the configuration does not say `old` any more."""
    if old not in text:
        raise ValueError(f"there is no {old!r} in the configuration")
    return text.replace(old, new)
