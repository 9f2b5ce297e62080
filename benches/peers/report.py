"""What was measured, as Markdown that also reads well in a terminal."""

from dataclasses import dataclass
from statistics import median

# How far a median may be off before it is called slower: below that it is noise.
ALIKE = 0.03
# The share of the measured core in other hands from which on times are to be doubted.
BUSY = 0.1
# Below that, the steps in which the system counts CPU time are too coarse.
LEAST_CPU_SECONDS = 0.2


@dataclass(frozen=True)
class Sample:
    """One proxy in one round."""

    load: object  # load.Load
    used: object  # proxies.Usage
    memory_mib: float
    others: float  # share of the proxy's core that went to anybody else

    def cpu_us(self):
        return self.used.total() * 1e6 / self.load.requests

    def errors(self):
        return sum(self.load.errors.values())

    def fault(self):
        """Why this is not to be used; empty if nothing is wrong with it."""
        if not self.load.requests:
            return "no request was answered"
        if self.errors():
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.load.errors.items())
            return f"{self.errors():,} errors ({kinds})"
        if self.used.total() < LEAST_CPU_SECONDS:
            return f"only {self.used.total():.2f} s of CPU time, counted in steps of 0.01"
        return ""


# The columns: title, format, value of a sample.
COLUMNS = [
    ("requests/s", ",.0f", lambda s: s.load.requests / s.load.seconds),
    ("CPU µs/request", ".1f", Sample.cpu_us),
    ("of it user", ".1f", lambda s: s.used.user * 1e6 / s.load.requests),
    ("system", ".1f", lambda s: s.used.system * 1e6 / s.load.requests),
    ("p50 ms", ".2f", lambda s: s.load.p50_ms),
    ("p99 ms", ".2f", lambda s: s.load.p99_ms),
    ("memory MiB", ".1f", lambda s: s.memory_mib),
]
COMPARED = ["CPU µs/request", "requests/s", "p99 ms", "memory MiB"]


def table(head, rows):
    """The first column to the left, numbers to the right, padded so that it lines up in a terminal."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells):
        padded = [cells[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join(padded) + " |"

    rule = "| " + "-" * widths[0] + " | " + " | ".join("-" * (width - 1) + ":" for width in widths[1:]) + " |"
    return "\n".join([line(head), rule, *map(line, rows)])


def work_section(title, rounds):
    """`rounds`: for each round the sample of each proxy by name."""
    names = list(rounds[0])
    parts = [f"### {title}", medians(names, rounds)]
    others = [name for name in names if name != "bookend"]
    ratios = {name: ratios_to(name, rounds) for name in others} if "bookend" in names else {}
    if ratios:
        parts += [ratio_table(ratios), verdict(ratios)]
    parts += notes(rounds)
    return "\n\n".join(parts)


def medians(names, rounds):
    rows = []
    for name in names:
        clean = [r[name] for r in rounds if not r[name].fault()]
        cells = [format(median(map(value, clean)), form) if clean else "-" for _, form, value in COLUMNS]
        errors = sum(r[name].errors() for r in rounds)
        rows.append([name, *cells, f"{errors:,}", f"{len(clean)} of {len(rounds)}"])
    return table(["median of rounds", *(title for title, _, _ in COLUMNS), "errors", "rounds used"], rows)


def ratios_to(name, rounds):
    """bookend divided by `name` in every round in which both are to be used, for each column compared."""
    both = [(r["bookend"], r[name]) for r in rounds if not r["bookend"].fault() and not r[name].fault()]
    values = {title: value for title, _, value in COLUMNS if title in COMPARED}
    return {title: [value(ours) / value(theirs) for ours, theirs in both] for title, value in values.items()}


def ratio_table(ratios):
    def cell(found):
        return f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})" if found else "-"

    rows = [[f"bookend / {name}", *(cell(by[title]) for title in COMPARED)] for name, by in ratios.items()]
    return table(["ratio: median (spread)", *COMPARED], rows)


def verdict(ratios):
    """In words, so that nobody has to read it out of the table."""
    said = []
    for name, by in ratios.items():
        if not by["CPU µs/request"]:
            said.append(f"There is no round in which bookend can be compared with {name}.")
            continue
        cpu = median(by["CPU µs/request"])
        if cpu > 1 + ALIKE:
            said.append(f"bookend is slower than {name} here: {cpu:.2f} times the CPU for a request.")
        elif cpu < 1 - ALIKE:
            said.append(f"bookend is faster than {name} here: {cpu:.2f} times the CPU for a request.")
        else:
            said.append(f"bookend and {name} need the same CPU for a request here, within {ALIKE:.0%}.")
    return " ".join(said)


def notes(rounds):
    """Rounds that were not used, and how much of the measured core others had."""
    lines = [
        f"- Round {number}, {name}: {sample.fault()}; not used."
        for number, by_name in enumerate(rounds, 1)
        for name, sample in by_name.items()
        if sample.fault()
    ]
    shares = [sample.others for by_name in rounds for sample in by_name.values()]
    said = f"- Others had {median(shares):.0%} of the measured core ({min(shares):.0%} to {max(shares):.0%})"
    lines.append(said + ("." if median(shares) < BUSY else ": the machine was busy, and times mean little."))
    return ["\n".join(lines)]


def scene_section(title, titles, forms, rounds):
    """`rounds`: for each round the values of each proxy by name; ratios are of the first of them."""
    names = list(rounds[0])
    rows = [
        [name, *(format(median(values), form) for values, form in zip(zip(*(r[name] for r in rounds)), forms))]
        for name in names
    ]
    head = ["median of rounds", *titles]
    if "bookend" in names and len(names) > 1:
        head.append("bookend / it")
        for row, name in zip(rows, names):
            ratios = [r["bookend"][0] / r[name][0] for r in rounds if r[name][0]]
            row.append(f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "-")
    return "\n\n".join([f"### {title}", table(head, rows)])


def instructions_section(title, counted):
    """`counted`: by name the instructions per request for each head."""
    heads = list(next(iter(counted.values())))
    rows = []
    for name, by_head in counted.items():
        cells = [f"{count:,.0f}" for count in by_head.values()]
        if "bookend" in counted:
            cells += [f"{counted['bookend'][head] / count:.2f}" for head, count in by_head.items()]
        rows.append([name, *cells])
    columns = [f"{head} head" for head in heads]
    columns += [f"bookend / it, {head}" for head in heads] if "bookend" in counted else []
    return "\n\n".join([f"### {title}", table(["instructions of the worker", *columns], rows)])
