"""Records how much of a log was used, and one sentence about what was not, for the trial's status."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_SAMPLE, MAX_PROBLEM = 200, 300
_MAX_NAMES, _MAX_NAME = 8, 40


@dataclass
class Notes:
    """Counts, and the first of everything that could not be used.

    Attributes:
        objective: the metric that has to be found.
        nothing: what it means that it was not found.
        noun: what a piece is called.
        pieces: lines read, and what lines were rewritten with.
        used: those in which a metric was found.
        refused: values and epochs that could not be used.
        has_objective: whether the objective was found at all.
        left_out: epochs beyond the last one that is kept.
    """

    objective: str
    nothing: str
    noun: str = "line"
    pieces: int = 0
    used: int = 0
    refused: int = 0
    has_objective: bool = False
    left_out: int = 0
    _names: dict[str, None] = field(default_factory=dict)
    _unmatched: str = ""
    _reason: str = ""
    _refused: str = ""
    _piece: str = ""

    def read(self, piece: str) -> None:
        """Count a piece of the log."""
        self.pieces += 1
        self._piece = piece[:MAX_SAMPLE]

    def found(self, names: frozenset[str]) -> None:
        """Count what was found in it."""
        if names:
            self.used += 1
            if len(self._names) < _MAX_NAMES:
                self._names.update(dict.fromkeys(name[:_MAX_NAME] for name in sorted(names)[:_MAX_NAMES]))
            self.has_objective = self.has_objective or self.objective in names
        if not self._unmatched and self.objective not in names:
            self._unmatched = self._piece

    def refuse(self, reason: str, *, earlier: bool = False) -> None:
        """Count what could not be used.

        Args:
            reason: why.
            earlier: it was found in a piece before the present one.
        """
        self.refused += 1
        if not self._reason:
            self._reason, self._refused = reason, "" if earlier else self._piece

    def summary(self, trouble: str) -> dict[str, int | str]:
        """The entry `log` of the termination message.

        Args:
            trouble: why the file cannot be read, or the page not served; empty if that is not so.
        """
        problem, sample = self._problem(trouble)
        entry: dict[str, int | str] = {"lines": self.pieces, "used": self.used, "refused": self.refused}
        if problem:
            entry["problem"] = _printable(problem, MAX_PROBLEM)
        if sample:
            entry["sample"] = _printable(sample, MAX_SAMPLE)
        return entry

    def _problem(self, trouble: str) -> tuple[str, str]:
        if trouble:
            return trouble, ""
        if not self.pieces:
            return "the file is empty", ""
        if not self.has_objective and not self.refused:
            others = f"; found instead: {', '.join(list(self._names)[:_MAX_NAMES])}" if self._names else ""
            return f"no {self.objective} in {self._counted(self.pieces)}: {self.nothing}{others}", self._unmatched
        if self.refused:
            return f"{self._counted(self.refused)} of {self.pieces} could not be used: {self._reason}", self._refused
        if self.left_out:
            return f"{self.left_out} values were left out, since 39999 epochs are kept; the last one is at the end", ""
        return "", ""

    def _counted(self, count: int) -> str:
        return f"{count} {self.noun}{'s' * (count != 1)}"


def _printable(text: str, limit: int) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:limit]).strip()
