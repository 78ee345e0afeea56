"""The figures of the papers beside what was measured here: docs/claims.md.

    python -m benchmarks.claims

Builds and counts the networks, reads the stored rows and the index of the package's weights.
Nothing is trained or timed. `papers.md` holds the figures; a new one needs a line there.
"""

import argparse

from benchmarks.claims.page import write_page


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    print(write_page())


if __name__ == "__main__":
    main()
