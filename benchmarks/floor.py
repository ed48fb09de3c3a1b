"""How near a fit comes to what its arithmetic costs at the least.

    .venv/bin/python benchmarks/floor.py [--fits 1000] [--large 1000000] [--quick]

The floor of a fit is the time of the steps that the solver logged, each reduced to the arithmetic that no
implementation of nested Newton steps avoids:

- an inner step: the loss's exponentials for n + m rows and the Gram product of the (n + m) x (q + 1) features,
  weighted by curvatures, with the gradient;
- an outer step: m q sigmoids, the features of the simulated rows, and their products with the generator's p tangents.

A point that the compiled search of small samples evaluates is one step of either kind; large samples take outer and
inner steps one after the other.

That is the floor with features *held* in memory. Large samples are streamed instead: every inner step computes the
features of all n + m rows anew. The floor of that, *streamed*, counts (n + m) q sigmoids in every inner step and
works through blocks that stay in the cache. Both are printed. Each piece is compiled by XLA in isolation, in double
precision on one thread, in several layouts (with the constant feature as a row or column, or apart), as ``tanh`` or
``exp`` and with XLA's two code generators; the fastest counts. Standard errors have a floor of their own, given apart:
S outer steps for the S scrambled Sobol samples that show that the simulation's noise does not matter.
"""

import argparse
import statistics
import time
from typing import NamedTuple

import machine

if __name__ == "__main__":
    machine.pin()  # before JAX and NumPy are imported

import jax
import jax.numpy as jnp
import numpy as np
import peers
from jax import lax

import hellgan as hg
from hellgan.objective.evaluation import FIRST

BLOCK = 8192  # rows of 9 or 17 features that stay in a core's cache
LAYOUTS = ("rows", "columns", "apart")  # of features: (rows, q + 1), (q + 1, rows), or (q, rows) without the constant


class Piece(NamedTuple):
    """Seconds of one call of each piece of arithmetic."""

    inner: float  # n + m rows of given features
    outer: float  # m rows
    streamed: float  # n + m rows, features included


def sigmoid_as(form, u):
    """expit(2 u) - 1/2 by one or the other function of XLA."""
    return 0.5 * jnp.tanh(u) if form == "tanh" else 1 / (1 + jnp.exp(-2 * u)) - 0.5


def with_constant(values, axis):
    """Put the constant feature in front."""
    shape = list(values.shape)
    shape[axis] = 1
    return jnp.concatenate([jnp.ones(shape, values.dtype), values], axis=axis)


def features(form, layout, x, factor, shift):
    """Evaluate features in one of the layouts."""
    if layout == "rows":
        return with_constant(sigmoid_as(form, x[:, None] * factor[None, :] - shift[None, :]), 1)
    values = sigmoid_as(form, factor[:, None] * x[None, :] - shift[:, None])
    return values if layout == "apart" else with_constant(values, 0)


def newton_sums(layout, phi, alpha):
    """Gradient and Hessian in alpha of the root loss, of rows that are all real; the constant's part last if apart."""
    v = {
        "rows": lambda: phi @ alpha,
        "columns": lambda: alpha @ phi,
        "apart": lambda: alpha[0] + alpha[1:] @ phi,
    }[layout]()
    s = 1 / (1 + jnp.exp(-2 * v))
    slope = jnp.sqrt(s) * (1 - s)
    weight = slope * (1 - 3 * s)
    if layout == "rows":
        return slope @ phi, (phi * weight[:, None]).T @ phi
    sums = phi @ slope, (phi * weight[None, :]) @ phi.T
    return sums if layout == "columns" else (*sums, phi @ weight, jnp.sum(slope), jnp.sum(weight))


def moved(sums):
    """A number that depends on all sums."""
    return 1e-30 * sum(jnp.sum(part) for part in sums)


# Another way in which XLA compiles for the processor, where the version knows it; the faster counts.
OPTIONS = [{}, {"xla_cpu_use_fusion_emitters": False}] if jax.__version__.startswith("0.10.") else [{}]


def seconds_of(body, state, calls: int) -> float:
    """Time one call of ``body``, from a compiled loop in which each call's input depends on the last one's output."""
    lengths = []
    for options in OPTIONS:
        loop = jax.jit(
            lambda state: lax.fori_loop(0, calls, lambda _, s: body(s), state), compiler_options=options or None
        )
        jax.block_until_ready(loop(state))
        for _ in range(5):
            start = time.perf_counter()
            jax.block_until_ready(loop(state))
            lengths.append((time.perf_counter() - start) / calls)
    return min(lengths)


def inner_seconds(rows: int, q: int, calls: int) -> float:
    """One inner step on given features."""
    x, factor, shift = _inputs(rows, q)

    def time_of(layout, padding):
        phi = features("tanh", layout, x, factor, shift)
        phi = jnp.pad(phi, ((0, 0), (0, padding)) if layout == "rows" else ((0, padding), (0, 0)))

        def body(state):
            alpha, phi = state
            return alpha + moved(newton_sums(layout, phi, alpha)), phi

        return seconds_of(body, (jnp.full(q + 1 + padding, 0.1), phi), calls)

    # Columns of zeros up to the width of a register may pay where q + 1 is 17.
    padded = [(layout, padding) for layout in LAYOUTS[:2] for padding in (0, -(q + 1) % 8)]
    return min(time_of(*each) for each in [*padded, ("apart", 0)])


