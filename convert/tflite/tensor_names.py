"""From the names that converters give to tensors back to the layers of the Keras model."""

from collections.abc import Sequence


def layer_of(tensor: str, layer_names: Sequence[str] = ()) -> str:
    """Return the Keras layer that a tensor's name speaks of.

    TensorFlow joins the names of fused ops with ";" and numbers repeated ones, as in
    "model_1/stem_relu_1/Relu;model_1/stem_conv_1/convolution".

    Args:
        tensor: a tensor's name.
        layer_names: names of the model's layers, among which the first one named is taken.
    """
    parts = [part for name in tensor.split(";") for part in name.split("/")]
    for part in parts:
        for name in (part, part.rsplit("_", 1)[0]):
            if name in layer_names:
                return name
    scopes = tensor.split(";")[0].split("/")
    return scopes[-2] if len(scopes) > 1 else scopes[0]
