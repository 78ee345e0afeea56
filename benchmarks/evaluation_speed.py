"""How many times faster an int8 file is evaluated on all cores than by one interpreter in a loop.

    python -m benchmarks.evaluation_speed MODEL.int8.tflite --data cifar10.npz

The two ways take turns, so that other programs on the machine disturb both alike; their predictions
have to be equal. Appends one row per round and one with the median ratio to
benchmarks/results/evaluation_speed.jsonl. The rows also have the CPU seconds: where these are equal
for both ways and the ratio is below the number of cores, other programs used the cores.
"""

import argparse
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.stored import RESULTS, append_lines
from convert import predict
from lwcnn.rows import now


def timed(*arguments: Any, **options: Any) -> tuple[np.ndarray, float, float]:
    """Return the predictions of `convert.predict`, its seconds, and CPU seconds of all threads."""
    began, used = time.perf_counter(), time.process_time()
    predictions = predict(*arguments, **options)
    return predictions, time.perf_counter() - began, time.process_time() - used


def main() -> None:
    """Measure both ways in turns and append the rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", type=Path, required=True, help=".npz with x_test, uint8")
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "evaluation_speed.jsonl")
    args = parser.parse_args()
    images = np.load(args.data)["x_test"][: args.images].astype(np.float32) / 127.5 - 1
    rows = []
    for number in range(args.rounds):
        one, alone, one_cpu = timed(args.file, images, workers=1)
        many, together, all_cpu = timed(args.file, images)
        if not np.array_equal(one, many):
            raise SystemExit("the predictions differ")
        rows.append({"round": number, "one_seconds": alone, "all_seconds": together,
                     "one_cpu_seconds": one_cpu, "all_cpu_seconds": all_cpu,
                     "ratio": alone / together})  # fmt: skip
    rows.append({"file": args.file.name, "images": len(images), "cores": os.cpu_count(),
                 "equal": True, "median_ratio": median(row["ratio"] for row in rows)})  # fmt: skip
    facts = {"kind": "evaluation_speed", "date": now()}
    append_lines(args.out, (facts | row for row in rows))
    print(f"{rows[-1]['median_ratio']:.2f} times as fast")


if __name__ == "__main__":
    main()
