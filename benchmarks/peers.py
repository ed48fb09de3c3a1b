"""How long other packages take for the same fit, and how exactly they solve it.

    .venv/bin/python benchmarks/peers.py [--datasets 5] [--batch 1000] [--losses root log] [--quick]

The default model, N(loc, scale) against 16 placed sigmoids and a constant with 1,024 Sobol points, n = 500, is fitted
by hellgan and by its peers (``equations.py``): the same data, latent points, ridge and start, double precision, one
thread. A peer is given the features placed, the latents drawn and the start found, all of which hellgan does inside
its time, and for ``root`` also the discriminator's start (why is said in ``equations.py``). Peers are asked for a score
below 1e-8, hellgan stops at 1e-9; beside every time stands the score norm that was reached, all by one function, and
how far the estimate is from hellgan's in standard errors. Times are medians over data sets, taken in turns; what is
compiled or imported first is reported apart, and in the table of cold processes.

PyTorch is optional: ``pip install "hellgan[bench]"``.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import machine

if __name__ == "__main__":
    machine.pin()  # before JAX and NumPy are imported

import equations
import numpy as np
from equations import Answer, Problem

import hellgan as hg
from hellgan import latents

N, PILOT = 500, 1_000_000
HERE = Path(__file__).resolve().parent

# Ratios of the time per fit to that of a batch of 1,000 fits with standard errors, on one thread.
TARGETS = {"delicatessen": 15, "scipy": 12, "PyTorch, nested": 200, "PyTorch, Adam": 5_000}

RATES = [(theta, ratio * theta) for theta in (0.003, 0.01, 0.03, 0.1) for ratio in (1, 10)] + [(0.01, 0.3), (0.03, 0.1)]


class Timed(NamedTuple):
    """One fit: its seconds, None where it did not arrive, its answer and steps if they are counted."""

    seconds: float | None
    answer: Answer
    steps: int | None = None


def draw(r: int) -> np.ndarray:
    """The r-th sample of N(1, 1)."""
    return np.random.default_rng([29, r]).normal(1.0, 1.0, N)


def model_of(x: np.ndarray, loss: str) -> hg.GAN:
    """The default model."""
    return hg.GAN(x, hg.generators.Normal(), loss=loss)


def problem_of(model: hg.GAN) -> Problem:
    """Write a model with a one-dimensional location-scale generator and sigmoids in NumPy, from its public parts."""
    generator, basis = model.generator, model.basis
    assert isinstance(basis, hg.discriminators.ProjectedSigmoids)
    shares = np.full(model.nobs, 1 / model.nobs)
    z = latents.draw(model.latent, generator.law, model.n_simulated, 1, model.seed)[0, :, 0]
    start = generator.theta(**generator.start(model.x, shares))
    knots, widths, ridge = (np.asarray(part, np.float64) for part in (basis.knots, basis.widths, basis.ridge))
    return Problem(model.loss.name, model.x, z, basis.center.item(), basis.scale.item(), knots, widths, ridge, start)


def answer_of(result: hg.GANResults) -> Answer:
    """What hellgan found, on the scale of ``Problem``: it reports the covariance of the scale, not of its logarithm."""
    theta, alpha = np.asarray(result.saddle.theta), np.asarray(result.saddle.alpha)
    to_log = np.concatenate([[1.0, np.exp(-theta[1])], np.ones(alpha.size)])
    return Answer(theta, alpha, np.asarray(result.joint_cov()) * np.outer(to_log, to_log))


# hellgan's batch: the one place that knows how it is called and what it gives.


class Batch(NamedTuple):
    """Many fits in one call.

    ``first`` and ``seconds`` are the seconds of the first call, which compiles, and those a fit of the later ones;
    ``score_norm`` is the largest of twenty fits, ``outer`` and ``inner`` the solver's mean steps, ``theta`` (R, 2).
    """

    first: float
    seconds: list[float]
    score_norm: float
    converged: int
    outer: float
    inner: float
    theta: list[list[float]]


def time_batch(loss: str, size: int, threads: int, runs: int) -> Batch:
    """Fit the default model to ``size`` samples at once, standard errors included."""
    samples = np.stack([draw(r) for r in range(size)])
    model = model_of(samples[0], loss)
    others = np.stack([draw(PILOT + r) for r in range(size)])
    first, _ = timed(lambda: hg.fit_batch(model, others, threads=threads))
    calls = [timed(lambda: hg.fit_batch(model, samples, threads=threads)) for _ in range(runs)]
    seconds, fits = [length / size for length, _ in calls], calls[-1][1]
    theta = np.column_stack([fits.params["loc"], np.log(fits.params["scale"])])
    norms = []
    for r in range(0, size, -(-size // 20)):
        # A batch reports theta alone: what is judged is its score at the maximum in alpha.
        problem = problem_of(model_of(samples[r], loss))
        alpha, _ = equations.climb(problem, theta[r], problem.alpha)
        norms.append(problem.score_norm(Answer(theta[r], alpha)))
    steps = float(fits.iterations.mean()), float(fits.inner_iterations.mean())
    return Batch(first, seconds, max(norms), int(fits.converged.sum()), *steps, theta.tolist())


# The comparison.


def timed(function: Callable):
    """Seconds of one call, and what it returned."""
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def peers(torch: bool) -> dict[str, Callable[[Problem], Answer]]:
    """Name every peer that solves the same equations and is timed on every data set."""
    listed = {
        "delicatessen, `approx`": equations.delicatessen,
        "delicatessen, `capprox`": lambda p: equations.delicatessen(p, "capprox"),
        "delicatessen, `approx`, solver `hybr`": lambda p: equations.delicatessen(p, "approx", "hybr"),
        "scipy BFGS, inner Newton": equations.nested,
        "scipy BFGS, inner Newton, with sandwich": lambda p: equations.nested(p, with_errors=True),
        "scipy BFGS, inner L-BFGS": lambda p: equations.nested(p, inner="lbfgs"),
        "scipy `root`, stacked equations": equations.stacked,
    }
    if torch:
        listed["PyTorch, nested L-BFGS"] = equations.torch_nested
    return listed


def measure(loss: str, options) -> None:
    """Print the tables of one loss."""
    torch = importlib.util.find_spec("torch") is not None
    pilot = model_of(draw(PILOT), loss)
    first, result = timed(lambda: pilot.fit())
    pilot_problem, pilot_answer = problem_of(pilot), answer_of(result)
    methods = peers(torch)
    for name, fit in methods.items():
        if not name.startswith("PyTorch"):
            fit(pilot_problem)  # imports, and the memory of the linear algebra
    equations.likelihood(pilot_problem)
    times: dict[str, list[Timed]] = {"hellgan, one `GAN(...).fit()`": []}
    hellgan = next(iter(times))
    rates = {share: tune(pilot_problem, pilot_answer, share, options) if torch else None for share in (0.1, 0.01)}
    ours = []
    for r in range(options.datasets):
        x = draw(r)
        repeats = [timed(lambda x=x: model_of(x, loss).fit()) for _ in range(5)]
        ours.append(answer_of(repeats[0][1]))
        times[hellgan].append(Timed(statistics.median(seconds for seconds, _ in repeats), ours[-1]))
        for name, fit in methods.items():
            problem = problem_of(model_of(x, loss))
            times.setdefault(name, []).append(Timed(*timed(lambda f=fit, p=problem: f(p))))
        problem = problem_of(model_of(x, loss))
        errors = np.sqrt(np.diag(ours[-1].cov)[:2])
        for share, pair in rates.items():
            if pair is not None:
                run = equations.torch_adam(problem, ours[-1].theta, errors, pair, options.cap, share)
                name = f"PyTorch, Adam in turns, to {share:g} standard errors"
                times.setdefault(name, []).append(Timed(run.seconds, run.answer, run.steps))
        if r == 0 and not options.quick:
            exact = Timed(*timed(lambda p=problem: equations.delicatessen(p, "exact")))
            times["delicatessen, `exact` (one data set)"] = [exact]
        times.setdefault("scipy maximum likelihood (another estimator)", []).append(
            Timed(*timed(lambda p=problem: equations.likelihood(p)))
        )
    problems = [problem_of(model_of(draw(r), loss)) for r in range(options.datasets)]
    batches = {1: time_batch(loss, options.batch, 1, options.runs)}
    if (os.cpu_count() or 1) > 1:
        batches[2] = in_process_of(2, loss, options)
    single = statistics.median(t.seconds for t in times[hellgan] if t.seconds is not None)
    batch = statistics.median(batches[1].seconds)
    print(f"\n## Loss `{loss}`\n")
    print(
        machine.header(
            "method",
            "ms a fit",
            "lowest to highest",
            "ratio to one fit",
            f"ratio to a batch of {options.batch}",
            "score norm",
            "off hellgan's theta, standard errors",
            "sandwich",
        )
    )
    for threads, told in batches.items():
        off = max(distance(np.array(theta), one) for theta, one in zip(told.theta, ours, strict=False))
        name = f"hellgan, `fit_batch` of {options.batch}, {threads} thread{'s' * (threads > 1)}"
        show(name, told.seconds, single, batch, told.score_norm, off, "yes")
    for name, runs in times.items():
        norms = [p.score_norm(t.answer) for p, t in zip(problems, runs, strict=False)]
        off = max(distance(t.answer.theta, o) for t, o in zip(runs, ours, strict=False))
        seconds = [t.seconds for t in runs]
        with_errors = "no" if runs[0].answer.cov is None else "yes"
        show(name, seconds, single, batch, max(norms), off, with_errors)
    print(f"\nFirst fit of the process, with compilation: {first:.2f} s; first batch: {batches[1].first:.2f} s.")
    print(f"Certified in the batch: {batches[1].converged:,} of {options.batch:,}.")
    for share, pair in rates.items():
        if pair is not None:
            steps = [t.steps for t in times[f"PyTorch, Adam in turns, to {share:g} standard errors"]]
            counts = ", ".join("not reached" if s is None else f"{s:,}" for s in steps)
            print(
                f"Adam to {share:g} standard errors: learning rates {pair} of theta and alpha, the best of a grid; "
                f"steps {counts} (at most {options.cap:,})."
            )
    print_targets(times, problems, batch)
    print_cold(loss, times, problems[0], single, batch, options)


def show(name, seconds, single, batch, norm, off, with_errors):
    """Print a row; ratios of medians."""
    if any(s is None for s in seconds):
        cells = ["not reached", "", "", ""]
    else:
        middle = statistics.median(seconds)
        ratios = [machine.number(middle / base) if base else "" for base in (single, batch)]
        cells = [machine.span(seconds), *ratios]
    print(machine.row(name, *cells, f"{norm:.1e}", f"{off:.1e}", with_errors), flush=True)


def distance(theta: np.ndarray, ours: Answer) -> float:
    """The largest difference from hellgan's estimate in its standard errors."""
    assert ours.cov is not None
    return float(np.max(np.abs(theta - ours.theta) / np.sqrt(np.diag(ours.cov)[: theta.size])))


