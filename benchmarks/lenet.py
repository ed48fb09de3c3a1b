"""Train the two LeNets that come with the package, and say how often they are right.

    .venv/bin/python benchmarks/lenet.py --mnist ARCHIVE [--only fashion_mnist]

Fashion-MNIST is read from Debian's package or from where HELLGAN_FASHION_MNIST says, MNIST from the archive that is
named. Weights go to ``hellgan/data/lenet_*.npz``; their SHA-256 are pinned in
``hellgan/neural/lenet.py``. The table, ``benchmarks/results/lenet.md``, has the accuracy of the stored weights on the
test part, and that of the training part's first 10,000 images.
"""

import argparse
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import machine
import provenance

machine.pin(int(os.environ.get(machine.THREADS, "1")))

import numpy as np  # noqa: E402

import hellgan as hg  # noqa: E402

DATA = machine.ROOT / "hellgan" / "data"
RESULTS = machine.ROOT / "benchmarks" / "results" / "lenet.md"
# Phases of training: arguments of `train_lenet`.
PHASES: dict[str, list[dict[str, Any]]] = {
    "fashion_mnist": [
        {"epochs": 7, "flips": True, "shifts": False},
        {"epochs": 3, "flips": False, "shifts": False, "rate": 1e-3},
    ],
    "mnist": [{"epochs": 3}],
}
GOALS = {"fashion_mnist": 0.90, "mnist": 0.99}


def images_of(name: str, given):
    return hg.datasets.fetch_mnist(given.mnist) if name == "mnist" else hg.datasets.fetch_fashion_mnist()


def trained(name: str, given) -> float:
    """Train one, phase after phase, and store it after each; gives the seconds. Phases before ``--phase`` are kept."""
    images, begin = images_of(name, given), time.perf_counter()
    for k, how in enumerate(PHASES[name]):
        if k >= given.phase:
            start = hg.neural.LeNet.load(DATA / f"lenet_{name}.npz") if k else None
            net = hg.neural.train_lenet(images.train, images.train_labels, seed=given.seed, start=start, **how)
            net.save(DATA / f"lenet_{name}.npz", data=name, seed=given.seed, phases=PHASES[name][: k + 1])
    return time.perf_counter() - begin


def row(name: str, given, seconds: float) -> list[str]:
    images, file = images_of(name, given), DATA / f"lenet_{name}.npz"
    net = hg.neural.LeNet.load(file)
    right = [
        np.mean(net.predict(part) == labels)
        for part, labels in ((images.test, images.test_labels), (images.train[:10_000], images.train_labels[:10_000]))
    ]
    reached = "reached" if right[0] >= GOALS[name] else "missed"
    goal = f"{GOALS[name]:.0%}: {reached}"
    print(f"{right} {name}: {seconds:.0f} s, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}", flush=True)
    size = f"{file.stat().st_size / 1000:.0f} kB"
    return [name, *(f"{100 * each:.2f} %" for each in right), goal, size]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--mnist", type=Path, required=True, help="archive or folder of MNIST")
    parser.add_argument("--phase", type=int, default=0, help="begin with this phase, from the weights that are stored")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=tuple(PHASES), help="train this one alone; the other stays")
    given, now = parser.parse_args(), provenance.commit()
    rows = []
    for name in PHASES:
        seconds = trained(name, given) if given.only in (None, name) else 0.0
        rows.append(row(name, given, seconds))
    table = [machine.header("net", "test images", "training images", "goal", "file"), *(machine.row(*r) for r in rows)]
    RESULTS.write_text("\n".join(table) + "\n", encoding="utf-8")
    provenance.sign([RESULTS], provenance.line(Path(__file__), now))


if __name__ == "__main__":
    main()
