"""How fast the networks and their baselines are on one thread of this host, and their ratios.

    python -m benchmarks.architectures                 all networks at 32 and 224 px
    python -m benchmarks.architectures --size 32
    python -m benchmarks.architectures --search        the candidates for L-Mobilenet's default
    python -m benchmarks.architectures --search --train 10    after training each for 10 epochs

Weights are random, with the statistics of one batch: time does not depend on them. Files and
trainings that exist are kept, so that a run that was cut goes on; the timing itself is one run, in
which the files take turns. Ratios are geometric means over the sessions with their 95 % interval.

Writes rows, a table and JSON into benchmarks/architectures/results/. A run of all networks at both
sizes also writes the tables of docs/results.md and draws docs/architectures.png; a search with
training writes the table of docs/networks.md.
"""

import argparse
import os
from pathlib import Path

from benchmarks.architectures import report
from benchmarks.architectures.networks import (
    CLAIMS,
    REFERENCES,
    candidates,
    networks,
)
from benchmarks.architectures.timing import convert_all, judge, summarize, time_all
from benchmarks.architectures.training import train_all
from keras_lwcnn.files import write_bytes, write_json
from lwcnn.rows import now


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, choices=list(REFERENCES), help="only this image size")
    parser.add_argument("--search", action="store_true", help="candidates for L-Mobilenet")
    parser.add_argument("--train", type=int, metavar="EPOCHS", help="train each candidate first")
    parser.add_argument("--data", default="cifar10", help="what to train on (default cifar10)")
    parser.add_argument("--images", type=int, help="train on so many only, balanced by class")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trainings at a time")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these, besides the references")
    parser.add_argument("--sessions", type=int, default=15, help="turns of each file (default 15)")
    parser.add_argument("--seconds", type=float, default=0.2, help="of each turn (default 0.2)")
    parser.add_argument("--out", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--results", type=Path, default=report.RESULTS)
    options = parser.parse_args()
    if options.train and not options.search:
        parser.error("--train works with --search only; add --search")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.search:
        measure(options, 32)
        if options.train and not options.only:
            report.write_search(options.results)
        return
    for size in [options.size] if options.size else list(REFERENCES):
        measure(options, size)
    if not (options.size or options.only):
        report.write_tables(options.results)
        report.draw_networks(options.results)


def measure(options: argparse.Namespace, size: int) -> None:
    """Convert the networks, train them where asked, time them and write what was measured."""
    builds = candidates() if options.search else networks(size)
    references = REFERENCES[size]
    if options.only:
        if unknown := set(options.only) - set(builds):
            names = ", ".join(sorted(unknown))
            raise SystemExit(f"unknown networks {names}; allowed are {', '.join(builds)}.")
        builds = {name: builds[name] for name in builds if name in {*references, *options.only}}
    convert_all(builds, size, options.out)
    names = list(builds)
    top1 = {}
    if options.train:
        top1 = train_all(
            names, options.train, options.data, options.images, options.out, options.jobs
        )
    print(f"timing {len(names)} networks at {size} px in turns", flush=True)
    title = "search" if options.search else f"networks@{size}"
    rows = options.results / f"{title}.rows.jsonl"
    medians = time_all(names, size, options.out, rows, options.sessions, options.seconds)
    table = summarize(names, references, size, options.out, medians)
    for row in table:
        row["top1"] = top1.get(row["name"])
    measured = {"date": now(), "networks": table, "claims": judge(CLAIMS, size, medians)}
    text = report.markdown(measured, references)
    print(text)
    write_json(options.results / f"{title}.json", measured)
    write_bytes(options.results / f"{title}.md", text.encode())
    if options.search:
        report.draw_search(table, options.results / f"{title}.png", "L-Mobilenet: the search")


if __name__ == "__main__":
    main()