def tune(problem: Problem, ours: Answer, share: float, options):
    """Learning rates that arrive first on a data set of its own; the usual pair where none does within the cap."""
    assert ours.cov is not None
    best, fewest = None, options.cap
    for rates in RATES[2:6] if options.quick else RATES:
        run = equations.torch_adam(problem, ours.theta, np.sqrt(np.diag(ours.cov)[:2]), rates, fewest, share)
        if run.steps is not None and (best is None or run.steps < fewest):
            best, fewest = rates, run.steps
    return best or (0.01, 0.1)


def print_targets(times, problems, batch):
    """Print the ratios that are aimed at beside what was measured, for each package's fastest way to the root."""
    print("\nRatios to a fit of the batch on one thread, of each package's fastest row with a score norm below 1e-6")
    print("(PyTorch: whatever it reached):\n")
    print(machine.header("peer", "measured", "aim, at least"))
    for peer, target in TARGETS.items():
        medians = []
        for name, runs in times.items():
            exact = all(p.score_norm(t.answer) < 1e-6 for p, t in zip(problems, runs, strict=False))
            counts = "maximum likelihood" not in name and "to 0.01" not in name
            arrived = all(t.seconds is not None for t in runs)
            if name.startswith(peer) and counts and arrived and (exact or peer.startswith("PyTorch")):
                medians.append(statistics.median(t.seconds for t in runs))
        measured = machine.number(min(medians) / batch) if medians else "not reached or not installed"
        print(machine.row(peer, measured, f"{target:,}"))


