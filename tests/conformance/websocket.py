"""WebSocket: Autobahn's cases at a node, and at the same node through bookend. What is different is bookend's doing."""

import json
from collections import Counter

import stage

TITLE = "WebSocket"
SECONDS = 1500


def report(place):
    node = place.python("echo.py")
    ways = {"the node itself": node, "through bookend": place.bookend([node])}
    seen = {way: cases(place, way, port) for way, port in ways.items()}
    direct, through = seen.values()
    changed = [case for case in sorted(direct.keys() | through.keys()) if direct.get(case) != through.get(case)]
    lines = [
        f"kosoku {stage.wheel('kosoku')} plays the {len(direct)} cases of Autobahn's test suite to a node"
        f" (aiohttp {stage.wheel('aiohttp')}, which sends back what it gets).",
        "",
        "| | " + " | ".join(outcome.lower() for outcome in outcomes(seen)) + " |",
        "| --- |" + " ---: |" * len(outcomes(seen)),
    ]
    for way, found in seen.items():
        counted = Counter(behaviour for behaviour, _, _ in found.values())
        lines.append(f"| {way} | " + " | ".join(str(counted[outcome]) for outcome in outcomes(seen)) + " |")
    failures = [f"case {case}: {direct.get(case)} at the node, {through.get(case)} through bookend" for case in changed]
    same = "Every case ends the same way, with the same close code." if not changed else f"{len(changed)} cases differ."
    return [*lines, "", same, *(f"- {failure}" for failure in failures)], failures


def outcomes(seen):
    """The outcomes that there are, the good ones first."""
    order = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED"]
    found = {behaviour for cases in seen.values() for behaviour, _, _ in cases.values()}
    return sorted(found, key=lambda outcome: (order.index(outcome) if outcome in order else len(order), outcome))


def cases(place, way, port):
    """How each case ended: what was seen, how the connection was closed, and by which code."""
    directory = place.place / way.replace(" ", "-")
    command = [stage.WHEELS / "bin" / "kosoku", "-p", "4", "-o", directory, f"127.0.0.1:{port}"]
    # It fails if a case does, which some may at the node itself.
    stage.run(command, SECONDS, is_expected=lambda code: code in (0, 1))
    (agent,) = json.loads((directory / "index.json").read_text()).values()
    return {case: (end["behavior"], end["behaviorClose"], end["remoteCloseCode"]) for case, end in agent.items()}
