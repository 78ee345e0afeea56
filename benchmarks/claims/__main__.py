"""Write docs/claims.md: every figure of the papers beside what was measured here.

    python -m benchmarks.claims

Builds and counts the networks, reads the stored rows and the index of the package's weights. Each
paper has a module that says what is claimed and what its caveats are.
"""

import argparse

from benchmarks.claims.counts import Counts
from benchmarks.claims.page import PAGE, page
from benchmarks.claims.sources import read_sources
from keras_lwcnn.files import write_bytes


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    print(write_bytes(PAGE, page(read_sources(Counts())).encode()))


if __name__ == "__main__":
    main()
