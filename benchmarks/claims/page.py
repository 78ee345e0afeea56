"""docs/claims.md: `papers.md` with each figure answered.

`papers.md` holds the prose of the page and its tables: each line has a figure, the figure as
published, the call that answers it (a function of `answers.py` and its words) and the numbers of
its notes. A line of the page has what was measured in place of the call.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.claims import answers
from benchmarks.claims.counts import Counts
from benchmarks.claims.figure import Finding, NotMeasured
from benchmarks.claims.sources import Sources, read_sources
from benchmarks.pages import DOCS
from keras_lwcnn.files import write_bytes

PAGE = DOCS / "claims.md"
PAPERS = Path(__file__).parent / "papers.md"
LINE = re.compile(r"^\| (.+) \| (.+) \| `(.+)` \| (.+) \|$", re.MULTILINE)
HEADER = "| figure | published | answered by | notes |\n| --- | --- | --- | --- |\n"
ANSWERED = (
    "| figure | published | measured here | of what | state | command | notes |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)


@dataclass(frozen=True)
class Line:
    """A line of `papers.md`: a figure, as published, the call that answers it, and its notes."""

    figure: str
    published: str
    call: str
    notes: str

    def finding(self, sources: Sources) -> Finding:
        """Return what is known here of the figure."""
        name, *words = self.call.split()
        try:
            return answers.ANSWERS[name](sources, self.published, *words)
        except NotMeasured as missing:
            return Finding(None, str(missing), "-", command="")

    def markdown(self, sources: Sources) -> str:
        """Return the line of the page."""
        finding = self.finding(sources)
        state = f"**{finding.state.value}** {finding.extent}".rstrip()
        command = f"[{finding.command}](#commands)" if finding.command else "-"
        cells = (self.figure, self.published, finding.value, finding.basis, state, command)
        return f"| {' | '.join(cells)} | {self.notes} |"


def lines(text: str) -> Iterator[Line]:
    """Yield the lines of `papers.md`, or of a part of it."""
    return (Line(*match.groups()) for match in LINE.finditer(text))


def page(sources: Sources, text: str) -> str:
    """Return `papers.md`, or a part of it, with its figures answered."""
    answered = LINE.sub(lambda match: Line(*match.groups()).markdown(sources), text)
    return answered.replace(HEADER, ANSWERED)


def write_page() -> Path:
    """Write docs/claims.md from stored rows and counted networks."""
    return write_bytes(PAGE, page(read_sources(Counts()), PAPERS.read_text()).encode())
