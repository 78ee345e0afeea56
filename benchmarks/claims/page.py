"""The page of all claims."""

from benchmarks.claims import condensenet, condensenext, l_mobilenet, xception_lite
from benchmarks.claims.claim import markdown
from benchmarks.claims.counts import Counts
from benchmarks.claims.sources import Sources, read_sources
from benchmarks.pages import ROOT, markdown_table
from keras_lwcnn.files import write_bytes

PAGE = ROOT / "docs" / "claims.md"
SECTIONS = (l_mobilenet, condensenext, condensenet, xception_lite)

_ON_GPU = (
    "python -m benchmarks.seeds l_mobilenet mobilenet_v2 shufflenet_v2 --data cifar10 "
    "--recipe l_mobilenet/cifar10/ours --epochs 30 --seeds 0"
)
COMMANDS = {
    "counts": "python -m benchmarks.claims",
    "host": "python -m benchmarks.architectures",
    "instructions": "python -m benchmarks.instructions",
    "condensation": "python -m benchmarks.condensation_resume --epochs 3",
    "weights": "lwcnn weights check NETWORK --data cifar10",
    "memory": "lwcnn train-cost xception_lite xception keras_mobilenet_v2 efficientnet_v2_b1 "
    "--rows costs.jsonl && python -m benchmarks.training_cost costs.jsonl",
    "seeds-pcb": r"python -m benchmarks.seeds xception_lite xception --data deeppcb96 "
    r"--groups '^(\d+)_' --image-size 72 --recipe xception_lite/deeppcb96/ours --epochs 2 "
    "--precision float32 --ema 0 --settle-batches 100",
    "seeds-caltech101": "python -m benchmarks.seeds xception_lite xception --data caltech101 "
    "--image-size 72 --recipe xception_lite/caltech101/ours --epochs 3 --precision float32 "
    "--ema 0 --settle-batches 100",
    "seeds-l_mobilenet": f"KERAS_BACKEND=jax {_ON_GPU} --train-only --steps-per-call 39 && "
    f"{_ON_GPU}",
    "seeds-condensed": "python -m benchmarks.seeds NETWORK --data cifar10 "
    "--recipe NETWORK/cifar10/short --epochs EPOCHS --seeds 0",
}

HEAD = """# The papers' figures, and what is known of them

Each table has every figure of a paper that could be had, beside what was measured here. It is
written by `python -m benchmarks.claims` from stored rows and from networks that are built and
counted; no measured value is typed in.

- **State** is one of: *holds*, *does not hold*, *not measured*, *cannot be compared*. What follows
  it says how far that goes: a ratio on one host is none on a phone, and an accuracy after a few
  epochs is none after a whole training.
- **Host** figures are of one thread of one x86 machine. **Emulated** ones are counts of executed
  instructions: they are no times, and are not judged as such. Nothing was measured on a board or
  a phone.
- Of several seeds the mean is given, with the smallest and the largest; of host ratios and shipped
  weights the 95 % interval.
- Where a line says *ours*, the figure or the target is this project's.
"""


def page(sources: Sources) -> str:
    """Return the page as Markdown."""
    sections = [markdown(each.section(sources)) for each in SECTIONS]
    return "\n".join([HEAD, *sections, commands()])


def write_page() -> None:
    """Write docs/claims.md from stored rows and counted networks."""
    write_bytes(PAGE, page(read_sources(Counts())).encode())


def commands() -> str:
    """Return the section that names the commands in full."""
    lines = [[name, f"`{command}`"] for name, command in COMMANDS.items()]
    table = markdown_table(["name", "command"], lines, text_columns=2)
    return (
        "## Commands\n\n"
        "Those that train need `LWCNN_DATA`. After any of them, `python -m benchmarks.claims` "
        f"writes this page again.\n\n{table}"
    )