def outer_seconds(rows: int, q: int, p: int, calls: int) -> float:
    """One outer step: the features of the simulated rows and their products with p tangents."""
    x, factor, shift = _inputs(rows, q)
    tangents = jnp.stack([x**k for k in range(p)])

    def time_of(form, layout):
        def body(state):
            at, x, tangents = state
            phi = features(form, layout, x + at, factor, shift)
            sums = [tangents @ phi] if layout == "rows" else [phi @ tangent for tangent in tangents]
            return at + moved(sums), x, tangents

        return seconds_of(body, (jnp.zeros(()), x, tangents), calls)

    return min(time_of(form, layout) for form in ("tanh", "exp") for layout in LAYOUTS)


def streamed_seconds(rows: int, q: int, calls: int) -> float:
    """One inner step that computes the features, for one block."""
    x, factor, shift = _inputs(rows, q)

    def time_of(form, layout):
        def body(state):
            alpha, x = state
            phi = features(form, layout, x + 1e-30 * alpha[0], factor, shift)
            return alpha + moved(newton_sums(layout, phi, alpha)), x

        return seconds_of(body, (jnp.full(q + 1, 0.1), x), calls)

    return min(time_of(form, layout) for form in ("tanh", "exp") for layout in LAYOUTS)


def _inputs(rows, q):
    x = jnp.asarray(np.random.default_rng(rows).normal(size=rows))
    return x, jnp.linspace(0.5, 2.0, q), jnp.linspace(-2.0, 2.0, q)


def pieces(n: int, m: int, q: int, p: int) -> Piece:
    """Time the pieces for one shape."""

    def calls(rows):
        return max(3, 2_000_000 // rows)

    with jax.enable_x64(True):
        block = min(BLOCK, n + m)
        return Piece(
            inner_seconds(n + m, q, calls(n + m)),
            outer_seconds(m, q, p, calls(m)),
            streamed_seconds(block, q, calls(block)) * (n + m) / block,
        )


class Measured(NamedTuple):
    """A fit: seconds, and the solver's steps on average."""

    name: str
    seconds: float
    outer: float
    inner: float


def default_fit(fits: int, runs: int) -> Measured:
    """A fit of the default model in a batch on one thread."""
    batch = peers.time_batch("root", fits, 1, runs)
    points = batch.outer + batch.inner
    return Measured(f"default, batch of {fits:,}", statistics.median(batch.seconds), points, points)


def large_fit(rows: int, runs: int) -> Measured:
    """Fits of n = m rows with independent latents and 9 features, after one that compiles."""
    seconds, saddles = [], []
    for seed in range(runs + 1):
        x = np.random.default_rng([41, seed]).normal(1.0, 1.0, rows)

        def fit(x=x, seed=seed):
            sigmoids = hg.discriminators.Sigmoids(8)
            return hg.GAN(x, hg.generators.Normal(), sigmoids, latent="iid", n_simulated=rows, seed=seed).fit()

        length, result = peers.timed(fit)
        seconds.append(length)
        saddles.append(result.saddle)
    outer, inner = (
        statistics.mean(getattr(saddle, steps) for saddle in saddles[1:])
        for steps in ("iterations", "inner_iterations")
    )
    return Measured(f"n = m = {rows:,}", statistics.median(seconds[1:]), outer, inner)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--fits", type=int, default=1000, help="fits in the batch (default: 1000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of the batch (default: 5)")
    parser.add_argument("--large", type=int, default=1_000_000, help="n = m of the large fit (default: 1000000)")
    parser.add_argument("--quick", action="store_true", help="few fits and 20,000 rows: whether it works")
    options = parser.parse_args()
    if options.quick:
        options.fits, options.runs, options.large = 16, 2, 20_000
    print("Double precision, one thread; loss `root`. What the floor counts is said in the script.\n")
    print(
        machine.header(
            "fit",
            "features",
            "outer steps",
            "inner steps",
            "one outer, µs",
            "one inner, µs",
            "floor, ms",
            "fit, ms",
            "ratio",
        )
    )
    cases = [(default_fit(options.fits, options.runs), 500, 1024, 16, True)]
    cases.append((large_fit(options.large, options.runs), options.large, options.large, 8, False))
    errors = []
    for fit, n, m, q, is_sobol in cases:
        piece = pieces(n, m, q, 2)
        for kind, inner in (("held", piece.inner), ("streamed", piece.streamed)):
            floor = fit.outer * piece.outer + fit.inner * inner
            told = [
                f"{1e6 * piece.outer:,.0f}",
                f"{1e6 * inner:,.0f}",
                *(machine.number(1e3 * s) for s in (floor, fit.seconds)),
            ]
            steps = (f"{fit.outer:.1f}", f"{fit.inner:.1f}")
            print(
                machine.row(fit.name, f"{q + 1}, {kind}", *steps, *told, machine.number(fit.seconds / floor)),
                flush=True,
            )
            extra = FIRST * piece.outer if is_sobol else piece.streamed
            errors.append((fit.name, kind, extra, fit.seconds / (floor + extra)))
    print(f"\nWith the floor of the standard errors: {FIRST} scrambled samples, or one pass over independent rows.\n")
    print(machine.header("fit", "features", "floor of the standard errors, ms", "ratio of the fit to both floors"))
    for name, kind, extra, ratio in errors:
        print(machine.row(name, kind, machine.number(1e3 * extra), machine.number(ratio)))
    print(f"\n{machine.facts('hellgan', 'jax', 'jaxlib', 'numpy')}")


if __name__ == "__main__":
    main()
