"""Which folder may import which, as CONTRIBUTING says; and no circle of modules inside a folder."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "keras_lwcnn": set(),
    "android_bench": set(),
    "convert": {"keras_lwcnn", "android_bench"},
    "lwcnn": {"keras_lwcnn", "android_bench", "convert"},
    "benchmarks": {"keras_lwcnn", "android_bench", "convert", "lwcnn"},
}
FRAMEWORKS = {"keras", "tensorflow", "tf_keras", "jax", "torch"}
BACKEND_FUNCTIONS = {"keras_lwcnn"}  # imports its backends inside the few functions for one of them


def modules() -> dict[str, Path]:
    """Every module of the tree by its dotted name."""
    names = {}
    for folder in MAY_IMPORT:
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def imports(tree: ast.AST, known: dict[str, Path] = MODULES, outermost: bool = False) -> set[str]:
    """What a module imports, anywhere or only while it is itself imported, as dotted names."""
    names = set()
    nodes = list(_nodes_of_import_time(tree)) if outermost else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in known else node.module)
    return names


def _nodes_of_import_time(tree: ast.AST):
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or _is_type_checking(child):
            continue
        yield child
        yield from _nodes_of_import_time(child)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def forbidden(module: str, tree: ast.AST) -> list[str]:
    """The imports of a module that the table rules out."""
    folder = module.partition(".")[0]
    others = (set(MAY_IMPORT) - MAY_IMPORT[folder] - {folder}) | (
        FRAMEWORKS if folder == "android_bench" else set()
    )
    wrong = {name for name in imports(tree) if name.partition(".")[0] in others}
    if folder in BACKEND_FUNCTIONS:
        early = imports(tree, outermost=True)
        wrong |= {name for name in early if name.partition(".")[0] in FRAMEWORKS - {"keras"}}
    return sorted(wrong)


def circle(folder: str, sources: dict[str, ast.AST]) -> list[str] | None:
    """The modules of a circle of imports among those of a folder, imports in functions included.

    A package is none of its modules' imports: `from a.b import c` runs `a/b/__init__.py` first in
    any case.
    """
    graph = {
        module: {
            name
            for name in imports(tree)
            if name in sources and name != module and not module.startswith(f"{name}.")
        }
        for module, tree in sources.items()
        if module.partition(".")[0] == folder
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.AST]:
    return {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def test_every_import_goes_the_way_of_the_table(trees):
    wrong = {name: bad for name, tree in trees.items() if (bad := forbidden(name, tree))}
    assert not wrong


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("convert.modes", "from lwcnn.rows import read_rows"),
        ("convert.modes", "def late():\n    import benchmarks.pages"),
        ("keras_lwcnn.files", "from convert import compare"),
        ("keras_lwcnn.files", "import tensorflow"),
        ("android_bench.worker", "def late():\n    import tensorflow as tf"),
        ("android_bench.worker", "from keras_lwcnn.files import write_bytes"),
        ("lwcnn.rows", "import benchmarks"),
    ],
)
def test_an_arrow_against_the_table_is_found(trees, module, line):
    changed = ast.parse(ast.unparse(trees[module]) + "\n" + line)
    assert forbidden(module, changed)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_no_modules_import_each_other_in_a_circle(trees, folder):
    assert circle(folder, trees) is None


def test_a_circle_that_is_added_is_found(trees):
    closing = "def late():\n    from convert.converter import to_tflite"
    changed = ast.parse(ast.unparse(trees["convert.modes"]) + "\n" + closing)
    assert circle("convert", trees | {"convert.modes": changed})


def test_the_table_of_contributing_is_the_one_that_is_tested():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for folder, others in MAY_IMPORT.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{folder}/`")]
        cell = row.rstrip(" |").rpartition("|")[2]
        assert {name for name in MAY_IMPORT if f"`{name}`" in cell} == others, row
