"""Images a second through an int8 file: all cores against one interpreter in a loop.

The two ways take turns, so that what else the machine does meets both; predictions have to be
equal. Writes one JSON row a round and one with the median ratio.

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
    """Return predictions and seconds."""
    began = time.perf_counter()
    found = predict(*arguments, **options)
    return found, time.perf_counter() - began


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
        one, alone = timed(args.file, images, workers=1)
        many, together = timed(args.file, images)
        if not np.array_equal(one, many):
            raise SystemExit("the predictions differ")
        rows.append({"round": number, "one_seconds": alone, "all_seconds": together,
                     "ratio": alone / together})  # fmt: skip
    rows.append({"file": args.file.name, "images": len(images), "cores": os.cpu_count(),
                 "equal": True, "median_ratio": median(row["ratio"] for row in rows)})  # fmt: skip
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with args.out.open("a") as file:
        for row in rows:
            print(json.dumps({"kind": "evaluation_speed", "date": date, **row}), file=file)


if __name__ == "__main__":
    main()
