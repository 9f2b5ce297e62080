"""Claims about bookend, tried one after the other. A claim is a function, its docstring what it claims."""


def try_all(claims, *arguments):
    """The lines of a report on them, and which do not hold."""
    lines, failures = [], []
    for claim in claims:
        said = " ".join(claim.__doc__.split())
        try:
            claim(*arguments)
            lines.append(f"- {said}")
        except Exception as why:  # each library has its own way to say that something is wrong
            lines.append(f"- **Not so:** {said}")
            failures.append(f"{said}: {type(why).__name__}: {why}")
    return lines, failures


def holds(is_so, seen):
    if not is_so:
        raise AssertionError(f"saw {seen!r}")


def says(text, *wanted):
    """Whether each of these stands in it."""
    for one in wanted:
        if one not in text:
            raise AssertionError(f"no {one!r} in:\n{text[-1500:]}")
