"""A check of a data set as tables for the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from keras_lwcnn.data.check_result import NEAR, DataCheck, Pair
from lwcnn.report.comparison_table import WIDTH

NAMED = 3
"""How many groups are named; of pairs, the first one is."""


def print_data_check(check: DataCheck) -> None:
    """Print what a check found: classes, what the splits share, and whether to trust the test."""
    console = Console()
    if not console.is_terminal:
        # A file or a pipe has no width of its own.
        console = Console(width=max(console.width, WIDTH))
    console.print(_classes(check))
    console.print(_shared(check))
    console.print(
        "The label of the nearest training thumbnail (16x16) is right for "
        f"{check.nearest_top1:.2%} of the test images; the most frequent class for "
        f"{check.majority_top1:.2%}. An accuracy has to beat both.",
        highlight=False,
    )
    for finding in check.findings:
        console.print(f"[bold red]not to be trusted:[/] {escape(finding)}", highlight=False)
    if not check.findings:
        console.print("Nothing speaks against figures on the test images.", highlight=False)


def _classes(check: DataCheck) -> Table:
    table = Table(
        title=f"{escape(check.dataset['name'])}: {len(check.dataset['class_names'])} classes",
        title_justify="left",
    )
    table.add_column("split", no_wrap=True)
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("smallest class", overflow="fold")
    table.add_column("largest class", overflow="fold")
    names = check.dataset["class_names"]
    for split, counts in check.class_counts.items():
        ends = (f"{escape(names[counts.index(n)])}: {n:,}" for n in (min(counts), max(counts)))
        table.add_row(split, f"{sum(counts):,}", *ends)
    return table


def _shared(check: DataCheck) -> Table:
    table = Table(
        title="Images that are there twice",
        caption=f"Near: the thumbnails differ by at most {NEAR:.0%} of their contrast. Images that "
        "look alike but are no copies are among them.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("found", no_wrap=True)
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("for example", overflow="fold")
    kinds: list[tuple[str, Sequence[Pair]]] = []
    for overlap in check.overlaps:
        where = f"of {overlap.second} in {overlap.first}"
        kinds += [(f"identical, {where}", overlap.identical), (f"near, {where}", overlap.near)]
    kinds += [(f"identical, within {split}", pairs) for split, pairs in check.repeats.items()]
    kinds.append(("identical, another label", check.conflicts))
    for name, pairs in kinds:
        table.add_row(name, f"{len(pairs):,}", _named(pairs[0]) if pairs else "")
    if check.dataset.get("groups"):
        for overlap in check.overlaps:
            name = f"groups in {overlap.first} and {overlap.second}"
            examples = ", ".join(map(escape, overlap.groups[:NAMED]))
            table.add_row(name, f"{len(overlap.groups):,}", examples)
    return table


def _named(pair: Pair) -> str:
    labels = "" if pair.first.label == pair.second.label else " (another label)"
    return escape(f"{pair.second} = {pair.first}{labels}")
