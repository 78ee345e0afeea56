"""What a benchmark is asked for: the worker's options, and how long to wait for its end."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from android_bench.worker import Options, option


@dataclass(frozen=True)
class BenchmarkOptions(Options):
    """The options of `benchmark`: those of `worker.Options`, and a time limit.

    Raises:
        ValueError: a value is out of its range.
    """

    timeout: float | None = option(
        None,
        "seconds after which the run counts as hung; by default what the options can take at most, "
        "and a minute more",
    )

    @classmethod
    def of(cls, options: dict[str, Any]) -> "BenchmarkOptions":
        """Return the options of these names.

        Raises:
            ValueError: a name is unknown, or a value is out of its range.
        """
        known = [item.name for item in fields(cls)]
        if unknown := sorted(set(options) - set(known)):
            raise ValueError(
                f"options {', '.join(unknown)} are unknown; allowed are {', '.join(known)}"
            )
        return cls(**options)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("timeout", self.timeout is None or self.timeout > 0, "more than 0, or None")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON's types."""
        return json.loads(json.dumps(asdict(self)))

    def for_worker(self) -> dict[str, Any]:
        """Return the options that the worker takes, as JSON's types."""
        options = self.to_dict()
        del options["timeout"]
        return options

    def time_limit(self, models: int) -> float:
        """Return the seconds after which a run of so many models counts as hung."""
        if self.timeout is not None:
            return self.timeout
        return (
            models * (1 + self.sessions) * self.max_secs + self.sessions * self.session_pause + 60
        )
