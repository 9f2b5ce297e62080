"""Ten upgrades in a row under wrk, by TLS and without: no request fails and no connection is reset."""

import re
import subprocess
import time

import stage

TITLE = "Upgrades under load"
UPGRADES = 10
SECONDS = 40


def report(place):
    node = nginx(place)
    lines = [
        f"wrk {stage.version(['wrk', '-v'], '[0-9][0-9.]+')}, 32 connections for {SECONDS} s, {UPGRADES} upgrades"
        f" meanwhile, one right after the other; the node is nginx {stage.version(['nginx', '-v'])}.",
        "",
        "| | requests | failed | connections that broke |",
        "| --- | ---: | ---: | ---: |",
    ]
    failures = []
    for way, tls in [("by TLS", place.both_keys()), ("without", None)]:
        requests, failed, broken = under_load(place, place.bookend([node], tls=tls), "https" if tls else "http")
        lines.append(f"| {way} | {requests:,} | {failed} | {broken} |")
        if failed or broken or not requests:
            failures.append(f"{way}: {requests} requests, {failed} failed, {broken} connections broke")
    return lines, failures


def nginx(place):
    """A node that answers at once and never closes a connection by itself."""
    port, here = stage.free_port(), place.place
    paths = "".join(f"{kind}_temp_path {here}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    server = f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 ok; }} }}"
    (here / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {here}/pid; events {{ }}\n"
        f"http {{ access_log off; keepalive_requests 1000000000; {paths}{server} }}\n"
    )
    place.start(["nginx", "-p", here, "-c", here / "nginx.conf", "-e", here / "nginx.errors"], "nginx")
    stage.wait_until(lambda: stage.accepts(port), lambda: "nginx did not start")
    return port


def under_load(place, port, scheme):
    """How many requests there were, how many of them failed, and how many connections broke."""
    command = ["wrk", "-t", "1", "-c", "32", "-d", f"{SECONDS}s", "--timeout", "10s", "-H", f"Host: {stage.NAME}"]
    with subprocess.Popen([*command, f"{scheme}://127.0.0.1:{port}/"], stdout=subprocess.PIPE, text=True) as wrk:
        for _ in range(UPGRADES):
            time.sleep(1)
            place.upgrade(port)
        if wrk.poll() is not None:
            raise stage.StageError(f"{UPGRADES} upgrades took longer than {SECONDS} s")
        said = wrk.communicate()[0]
    errors = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    requests = re.search(r"(\d+) requests in", said)
    broken = sum(int(number) for number in errors.groups()) if errors else 0
    return int(requests.group(1)) if requests else 0, int(failed.group(1)) if failed else 0, broken
