"""What a claim is, and how a section of claims is written as Markdown."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.pages import markdown_table

WIDTH = 100
HEADER = ("figure", "published", "measured here", "of what", "state", "command", "notes")


class State(Enum):
    """How a claim stands."""

    HOLDS = "holds"
    FAILS = "does not hold"
    MISSING = "not measured"
    APART = "cannot be compared"


@dataclass(frozen=True)
class Finding:
    """What is known here about a figure.

    Attributes:
        value: what was measured or counted.
        basis: of what: device, mode, length of the training, seeds.
        state: how the claim stands by it.
        extent: how far that goes ("on the host", "after 2 of 200 epochs"); may be empty.
    """

    value: str
    basis: str
    state: State
    extent: str = ""


@dataclass(frozen=True)
class Claim:
    """A published figure, or a target of this project, beside what is known of it.

    Attributes:
        figure: what is claimed.
        published: the figure as published; says so where it is a target of ours.
        finding: what is known here.
        command: name of the command that gives the finding, in `COMMANDS`; empty for none.
        notes: caveats, as sentences; equal ones of a section share a number.
    """

    figure: str
    published: str
    finding: Finding
    command: str = "counts"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """The claims of one paper."""

    title: str
    introduction: str
    claims: tuple[Claim, ...]


def missing(why: str) -> Finding:
    """Say that nothing was measured, and why."""
    return Finding(f"not measured: {why}", "", State.MISSING)


def apart(value: str, basis: str, extent: str = "") -> Finding:
    """Give what was measured where it does not measure what was published."""
    return Finding(value, basis, State.APART, extent)


def judged(holds: bool, value: str, basis: str, extent: str = "") -> Finding:
    """Give what was measured and whether the claim holds by it."""
    return Finding(value, basis, State.HOLDS if holds else State.FAILS, extent)


def markdown(section: Section) -> str:
    """Return a section: heading, introduction, table, and the notes that its lines number."""
    notes = list(dict.fromkeys(note for claim in section.claims for note in claim.notes))
    lines = [_line(claim, notes) for claim in section.claims]
    table = markdown_table(HEADER, lines, text_columns=len(HEADER))
    numbered = "".join(f"{_wrapped(note, f'{number}. ')}\n" for number, note in enumerate(notes, 1))
    return f"## {section.title}\n\n{_wrapped(section.introduction)}\n\n{table}\n{numbered}"


def _wrapped(text: str, mark: str = "") -> str:
    """Return a paragraph, or an item of a list behind its mark, in lines of the pages' width."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _line(claim: Claim, notes: Sequence[str]) -> list[str]:
    numbers = sorted(notes.index(note) + 1 for note in claim.notes)
    finding = claim.finding
    return [
        claim.figure,
        claim.published,
        finding.value,
        finding.basis or "-",
        f"**{finding.state.value}** {finding.extent}".rstrip(),
        f"[{claim.command}](#commands)" if claim.command else "-",
        ", ".join(map(str, numbers)) or "-",
    ]
