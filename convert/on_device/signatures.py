"""A frozen body and a trainable head -> one TFLite flatbuffer with four signatures."""

import tempfile
from typing import Any

import keras

from convert.on_device.head import Head
from convert.quiet import quiet
from convert.source.float_tflite import run_converter
from convert.tflite import flatbuffer


def trainable_flatbuffer(body: keras.Model, head: Head, batch_size: int, softmax: bool) -> bytes:
    """Convert a classifier to a float32 flatbuffer whose head can be trained.

    Args:
        body: returns the features (batch, features) of images; it becomes constants.
        head: its kernel and bias become the file's variables.
        batch_size: images of one training step.
        softmax: whether `infer` returns probabilities instead of logits.

    Raises:
        ValueError: the body needs an op that TFLite does not have.
    """
    import tensorflow as tf

    output = "probabilities" if softmax else "logits"
    with tempfile.TemporaryDirectory(prefix="lwcnn-trainable-") as folder:
        with quiet():
            module = tf.Module()
            module.kernel = tf.Variable(head.kernel, name="kernel")
            module.bias = tf.Variable(head.bias, name="bias")
            # The converter loses the weights of a Keras model that the module does not hold.
            module.body = [variable.value for variable in body.variables]
            signatures = _signatures(module, body, head, batch_size, output)
            tf.saved_model.save(module, folder, signatures)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, list(signatures))
        content = run_converter(converter)
    return _infer_first(content, output)


def _signatures(
    module: Any, body: keras.Model, head: Head, batch_size: int, output: str
) -> dict[str, Any]:
    import tensorflow as tf

    kernel, bias = module.kernel, module.bias
    size, images_dtype = tuple(body.inputs[0].shape[1:]), body.inputs[0].dtype

    def weights() -> dict[str, Any]:
        return {"kernel": kernel.read_value(), "bias": bias.read_value()}

    def infer(images: Any) -> dict[str, Any]:
        logits = body(images, training=False) @ kernel + bias
        return {output: tf.nn.softmax(logits) if output == "probabilities" else logits}

    def train(images: Any, labels: Any, learning_rate: Any) -> dict[str, Any]:
        # The gradient is written out: that of tf.GradientTape needs ops that TFLite lacks.
        features = body(images, training=False)
        logits = features @ kernel + bias
        target = tf.one_hot(labels, len(head.bias))  # zeros for a label out of range
        counted = tf.reduce_sum(target, axis=1, keepdims=True)
        count = tf.maximum(tf.reduce_sum(counted), 1.0)
        loss = -tf.reduce_sum(target * tf.nn.log_softmax(logits)) / count
        step = learning_rate / count * (tf.nn.softmax(logits) * counted - target)
        kernel.assign(kernel - tf.matmul(features, step, transpose_a=True) * head.mask)
        if head.use_bias:
            bias.assign(bias - tf.reduce_sum(step, axis=0))
        return {"loss": loss}

    def get_weights(unused: Any) -> dict[str, Any]:
        return weights()

    def set_weights(**values: Any) -> dict[str, Any]:
        kernel.assign(values["kernel"])
        bias.assign(values["bias"])
        return weights()  # without an output the assignments would not be run

    def spec(shape: Any, dtype: Any = tf.float32) -> Any:
        return tf.TensorSpec(shape, dtype)

    functions = {
        "infer": (infer, {"images": spec((1, *size), images_dtype)}),
        "train": (
            train,
            {
                "images": spec((batch_size, *size), images_dtype),
                "labels": spec((batch_size,), tf.int32),
                "learning_rate": spec(()),
            },
        ),
        "get_weights": (get_weights, {"unused": spec((), tf.int32)}),
        "set_weights": (set_weights, {"kernel": spec(kernel.shape), "bias": spec(bias.shape)}),
    }
    return {
        name: tf.function(function, autograph=False).get_concrete_function(**inputs)
        for name, (function, inputs) in functions.items()
    }


def _infer_first(content: bytes, output: str) -> bytes:
    """Make `infer` the main graph, which the converter orders by name, and name its tensors."""
    model = flatbuffer.read(content)
    graphs = model.subgraphs
    indices = {each.signatureKey.decode(): each.subgraphIndex for each in model.signatureDefs}
    index = indices["infer"]
    graphs[0], graphs[index] = graphs[index], graphs[0]
    moved = {0: index, index: 0}
    for signature in model.signatureDefs:
        signature.subgraphIndex = moved.get(signature.subgraphIndex, signature.subgraphIndex)
    for name, (tensor,) in (("images", graphs[0].inputs), (output, graphs[0].outputs)):
        graphs[0].tensors[tensor].name = name.encode()
    return flatbuffer.write(model)
