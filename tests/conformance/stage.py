"""What every part needs: bookend in front of a node, other processes, certificates, and ports that are free."""

import importlib.metadata
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WHEELS = ROOT / ".venv" / "conformance"
PYTHON = WHEELS / "bin" / "python"
PATIENCE = 30
NAME = "site.test"


class StageError(Exception):
    """Why nothing can be said of bookend."""


class Stage:
    """A directory, processes and ports for the time of one part; all of it goes with it."""

    def __init__(self, bookend):
        self.program = bookend
        self.exits = ExitStack()
        self.scripts = {}

    def __enter__(self):
        self.place = Path(self.exits.enter_context(tempfile.TemporaryDirectory(prefix="bookend-conformance-")))
        return self

    def __exit__(self, *why):
        return self.exits.__exit__(*why)

    def python(self, script, *arguments):
        """Starts a script of ours under the wheels, and returns the port that it says first."""
        process = self.start([PYTHON, "-B", HERE / script, *arguments], script)
        port = int(process.stdout.readline() or 0)
        if not port:
            raise StageError(f"{script} did not start:\n{(self.place / f'{script}.log').read_text()[-2000:]}")
        self.scripts[port] = process
        return port

    def kill(self, port):
        """Ends the script at that port at once."""
        self.scripts[port].kill()
        self.scripts[port].wait()

    def keep(self, closing):
        """Has it closed at the end."""
        self.exits.callback(closing.close)
        return closing

    def start(self, command, name):
        log = (self.place / f"{name}.log").open("a")
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=self.place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        self.exits.callback(end, process)
        return process

    def bookend(self, nodes, listener=None, pool=None, tls=None):
        """Starts bookend in front of these ports, with more settings of its listener and its pool; its own port."""
        port = free_port()
        front = {"address": f"127.0.0.1:{port}", **(listener or {}), **({"tls": tls} if tls else {})}
        nodes = [{"address": f"127.0.0.1:{node}"} for node in nodes]
        config = {
            "listeners": [front],
            "pools": {"site": {"nodes": nodes, **(pool or {})}},
            "routes": [{"pool": "site"}],
        }
        config["admin"] = {"address": "off", "socket": str(self.place / f"admin-{port}.sock")}
        file = self.place / f"bookend-{port}.yaml"
        # What JSON says YAML says as well.
        file.write_text(json.dumps(config, indent=2))
        environment = {"STATE_DIRECTORY": str(self.place / f"state-{port}"), "RUST_LOG": "info"}
        log = self.place / f"bookend-{port}.log"
        with log.open("w") as said:
            command = [self.program, "run", "-c", str(file)]
            process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self.exits.callback(end, process)
        wait_until(lambda: accepts(port), lambda: f"bookend did not start:\n{log.read_text()[-2000:]}", process)
        return port

    def upgrade(self, port):
        """Has the bookend at that port replaced by another process."""
        said = run([self.program, "upgrade", "--socket", self.place / f"admin-{port}.sock"])
        successor = int(re.search(r"process (\d+) ", said).group(1))
        self.exits.callback(self.end_successor, successor)

    def end_successor(self, process):
        """Ends a bookend that is no child of ours, if it is there yet."""
        try:
            if str(self.place).encode() in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            pass

    def log(self, port):
        return (self.place / f"bookend-{port}.log").read_text()

    def authority(self):
        """Somebody who vouches for certificates: the file of its own."""
        file, key = self.place / "authority.pem", self.place / "authority.key"
        if not file.exists():
            subject = ["-subj", "/CN=authority of a test", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
            made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", file]
            run(["openssl", "req", "-x509", "-days", "90", *subject, *made])
        return file

    def certificate(self, kind, names, usage="serverAuth", subject=None):
        """A certificate with a key of this kind (`ec` or `rsa`), as bookend wants it."""
        authority = self.authority()
        stem = self.place / f"{kind}-{names[0]}-{usage}".replace("*", "any")
        key, file, request, more = (stem.with_name(stem.name + end) for end in (".key", ".pem", ".csr", ".ext"))
        size = ["-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["-pkeyopt", "rsa_keygen_bits:2048"]
        subject = ["-subj", subject or f"/CN={names[0].replace('*.', '')}"]
        run(["openssl", "req", "-new", "-newkey", kind, *size, "-nodes", "-keyout", key, "-out", request, *subject])
        alternatives = ",".join(f"DNS:{name}" for name in names)
        more.write_text(
            f"subjectAltName={alternatives}\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n"
            "keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
            # As those have that authorities give away; nobody asks there.
            "crlDistributionPoints=URI:http://crl.test/1\nauthorityInfoAccess=OCSP;URI:http://ocsp.test/\n"
        )
        signed = ["-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial", "-days", "90"]
        run(["openssl", "x509", "-req", "-in", request, "-out", file, "-extfile", more, *signed])
        file.write_text(file.read_text() + authority.read_text())
        return {"certificate": str(file), "key": str(key)}

    def both_keys(self):
        """A listener's `tls` with an ECDSA and an RSA certificate for one name, and nothing else but defaults."""
        return {"certificates": [self.certificate(kind, [NAME]) for kind in ("ec", "rsa")]}


def run(command, seconds=PATIENCE, text="", is_expected=lambda code: code == 0, **more):
    """What a command printed, by both ways; an error unless its exit is expected."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, errors="replace", timeout=seconds, **more
        )
    except subprocess.TimeoutExpired:
        raise StageError(f"not done within {seconds} s: {' '.join(command)}") from None
    if not is_expected(done.returncode):
        raise StageError(f"exit {done.returncode} of {' '.join(command)}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr


def any_exit(_code):
    return True


def version(command, pattern=r"\d+\.\d+[\w.+-]*"):
    if not shutil.which(command[0]):
        raise StageError(f"there is no {command[0]}; `scripts/setup conformance` installs it")
    found = re.search(pattern, run(command, is_expected=any_exit))
    return found.group() if found else "of unknown version"


def wheel(name):
    """The version of a wheel that is installed."""
    return importlib.metadata.version(name)


def wait_until(is_so, otherwise, process=None):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            raise StageError(otherwise())
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
