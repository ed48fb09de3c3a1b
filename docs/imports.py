"""Draw who imports whom: ``python docs/imports.py`` writes ``docs/figures/imports.png``.

Arrows are read from the source; what follows from others is left out. The edges are kept in the picture's metadata, by
which a test sees that it is out of date.
"""

import ast
import itertools
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "hellgan"
PICTURE = HERE / "figures" / "imports.png"

# Box: where it is drawn, and its modules. Imports go upward.
BOXES = {
    "ground floor": (
        (1.4, 8),
        "checks cautions definitions functions execution constraints latents records balance datasets descent",
    ),
    "what a model is made of": ((1.4, 7), "losses parameters samples simulation restrictions plots"),
    "models": ((0.5, 6), "generators kernels discriminators"),
    "population": ((2.6, 5), "divergences"),
    "the game": ((0.5, 5), "objective"),
    "the seam": ((1.5, 5), "estimation"),
    "solutions": ((0.5, 4), "solver"),
    "its law": ((1.5, 4), "inference"),
    "cases": ((1.5, 3), "influence"),
    "what a fit says": ((1.5, 2), "results"),
    "estimators": ((1.2, 1), "gan kernel_gan elsewhere batch loading"),
    "networks": ((0.2, 2), "neural"),
    "studies": ((1.2, 0), "montecarlo"),
    "doors": ((1.2, -1), "__init__ cli __main__"),
}


def owner() -> dict[str, str]:
    """Box of each module."""
    return {module: box for box, (_, modules) in BOXES.items() for module in modules.split()}


def imported(file: Path) -> set[str]:
    """First-level modules of the package that a file imports, inside functions too; from itself, the public names.

    What is imported for its types alone is left out.
    """
    found, tree = set(), ast.parse(file.read_text(encoding="utf-8"))
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return {name.split(".")[1] for name in found if name.startswith("hellgan.")} - {"version", "VERSION"}


def edges() -> list[list[str]]:
    """Pairs of boxes (importer, imported), those that follow from others left out."""
    boxes, pairs = owner(), set()
    for file in sorted(PACKAGE.rglob("*.py")):
        own = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own != "version":
            targets = {boxes.get(module, "doors") for module in imported(file)}
            pairs |= {(boxes[own], target) for target in targets if target != boxes[own]}
    reached = set(pairs)
    for middle, start, end in itertools.product(BOXES, repeat=3):
        if (start, middle) in reached and (middle, end) in reached:
            reached.add((start, end))
    longer = {(a, c) for a, b in pairs for b2, c in reached if b == b2}
    return sorted(map(list, pairs - longer))


def draw() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(9, 9.6), layout="constrained")
    ax.set(xlim=(-0.2, 3.0), ylim=(-1.4, 8.5))
    ax.axis("off")
    patches = {}
    for box, ((x, y), modules) in BOXES.items():
        names = modules.split()
        lines = [" · ".join(names[k : k + 5]) for k in range(0, len(names), 5)]
        text = "\n".join([f"$\\bf{{{box.replace(' ', '~')}}}$", *lines])
        frame = {"boxstyle": "round,pad=.5", "facecolor": "white"}
        patches[box] = ax.text(x, y, text, ha="center", va="center", fontsize=9, bbox=frame).get_bbox_patch()
    figure.canvas.draw()  # boxes have their sizes from here on
    for start, end in edges():
        look = {
            "arrowstyle": "->",
            "color": "#0072B2",
            "linewidth": 1.3,
            "patchA": patches[start],
            "patchB": patches[end],
        }
        ax.annotate("", BOXES[end][0], BOXES[start][0], arrowprops=look)
    figure.savefig(PICTURE, dpi=100, metadata={"Description": json.dumps(edges())})
    plt.close(figure)


if __name__ == "__main__":
    draw()
    sys.path.insert(0, str(HERE.parent / "benchmarks"))
    import provenance

    provenance.sign([PICTURE], provenance.line(__file__, provenance.commit()))
