"""The table of seeds in docs/results.md."""

from benchmarks.seeds import table


def row(network, seed, top1, epochs=2, precision="float32"):
    return {
        "network": network,
        "seed": seed,
        "data": {"name": "parts", "input_shape": [72, 72, 3]},
        "recipe": {
            "epochs": epochs,
            "seed": seed,
            "augmentation": "none",
            "precision": precision,
        },
        "test_images": 100,
        "float32_top1": top1,
        "int8_top1": top1 - 0.01,
        "int8_agreement": 0.99,
    }


def test_a_line_has_the_seeds_of_one_network_and_setting():
    rows = [row("small", 0, 0.90), row("large", 0, 0.8), row("small", 1, 0.92)]
    rows += [row("small", 0, 0.95, epochs=5), row("small", 1, 0.94, precision="mixed_bfloat16")]
    lines = table(rows).splitlines()
    assert lines[2:] == [
        "| `small`, parts at 72 px, 2 epochs | `none` | `float32`, `mixed_bfloat16` | 2 "
        "| 92.00% (90.00 to 94.00) | 91.00% (89.00 to 93.00) | 99.00% (99.00 to 99.00) |",
        "| `large`, parts at 72 px, 2 epochs | `none` | `float32` | 1 | 80.00% | 79.00% | 99.00% |",
        "| `small`, parts at 72 px, 5 epochs | `none` | `float32` | 1 | 95.00% | 94.00% | 99.00% |",
    ], "of a training that was repeated, the last row counts"
