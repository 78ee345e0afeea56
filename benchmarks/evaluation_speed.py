"""Images a second through an int8 file: all cores against one interpreter in a loop.

The two ways take turns, so that what else the machine does meets both; predictions have to be
equal. Each row also has the CPU seconds: where both ways take as many, a ratio below the number of
cores means that other programs had them. Writes one JSON row a round and one with the median ratio.

    python benchmarks/evaluation_speed.py MODEL.int8.tflite --data cifar10.npz --out rows.jsonl
"""

import argparse
import json
import os
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import numpy as np

from convert import predict


def timed(*arguments, **options):
    """Return predictions, seconds and CPU seconds of all threads."""
    began, used = time.perf_counter(), time.process_time()
    found = predict(*arguments, **options)
    return found, time.perf_counter() - began, time.process_time() - used


def main():
    """Measure in turn and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", type=Path, required=True, help=".npz with x_test, uint8")
    parser.add_argument("--images", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("/dev/stdout"))
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
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with args.out.open("a") as file:
        for row in rows:
            print(json.dumps({"kind": "evaluation_speed", "date": date, **row}), file=file)


if __name__ == "__main__":
    main()
