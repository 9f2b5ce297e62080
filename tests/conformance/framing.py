"""Requests that could be read in two ways, in front of nginx and Node.js; answers of nodes that could be."""

import os
import re

import stage

TITLE = "Requests that could be read in two ways"
SECONDS = 3600
TOLD = re.compile(r"^(?:test .* \.\.\. )?(.*): (\d+) (requests|answers), (\d+) of them (.*)$", re.M)


def report(_place):
    versions = {"nginx": stage.version(["nginx", "-v"]), "Node.js": stage.version(["node", "--version"])}
    command = ["cargo", "test", "--locked", "--test", "integration", "two_ways", "--", "--nocapture"]
    # Building it takes longer than running it.
    said = stage.run(
        command, SECONDS, is_expected=stage.any_exit, cwd=stage.ROOT, env={**os.environ, "BOOKEND_CONFORMANCE": "1"}
    )
    passed = re.search(r"test result: ok\. (\d+) passed", said)
    if not passed:
        return ["They do not pass."], [said[-3000:]]
    lines = ["| at | messages | of them refused |", "| --- | ---: | ---: |"]
    for at, messages, kind, bad, _ in sorted(TOLD.findall(said), key=lambda told: (told[2], told[0]), reverse=True):
        number = f" {versions[at]}" if at in versions else ""
        lines.append(f"| {at}{number} | {messages} {kind} | {bad} |")
    return [*lines, "", "Every one of them came out as it has to."], []
