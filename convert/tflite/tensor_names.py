"""Keras layers by the names that converters write for tensors."""

from collections.abc import Sequence


def layer_of(tensor: str, layer_names: Sequence[str] = ()) -> str:
    """Return the name of the Keras layer that a tensor comes from.

    TensorFlow joins the names of fused ops with ";" and numbers repeated ones, as in
    "model_1/stem_relu_1/Relu;model_1/stem_conv_1/convolution".

    Args:
        tensor: a tensor's name.
        layer_names: names of the model's layers; the first of them in the tensor's name is taken.
    """
    parts = [part for name in tensor.split(";") for part in name.split("/")]
    for part in parts:
        for name in (part, part.rsplit("_", 1)[0]):
            if name in layer_names:
                return name
    scopes = tensor.split(";")[0].split("/")
    return scopes[-2] if len(scopes) > 1 else scopes[0]
