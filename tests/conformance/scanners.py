"""What testssl.sh and sslyze find at a listener whose `tls` is nothing but an ECDSA and an RSA certificate."""

import json
from collections import Counter

import stage

TITLE = "TLS: testssl.sh and sslyze"
SECONDS = 1500
WANTED = (
    "--certinfo --sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --reneg --heartbleed --openssl_ccs --fallback"
)
WANTED = [*WANTED.split(), "--robot", "--compression", "--elliptic_curves", "--early_data", "--ems"]
BAD = ["MEDIUM", "HIGH", "CRITICAL"]


def report(place):
    origin = place.python("origin.py")
    port = place.bookend([origin], tls=place.both_keys())
    testssl, failures = by_testssl(place, port)
    sslyze, more = by_sslyze(place, port)
    return [*testssl, "", *sslyze], failures + more


def by_testssl(place, port):
    number = stage.version(["testssl", "--version"], r"\d+\.\d+\.\d+")
    found = place.place / "testssl.json"
    command = ["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", "127.0.0.1"]
    command += ["--add-ca", place.authority(), "--jsonfile", found, f"{stage.NAME}:{port}"]
    # Its exit says how much it found.
    stage.run(command, SECONDS, is_expected=stage.any_exit)
    findings = json.loads(found.read_text())
    bad = [one for one in findings if one["severity"] in BAD]
    # Whatever it could not find out is no finding, but people should know. (Resumed sessions are one such at times: it
    # leaves as soon as a handshake is over, which may be before the tickets of TLS 1.3 have come.)
    low = [one for one in findings if one["severity"] in ["LOW", "WARN"]]
    counted = Counter(one["severity"] for one in findings)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counted.most_common())
    said = [f"- {one['severity']} {one['id']}: {one['finding'].strip()}" for one in [*bad, *low]]
    of_medium = f"{len(bad)} of medium severity or worse" if bad else "nothing of medium severity or worse"
    lines = [f"testssl.sh {number}: {of_medium} ({kinds}).", "", *said]
    return lines, [f"testssl.sh: {one['severity']} {one['id']}: {one['finding']}" for one in bad]


def by_sslyze(place, port):
    found = place.place / "sslyze.json"
    command = [stage.WHEELS / "bin" / "sslyze", *WANTED, "--json_out", found, "--mozilla_config", "intermediate"]
    command += ["--certinfo_ca_file", place.authority(), f"{stage.NAME}:{port}{{127.0.0.1}}"]
    said = stage.run(command, SECONDS, is_expected=lambda code: code in (0, 1))
    (server,) = json.loads(found.read_text())["server_scan_results"]
    verdict = [line.strip() for line in said.partition("COMPLIANCE AGAINST")[2].splitlines() if "site.test" in line]
    verdict = " ".join(verdict).partition(": ")[2] or "unknown"
    results = {name: (one["status"], one["result"]) for name, one in server["scan_result"].items()}
    errors = [f"sslyze: {name} ended with {status}" for name, (status, _) in results.items() if status == "ERROR"]
    is_wrong = {name: wrong for name, wrong in flaws(results).items() if wrong}
    failures = errors + [f"sslyze: {name}" for name in is_wrong]
    failures += [] if verdict.startswith("OK") else [f"sslyze: Mozilla's intermediate profile: {verdict}"]
    offered = [name for name, (_, result) in results.items() if name.endswith("_cipher_suites") and result]
    suites = {
        name: [one["cipher_suite"]["name"] for one in results[name][1]["accepted_cipher_suites"]] for name in offered
    }
    lines = [
        f"sslyze {stage.wheel('sslyze')}: {', '.join(failures) if failures else 'no vulnerability'};"
        f" Mozilla's intermediate profile: {verdict}",
        "",
        *(f"- {name.removesuffix('_cipher_suites')}: {', '.join(suites)}" for name, suites in suites.items() if suites),
    ]
    return lines, failures


def flaws(results):
    """What would be a flaw, and whether it is there."""
    result = {name: found or {} for name, (_, found) in results.items()}
    old = ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"]
    accepted = {name: result[f"{name}_cipher_suites"]["accepted_cipher_suites"] for name in old}
    return {
        **{f"{name} is spoken": bool(suites) for name, suites in accepted.items()},
        "Heartbleed": result["heartbleed"]["is_vulnerable_to_heartbleed"],
        "CCS injection": result["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"],
        "ROBOT": "NOT_VULNERABLE" not in result["robot"]["robot_result"],
        "compression": result["tls_compression"]["supports_compression"],
        "early data": result["tls_1_3_early_data"]["supports_early_data"],
        "renegotiation by clients": result["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"],
        "no secure renegotiation": not result["session_renegotiation"]["supports_secure_renegotiation"],
        "downgrades": not result["tls_fallback_scsv"]["supports_fallback_scsv"],
    }
