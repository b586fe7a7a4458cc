"""Metrics in a training's output, as `spec.metrics.source` of type File: patterns, and how output gets into a file.

The operator's patterns are RE2's, which match in a time that grows with the line alone.
"""

from __future__ import annotations

import re
from typing import Any

import re2

MAX_DEFINITIONS, MAX_NAME, MAX_REGEX = 40, 128, 500
NUMBER = r"([-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|(?i:nan|inf(?:inity)?)\b))"
"""A number as programs print it: with sign and exponent, and what a training that diverges prints instead of one."""
FOLDER = "/var/log/tuning"
OUTPUT = f"{FOLDER}/training.log"
"""Where a training's output is put as well: the operator's sidecar reads files alone."""
UNBUFFERED = {"name": "PYTHONUNBUFFERED", "value": "1"}
"""By default Python holds back what it writes to a pipe."""
# A training's own signals and exit code: the shell is the container's first process, which passes SIGTERM on and waits.
# Output goes by a named pipe, since a pipeline's exit code is that of tee. A process that outlives the training and
# keeps the pipe open holds the container for ten seconds at most.
_SCRIPT = f"""\
mkdir -p {FOLDER} && rm -f {FOLDER}/output && mkfifo {FOLDER}/output || exit 1
(umask 022; exec tee -a {OUTPUT}) < {FOLDER}/output &
tee=$!
"$0" "$@" > {FOLDER}/output 2>&1 &
training=$!
trap 'kill -s TERM "$training"' TERM INT
wait "$training"
code=$?
while kill -s 0 "$training" 2> /dev/null; do wait "$training"; code=$?; done
(sleep 10; kill "$tee") > /dev/null 2>&1 &
wait "$tee"
exit "$code"
"""
_TOKENS = re.compile(r"\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|[()]", re.DOTALL)
"""Parentheses of a regular expression, and what only looks like one: in a character class, or after a backslash."""
_COUNT_FIRST = re.compile(
    r"(?i)(?:\(\?[a-z]+\))?[^()]*(epoch|step|iter|iteration|batch|round)s?(?:\\[sW]|\\?[^\w()\\])*\((?!\?)"
)
"""A pattern whose first group stands behind a word for what a training counts."""
_ESCAPED_CONTROL = re.compile(r"\\?#(0[0-3][0-7]|177)")
"""A control character as rsyslog writes it, and with it the logs that SageMaker shows: #011 is a tab."""
_NUMBERS, _NO_NUMBERS = ("1", "12", "0.5", "10.25"), ("x", "1 2", "1%", "a=1", "1,2", '"1"')
_ODD_NUMBERS = ("-1.5e-05", "nan", "NaN", "-inf")
_QUIET = re2.Options()
_QUIET.log_errors = False


def source(path: str, definitions: dict[str, str]) -> dict[str, Any]:
    """Make `spec.metrics`, of regular expressions by the names of metrics."""
    listed = [{"name": name, "regex": regex} for name, regex in definitions.items()]
    return {"source": {"type": "File", "file": {"path": path, "format": "Regex", "metricDefinitions": listed}}}


def shown_and_kept(command: list[str]) -> list[str]:
    """Make a command whose output is shown, as before, and written to `OUTPUT`; it needs sh, mkfifo and tee."""
    return ["sh", "-c", _SCRIPT, *command]


def refusal(name: str, regex: str) -> str:
    """Say why a metric's regular expression cannot be used; empty if it can."""
    if len(name) > MAX_NAME or len(regex) > MAX_REGEX:
        return f"a name has at most {MAX_NAME} characters, a regular expression {MAX_REGEX}"
    try:
        groups = re2.compile(regex, _QUIET).groups
    except re2.error as error:
        said = error.args[0]
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        return f"it is not a regular expression of RE2, which has neither lookaround nor backreferences ({said})"
    counted = _COUNT_FIRST.match(regex) if groups > 1 else None
    if counted is not None and counted[1].lower() not in name.lower():
        return f"its first group is the value, which would be the {counted[1].lower()}: write (?:…) there"
    return "" if groups else "it has no group, in parentheses, for the value of that name"


def groups(regex: str) -> list[tuple[int, int]]:
    """Return where the capturing groups of an expression start and end, in the order of their numbers."""
    found: list[tuple[int, int]] = []
    opened: list[int | None] = []
    for match in _TOKENS.finditer(regex):
        if match.group() == "(":
            captures = not regex.startswith("(?", match.start()) or regex.startswith(("(?P<", "(?<"), match.start())
            opened.append(len(found) if captures else None)
            if captures:
                found.append((match.start(), len(regex)))
        elif match.group() == ")" and opened and (number := opened.pop()) is not None:
            found[number] = (found[number][0], match.end())
    return found


def with_every_number(regex: str) -> str:
    """Return the expression with `NUMBER` as its first group, if that group takes some numbers, but not all."""
    start, end = next(iter(groups(regex)), (0, 0))
    return f"{regex[:start]}{NUMBER}{regex[end:]}" if _takes_some_numbers(regex[start:end]) else regex


def with_control_characters(regex: str) -> str:
    """Return the expression for a log as the program writes it: with a tab, where rsyslog writes #011."""
    result, last = [], 0
    for match in re.finditer(f"{_ESCAPED_CONTROL.pattern}|{_TOKENS.pattern}", regex, re.DOTALL):
        if match[1]:
            result += [regex[last : match.start()], f"(?:#{match[1]}|\\x{int(match[1], 8):02x})"]
            last = match.end()
    return "".join([*result, regex[last:]])


def _takes_some_numbers(group: str) -> bool:
    try:
        takes = re2.compile(group, _QUIET).fullmatch
    except re2.error:
        return False
    plain, other, odd = ([takes(text) is not None for text in texts] for texts in (_NUMBERS, _NO_NUMBERS, _ODD_NUMBERS))
    return any(plain) and not any(other) and not all(odd)