# Cold processes.

COLD = {
    "hellgan, one `GAN(...).fit()`": "import hellgan as hg, numpy as np; a = np.load({path!r}); "
    "hg.GAN(a['x'], hg.generators.Normal(), loss={loss!r}).fit()",
    "hellgan, `fit_batch`": "import hellgan as hg, numpy as np; a = np.load({path!r}); "
    "hg.fit_batch(hg.GAN(a['x'], hg.generators.Normal(), loss={loss!r}), np.stack([a['x']] * 8))",
    "delicatessen": "import equations as e; e.delicatessen(e.Problem.load({path!r}), 'approx', 'hybr')",
    "scipy": "import equations as e; e.nested(e.Problem.load({path!r}), with_errors=True)",
}


def print_cold(loss, times, problem, single, batch, options):
    """Print what a fresh process takes up to its first fit, and after how many fits hellgan's has caught up."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "problem.npz")
        problem.save(path)
        programs = {name: code.format(path=path, loss=loss) for name, code in COLD.items()}
        seconds = {name: [] for name in programs}
        for _ in range(1 if options.quick else 3):
            for name, program in programs.items():
                seconds[name].append(timed(lambda p=program: child(["-c", p]))[0])
    cold = {name: statistics.median(values) for name, values in seconds.items()}
    warm = {
        "delicatessen": times["delicatessen, `approx`, solver `hybr`"],
        "scipy": times["scipy BFGS, inner Newton, with sandwich"],
    }
    print("\nA fresh process up to the end of its first fit (interpreter, imports, compilation, fit):\n")
    print(machine.header("process", "s"))
    for name, value in cold.items():
        print(machine.row(name, f"{value:.2f}"))
    print("\nFits after which hellgan's process, started cold, has overtaken that of a peer:\n")
    print(machine.header("hellgan", *warm))
    for name, each in (("hellgan, one `GAN(...).fit()`", single), ("hellgan, `fit_batch`", batch)):
        cells = []
        for peer, runs in warm.items():
            gained, late = statistics.median(t.seconds for t in runs) - each, cold[name] - cold[peer]
            cells.append("never" if gained <= 0 else f"{max(0.0, late) / gained:,.0f}")
        print(machine.row(name, *cells))


def child(arguments: list[str], threads: int = 1) -> str:
    """Run Python in a fresh process and return what it printed."""
    environment = os.environ | {machine.THREADS: str(threads), "NPROC": str(threads)}
    environment["PYTHONPATH"] = os.pathsep.join([str(machine.ROOT), str(HERE)])
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def in_process_of(threads: int, loss: str, options) -> Batch:
    """``time_batch`` in a process that may use more threads."""
    arguments = ["--batch-only", "--losses", loss, "--batch", str(options.batch), "--runs", str(options.runs)]
    return Batch(*json.loads(child([str(HERE / "peers.py"), *arguments], threads)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--datasets", type=int, default=5, help="data sets for medians (default: 5)")
    parser.add_argument("--batch", type=int, default=1000, help="fits in a batch (default: 1000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of a batch (default: 5)")
    parser.add_argument("--cap", type=int, default=20_000, help="steps after which Adam is given up (default: 20000)")
    parser.add_argument("--losses", nargs="+", choices=["root", "log"], default=["root", "log"])
    parser.add_argument("--quick", action="store_true", help="one data set and a small batch: whether it works")
    parser.add_argument("--batch-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.datasets, options.batch, options.runs, options.cap = 1, 16, 2, 500
        options.losses = options.losses[:1]
    if options.batch_only:
        threads = int(os.environ[machine.THREADS])
        print(json.dumps(time_batch(options.losses[0], options.batch, threads, options.runs)))
        return
    if importlib.util.find_spec("torch") is None:
        print('PyTorch is not installed; its rows are left out (pip install "hellgan[bench]" brings it).\n')
    print(
        f"Normal(loc, scale), n = {N}, m = 1,024 Sobol points, 17 features, double precision, one thread unless said."
    )
    print(f"Medians over {options.datasets} data sets; the batch's over {options.runs} runs.")
    for loss in options.losses:
        measure(loss, options)
    print(f"\n{machine.facts('hellgan', 'jax', 'numpy', 'scipy', 'delicatessen', 'torch')}")


if __name__ == "__main__":
    main()
