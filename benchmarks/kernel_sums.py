"""Sums of a kernel over pairs of points: memory and time in tiles against everything at once, and on the mesh.

    .venv/bin/python benchmarks/kernel_sums.py [--quick]

Value and gradient in the simulated points of the kernel objective (loss log, own weight 1), each route in a process of
its own; times are the lesser of two runs after the first (of one, for more than 5,000 points in tiles), memory is what
the process came to hold above what it held before. Where PyTorch is installed its ``cdist`` does the same, everything
at once, by automatic differentiation.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time

import machine

machine.pin(1)

import jax  # noqa: E402
import numpy as np  # noqa: E402

import hellgan as hg  # noqa: E402
from hellgan.execution import programs  # noqa: E402
from hellgan.kernels import Kernel, Plugin  # noqa: E402
from hellgan.kernels.mesh import nodes_for  # noqa: E402
from hellgan.kernels.sums import TILE  # noqa: E402

SLOPE = programs.program(lambda plugin, *s: jax.value_and_grad(plugin.value, argnums=2)(*s))


def problem(n: int, d: int, tile: int, mesh: bool):
    rng = np.random.default_rng(0)
    x, g, w = rng.normal(size=(n, d)), rng.normal(0.5, 1.2, size=(n, d)), np.full(n, 1 / n)
    nodes = nodes_for(np.array([[0.3]]), 14.0) if mesh else 0
    return Plugin(hg.losses.log, Kernel(np.full((1, d), 0.3)), 0.0, np.ones(2), nodes, tile), x, w, g, w


def held() -> float:
    """Most memory that the process held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def torch_slope(x, g):
    """Value and gradient by PyTorch, in double precision: the objective of ``problem`` through ``cdist``."""
    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    x, g = torch.tensor(x), torch.tensor(g, requires_grad=True)

    def log_density(at, rows):
        d = rows.shape[1]
        exponents = -(torch.cdist(at, rows, compute_mode="use_mm_for_euclid_dist") ** 2) / (2 * 0.3**2)
        return torch.logsumexp(exponents, 1) - np.log(len(rows)) - d / 2 * np.log(2 * np.pi * 0.3**2)

    v, v_simulated = log_density(x, x) - log_density(x, g), log_density(g, x) - log_density(g, g)
    sigmoid = torch.nn.functional.logsigmoid
    value = sigmoid(v).mean() + sigmoid(-v_simulated).mean()
    value.backward()
    return value.item(), g.grad.numpy()


def measure(n: int, d: int, route: str) -> dict:
    tile = {"at once": 2**62}.get(route, TILE)
    arguments = problem(n, d, tile, route == "mesh")

    def slope(plugin, x, w, g, u):
        return torch_slope(x, g) if route == "PyTorch" else SLOPE(plugin, x, w, g, u)

    slope(*problem(16, d, tile, route == "mesh"))  # what compilation takes is not the sums'
    before, seconds, found = held(), [], (0.0, np.zeros((1, 1)))
    for _ in range(2 if n > 5000 and route == "tiles" else 3):
        begin = time.perf_counter()
        found = slope(*arguments)
        seconds.append(time.perf_counter() - begin)
    return {
        "seconds": min(seconds[1:]),
        "MiB": held() - before,
        "value": float(found[0]),
        "slope": float(found[1][0, 0]),
    }


def exponentials(n: int) -> float:
    """Seconds that as many exponentials take as a value has pairs: n^2 four times."""
    rows = np.random.default_rng(0).normal(size=2**20)
    run = programs.program(lambda rows: jax.numpy.sum(jax.numpy.exp(rows)))
    run(rows)
    begin = time.perf_counter()
    for _ in range(16):
        run(rows)
    return (time.perf_counter() - begin) / 16 * 4 * n**2 / 2**20


def alone(*arguments) -> dict:
    command = [sys.executable, os.path.abspath(__file__), "--one", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one", nargs=3)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(int(given.one[0]), int(given.one[1]), given.one[2])))
        return
    fits, largest, lines = (1000, 2000, [1000]) if given.quick else (4000, 20_000, [10_000, 100_000, 1_000_000])
    print(f"Two coordinates, value and gradient:\n\n{machine.header('n = m', 'route', 'seconds', 'MiB', 'ratio')}")
    routes = [(fits, "at once"), (fits, "tiles"), (largest, "tiles")]
    if importlib.util.find_spec("torch") is not None:
        routes.insert(2, (fits, "PyTorch"))
    found = {(n, route): alone(n, 2, route) for n, route in routes}
    for (n, route), one in found.items():
        ratio = one["seconds"] / exponentials(n)
        print(machine.row(f"{n:,}", route, f"{one['seconds']:.2f}", f"{one['MiB']:.0f}", f"{ratio:.1f}"))
    slower = found[fits, "tiles"]["seconds"] / found[fits, "at once"]["seconds"]
    print(f"\nThe last column: times the exponentials of the value. In tiles {slower:.2f} times the time at once.")
    if (fits, "PyTorch") in found:
        theirs, ours = found[fits, "PyTorch"], found[fits, "tiles"]
        print(
            f"In tiles {ours['seconds'] / theirs['seconds']:.2f} times PyTorch's time; values differ relatively by "
            f"{abs(theirs['value'] / ours['value'] - 1):.0e}, an element of the gradients by "
            f"{abs(theirs['slope'] / ours['slope'] - 1):.0e}."
        )
    else:
        print("PyTorch is not installed (pip install 'hellgan[bench]') and was not measured.")
    print(f"\nOn the line:\n\n{machine.header('n = m', 'route', 'seconds', 'MiB')}")
    errors = [np.nan, np.nan]
    for n in lines:
        one = alone(n, 1, "mesh")
        print(machine.row(f"{n:,}", "mesh", f"{one['seconds']:.3f}", f"{one['MiB']:.0f}"))
        if n == lines[0]:
            exact = alone(n, 1, "tiles")
            print(machine.row(f"{n:,}", "tiles", f"{exact['seconds']:.3f}", f"{exact['MiB']:.0f}"))
            errors = [abs(one[part] - exact[part]) / abs(exact[part]) for part in ("value", "slope")]
    print(f"\nThe mesh's value differs relatively by {errors[0]:.1e}, an element of its gradient by {errors[1]:.1e}.")


if __name__ == "__main__":
    main()
