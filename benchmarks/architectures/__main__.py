"""Build, convert and time all networks and baselines in turns; write rows, tables and plots.

    python -m benchmarks.architectures                 all networks at 32 and 224 px
    python -m benchmarks.architectures --size 32
    python -m benchmarks.architectures --search        the candidates for L-Mobilenet's default
    python -m benchmarks.architectures --search --train 10    after training each for 10 epochs

Weights are random, with the statistics of one batch: time does not depend on them. Files and
trainings that are there are kept, so that a run that was cut goes on; the timing itself is one run,
in which the files take turns. Ratios are geometric means over the sessions with their 95 %
interval. A run of all networks at both sizes also writes the README's table and
docs/architectures.png; one of the search with training, the table of docs/networks.md.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.architectures import report
from benchmarks.architectures.networks import (
    CLAIMS,
    CLASSES,
    REFERENCES,
    candidates,
    input_range,
    networks,
)
from benchmarks.architectures.timing import convert_all, judge, summarize, time_all
from benchmarks.architectures.training import train_all
from benchmarks.pages import ROOT, fill_block
from keras_lwcnn.files import write_bytes, write_json
from lwcnn.rows import now

HERE = Path(__file__).parent


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
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    if options.train and not options.search:
        parser.error("--train goes with --search")
    options.out.mkdir(parents=True, exist_ok=True)
    if options.search:
        _compare(options, 32)
        return
    sizes = [options.size] if options.size else list(REFERENCES)
    found = {size: _compare(options, size) for size in sizes}
    if len(sizes) > 1 and not options.only:
        _write_readme(found)


def _compare(options: argparse.Namespace, size: int) -> dict[str, Any]:
    """Convert, train where asked, time; write and return what was found."""
    builds = candidates() if options.search else networks(size)
    references = REFERENCES[size]
    if options.only:
        if unknown := set(options.only) - set(builds):
            raise SystemExit(f"unknown names {sorted(unknown)}; known are {', '.join(builds)}")
        builds = {name: builds[name] for name in builds if name in {*references, *options.only}}
    convert_all(builds, size, options.out, input_range)
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
    found = {"date": now(), "networks": table, "claims": judge(CLAIMS, size, medians)}
    text = report.markdown(table, references)
    if found["claims"]:
        text += "\n" + report.claims(found["claims"])
    print(text)
    write_json(options.results / f"{title}.json", found)
    write_bytes(options.results / f"{title}.md", text.encode())
    if options.search:
        report.draw_search(table, options.results / f"{title}.png", "L-Mobilenet: the search")
        if options.train and not options.only:
            fill_block("search", text, ROOT / "docs" / "networks.md")
    return found


def _write_readme(found: Mapping[int, dict[str, Any]]) -> None:
    claims = [claim for size in found for claim in found[size]["claims"]]
    parts = [
        f"At {size} px ({CLASSES[size]} classes), times as fast as the reference, one thread of "
        f"the host:\n\n{report.ratios(found[size]['networks'], REFERENCES[size])}"
        for size in found
    ]
    fill_block("architectures", "\n".join([*parts, report.claims(claims)]))
    report.draw_networks(
        {f"{size} px": found[size]["networks"] for size in found},
        ROOT / "docs" / "architectures.png",
    )


if __name__ == "__main__":
    main()
