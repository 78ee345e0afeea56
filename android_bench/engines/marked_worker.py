"""The worker with markers around each inference, for the instruction counter.

``python marked_worker.py OPTIONS.json`` beside `worker.py`; the document gets "maps", where code
lies in memory. It is used where there is no C runner.
"""

import ctypes
import sys
from typing import Any

import worker

_measure = worker.measure
_MARK_BEGIN, _MARK_END = 0x6C770001, 0x6C770002
_mark = ctypes.CDLL(None).sched_get_priority_max  # with an argument that no kernel knows


class MarkedRun(worker.Run):
    """A run whose interpreter marks each inference."""

    def __init__(self, path: str, options: worker.Options) -> None:
        super().__init__(path, options)
        invoke = self.interpreter.invoke

        def marked() -> None:
            _mark(_MARK_BEGIN)
            invoke()
            _mark(_MARK_END)

        self.interpreter.invoke = marked


def code_maps() -> list[dict[str, Any]]:
    """Return where executable code lies in memory: path, start, end, offset in the file."""
    maps = []
    with open("/proc/self/maps") as file:
        for line in file:
            span, access, offset, _, _, *path = line.split(maxsplit=5)
            if "x" in access and path:
                start, end = (int(number, 16) for number in span.split("-"))
                maps.append(
                    {"path": path[0].strip(), "start": start, "end": end, "offset": int(offset, 16)}
                )
    return maps


def measure_marked(request: dict[str, Any]) -> dict[str, Any]:
    """Measure as the worker does, and add "maps"."""
    document = _measure(request)
    document["maps"] = code_maps()
    return document


if __name__ == "__main__":
    worker.Run, worker.measure = MarkedRun, measure_marked
    sys.exit(worker.main(sys.argv[1:]))
