"""A published figure, and how it stands by what is known here."""

import re
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How a figure stands."""

    HOLDS = "holds"
    FAILS = "does not hold"
    APART = "cannot be compared"
    MISSING = "not measured"


class NotMeasured(Exception):
    """Nothing that is stored answers a figure; the message says what is missing."""


@dataclass(frozen=True)
class Finding:
    """What is known here of a figure.

    Attributes:
        holds: whether the figure holds; None where what was measured is not what was published.
        value: what was measured or counted.
        basis: of what: device, mode, length of the training, seeds.
        extent: how far the state goes ("on the host", "after 2 of 200 epochs"); may be empty.
        command: what gives the value, by its name in the page's last table; empty: not measured.
    """

    holds: bool | None
    value: str
    basis: str
    extent: str = ""
    command: str = "counts"

    @property
    def state(self) -> State:
        """How the figure stands."""
        if not self.command:
            return State.MISSING
        return {True: State.HOLDS, False: State.FAILS, None: State.APART}[self.holds]


def numbers(published: str) -> list[str]:
    """Return the numbers of a published figure as they are printed, without commas."""
    return [number.replace(",", "") for number in re.findall(r"[+-]?\d[\d,]*(?:\.\d+)?", published)]


def number(published: str) -> float:
    """Return the last number of a published figure, or of the target that stands for it."""
    return float(numbers(published)[-1])
