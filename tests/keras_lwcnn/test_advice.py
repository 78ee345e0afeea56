import pytest

from keras_lwcnn.training import Recipe
from keras_lwcnn.training.advice import advice, computes_bfloat16

HALF = Recipe(precision="mixed_bfloat16")


@pytest.mark.parametrize(
    ("recipe", "backend", "accelerated", "bfloat16", "words"),
    [
        (HALF, "tensorflow", False, False, ["--precision float32"]),
        (HALF, "tensorflow", False, True, ["--precision float32"]),
        (HALF, "torch", False, True, []),
        (HALF, "jax", False, False, ["--precision float32", "KERAS_BACKEND=tensorflow"]),
        (Recipe(), "jax", False, False, ["KERAS_BACKEND=tensorflow"]),
        (HALF, "jax", True, False, []),
        (Recipe(), "tensorflow", False, False, []),
    ],
)
def test_what_is_slow_without_a_gpu_is_advised_against(
    recipe, backend, accelerated, bfloat16, words
):
    sentences = advice(recipe, backend, accelerated, bfloat16)
    assert len(sentences) == len(words)
    for sentence, word in zip(sentences, words, strict=True):
        assert word in sentence


def test_bfloat16_is_read_from_the_flags_of_the_processor(tmp_path):
    file = tmp_path / "cpuinfo"
    assert not computes_bfloat16(file)
    file.write_text("flags : fpu avx512f avx512_vnni\n")
    assert not computes_bfloat16(file)
    file.write_text("flags : fpu avx512f avx512_bf16 amx_tile\n")
    assert computes_bfloat16(file)
