"""Which layer of the Keras model an op belongs to.

A converted file keeps layers only in its tensors' names, such as
"functional_1/block_1_relu_1/Relu6;functional_1/block_1_conv_1/convolution2", and XNNPACK reports
its own ops, which are not the file's one for one: a 1x1 convolution runs as "Fully Connected", a
reshape may come in between. The two lists are aligned in order, by our own rules below.
"""

import re
from collections.abc import Sequence
from os.path import commonprefix
from typing import Any

#: What a file's op may be called in XNNPACK's list, by the start of the name, without types.
XNNPACK_NAMES = {
    "CONV_2D": ("Convolution", "Fully Connected"),
    "DEPTHWISE_CONV_2D": ("Convolution",),
    "TRANSPOSE_CONV": ("Deconvolution",),
    "FULLY_CONNECTED": ("Fully Connected", "Dynamic Fully Connected"),
    "BATCH_MATMUL": ("Batch Matrix Multiply", "Fully Connected"),
    "ADD": ("Add",),
    "SUB": ("Subtract",),
    "MUL": ("Multiply",),
    "DIV": ("Divide",),
    "MEAN": ("Mean", "Global Average Pooling"),
    "SUM": ("Sum", "Global Sum Pooling"),
    "AVERAGE_POOL_2D": ("Average Pooling",),
    "MAX_POOL_2D": ("Max Pooling",),
    "CONCATENATION": ("Concatenate",),
    "PAD": ("Constant Pad",),
    "PADV2": ("Constant Pad",),
    "RESHAPE": ("Static Reshape", "Copy"),
    "SQUEEZE": ("Static Reshape", "Copy"),
    "EXPAND_DIMS": ("Static Expand Dims", "Static Reshape", "Copy"),
    "SLICE": ("Static Slice",),
    "STRIDED_SLICE": ("Static Slice",),
    "SPLIT": ("Even Split",),
    "RELU": ("Clamp",),
    "RELU6": ("Clamp",),
    "RELU_N1_TO_1": ("Clamp",),
    "LOGISTIC": ("Sigmoid",),
    "LEAKY_RELU": ("Leaky ReLU",),
    "HARD_SWISH": ("Hardswish", "HardSwish"),
    "QUANTIZE": ("Convert",),
    "DEQUANTIZE": ("Convert",),
    "RESIZE_BILINEAR": ("Static Resize Bilinear",),
    "DEPTH_TO_SPACE": ("Depth To Space",),
    "SPACE_TO_DEPTH": ("Space To Depth",),
}

#: Names inside a layer, between its own and the operation's.
_INNER = {"batchnorm"}

#: The operations whose layer a fused op belongs to.
_COMPUTES = re.compile(r"(separable_)?conv|depthwise|matmul|einsum", re.IGNORECASE)


def graph_nodes(interpreter: Any) -> list[dict[str, Any]]:
    """Return the main graph's ops, in order: "op" and the names of its "outputs".

    Args:
        interpreter: a LiteRT interpreter with allocated tensors.
    """
    names = {int(t["index"]): str(t["name"]) for t in interpreter.get_tensor_details()}
    return [
        {"op": op["op_name"], "outputs": [names.get(int(t), "") for t in op["outputs"]]}
        for op in interpreter._get_ops_details()
        if op["op_name"] != "DELEGATE"
    ]


def layer_names(nodes: Sequence[dict[str, Any]]) -> list[str]:
    """Return the layer of each node; the output tensor's name where that holds no layer.

    "functional_1/mobilenet_1/block_1_conv_1/convolution2" is the layer "mobilenet/block_1_conv":
    the exported function's name is dropped, and so are the operation's and the ending "_1" where
    exporting added it to all layers alike.
    """
    paths = [_layer_path(node["outputs"][0]) if node["outputs"] else [] for node in nodes]
    known = [path for path in paths if path]
    exported = bool(known) and all(part.endswith("_1") for path in known for part in path)
    shared = len(commonprefix(known)) if len(known) > 1 else 0
    names = []
    for node, path in zip(nodes, paths, strict=True):
        parts = path[min(shared, len(path) - 1) :] if path else []
        parts = [part.removesuffix("_1") if exported else part for part in parts]
        names.append("/".join(parts) or (node["outputs"] or [node["op"]])[0])
    return names


def _layer_path(tensor: str) -> list[str]:
    """Return the path of the layer that made a tensor, or [] when the name holds none."""
    candidates = []
    for name in tensor.split(";"):
        *path, operation = name.split("/")
        while path and path[-1] in _INNER:
            path.pop()
        if path:
            candidates.append((path, operation))
    for path, operation in candidates:
        if _COMPUTES.match(operation):
            return path
    return candidates[0][0] if candidates else []


def align(reported: Sequence[str], ops: Sequence[str]) -> list[int | None]:
    """Assign to each op that a delegate reports the file's op that it computes.

    Args:
        reported: names as XNNPACK has them, in order: "Convolution (NHWC, QC8) IGEMM".
        ops: the file's delegated ops, in order: "CONV_2D".

    Returns:
        For each reported op an index into `ops`: in order, with as many of the same kind as
        possible. A helper without a counterpart (a reshape, a conversion) belongs to the op that
        follows it, or to the last one; all are None when no op matches.
    """
    places = _matches(reported, ops)
    for order in (range(len(places) - 1, -1, -1), range(len(places))):
        nearest = None
        for i in order:
            nearest = places[i] if places[i] is not None else nearest
            places[i] = nearest
    return places


def _matches(reported: Sequence[str], ops: Sequence[str]) -> list[int | None]:
    """Match reported ops with the file's of the same kind, in order, as many as possible."""
    rows, columns = len(reported), len(ops)
    # best[i][j]: how many of the same kind can be matched from reported[i:] and ops[j:] on.
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            matched = best[i + 1][j + 1] + 1 if _same_kind(reported[i], ops[j]) else 0
            best[i][j] = max(matched, best[i + 1][j], best[i][j + 1])
    places: list[int | None] = [None] * rows
    i = j = 0
    while i < rows and j < columns:
        if _same_kind(reported[i], ops[j]) and best[i][j] == best[i + 1][j + 1] + 1:
            places[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            i += 1
    return places


def _same_kind(reported: str, op: str) -> bool:
    names = XNNPACK_NAMES.get(op, (op.replace("_", " "),))
    return reported.lower().startswith(tuple(name.lower() for name in names))
