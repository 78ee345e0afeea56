"""Write again, from stored rows, every table and page that scripts write. Nothing is measured.

    python -m benchmarks.write_pages

That is docs/results.md, docs/claims.md, docs/models/, the tables of docs/converting.md,
docs/networks.md and docs/training.md, and the table of the demo in README.md.
"""

import argparse

from benchmarks import demo_readme, int8_accuracy, seeds, training_cost, training_pace
from benchmarks.architectures import report
from benchmarks.claims.page import write_page
from benchmarks.many_trainings import write_table
from benchmarks.ship_weights import write_page as write_model_page
from keras_lwcnn.weights import shipped_sets

TABLES = (
    demo_readme.write_tables,
    int8_accuracy.write_tables,
    report.write_search,
    report.write_tables,
    seeds.write_tables,
    training_cost.write_tables,
    training_pace.write_tables,
    write_table.write_tables,
)


def main() -> None:
    """Write them all."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    for write in TABLES:
        write()
    for weights in shipped_sets():
        write_model_page(weights)
    write_page()


if __name__ == "__main__":
    main()
