"""Where the time of a fit goes: stages of the first and of a later fit, and what JAX traces and compiles.

    .venv/bin/python benchmarks/profile_fit.py [--fits 20] [--loss root] [--quick]

The stages are the functions that ``STAGES`` names, timed exclusively of those inside them; one that the package no
longer has is listed as missing. For the first fit JAX tells how long it traced, lowered and compiled each program,
which is also added up by stage. ``warm_fit.py`` gives the same stages over many rounds, to compare two versions.
"""

import argparse
import functools
import importlib
import statistics
import time
from collections import defaultdict

import machine

if __name__ == "__main__":
    machine.pin()  # before JAX and NumPy are imported

import jax.monitoring
import numpy as np

import hellgan as hg

N = 500

# Stage -> the functions that make it up, as module:attribute.
STAGES = {
    "checks of the input": ["hellgan.gan:GAN.__init__"],
    "placement of the discriminator": ["hellgan.discriminators:Sigmoids.place"],
    "start": ["hellgan.generators.location_scale:LocationScale.start", "hellgan.gan:GAN.starts"],
    "latent draws": ["hellgan.latents:draw"],
    "check of the features": ["hellgan.gan:_check_features"],
    "assembling the game": ["hellgan.solver.equations:assemble"],
    "search": ["hellgan.solver.equations:solve_saddle"],
    "identification check": ["hellgan.inference.sandwich:problems"],
    "natural scale": ["hellgan.inference.sandwich:natural_scales"],
    "inference": ["hellgan.gan:law", "hellgan.inference.sandwich:sandwiches"],
    "result object": ["hellgan.gan:GANResults"],
}
EVENTS = {"jaxpr_trace_duration": 0, "jaxpr_to_mlir_module_duration": 1, "backend_compile_duration": 2}


class Profile:
    """Exclusive seconds of the stages, and the seconds of what JAX reports, by program and by stage."""

    def __init__(self):
        self.missing, self.stack = [], []
        self.clear()
        for stage, names in STAGES.items():
            for name in names:
                self._wrap(stage, name)
        jax.monitoring.register_event_duration_secs_listener(self._note)

    def clear(self):
        """Start anew."""
        self.spent, self.calls = defaultdict(float), defaultdict(int)
        self.programs = defaultdict(lambda: [0.0, 0.0, 0.0])
        self.times, self.compiling = defaultdict(lambda: [0, 0, 0]), defaultdict(float)

    def _wrap(self, stage, name):
        module, path = name.split(":")
        *owners, attribute = path.split(".")
        try:
            owner = functools.reduce(getattr, owners, importlib.import_module(module))
            function = getattr(owner, attribute)
        except (ImportError, AttributeError):
            self.missing.append(name)
            return

        def timed(*args, **kwargs):
            self.stack.append([stage, 0.0])
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                whole = time.perf_counter() - start
                self.spent[stage] += whole - self.stack.pop()[1]
                self.calls[stage] += 1
                if self.stack:
                    self.stack[-1][1] += whole

        setattr(owner, attribute, timed)

    def _note(self, event, duration_secs, **facts):
        kind = EVENTS.get(event.rsplit("/", 1)[-1])
        if kind is not None:
            program = str(facts.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
            self.programs[program][kind] += duration_secs
            self.times[program][kind] += 1
            self.compiling[self.stack[-1][0] if self.stack else "elsewhere"] += duration_secs


def fit(seed: int, loss: str) -> float:
    """Fit a fresh sample with latent points of its own; returns seconds."""
    x = np.random.default_rng([61, seed]).normal(1.0, 1.0, N)
    start = time.perf_counter()
    hg.GAN(x, hg.generators.Normal(), loss=loss, seed=seed).fit()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--fits", type=int, default=20, help="fits after the first (default: 20)")
    parser.add_argument("--loss", default="root", help="name of the loss (default: root)")
    parser.add_argument("--quick", action="store_true", help="two fits after the first: whether it works")
    options = parser.parse_args()
    fits = 2 if options.quick else options.fits
    profile = Profile()
    first = fit(0, options.loss)
    spent, compiling = dict(profile.spent), dict(profile.compiling)
    programs, times = dict(profile.programs), dict(profile.times)
    later, warm = [], []
    for seed in range(1, fits + 1):
        profile.clear()
        later.append(fit(seed, options.loss))
        warm.append(dict(profile.spent))
        if profile.programs:
            told = ", ".join(f"`{name}`" for name in profile.programs)
            print(f"Fit {seed} after the first traced or compiled {told}.\n")
    print(f"`GAN(x, Normal(), loss={options.loss!r}).fit()`: n = {N}, m = 1,024 Sobol points, 16 sigmoids.\n")
    print(
        machine.header(
            "stage", "first fit, s", "of it tracing, lowering, compiling, s", f"later, ms (median of {fits})", "share"
        )
    )
    whole = statistics.median(later)
    called = [stage for stage in STAGES if any(stage in stages for stages in (spent, *warm))]
    for stage in [*called, "the rest"]:
        if stage == "the rest":
            a, b = (
                first - sum(spent.values()),
                statistics.median(t - sum(w.values()) for t, w in zip(later, warm, strict=True)),
            )
            compiled = compiling.get("elsewhere", 0.0)
        else:
            a, b = spent.get(stage, 0.0), statistics.median(w.get(stage, 0.0) for w in warm)
            compiled = compiling.get(stage, 0.0)
        print(machine.row(stage, f"{a:.3f}", f"{compiled:.3f}", f"{1e3 * b:.2f}", f"{100 * b / whole:.0f} %"))
    print(machine.row("**all**", f"{first:.3f}", f"{sum(compiling.values()):.3f}", f"{1e3 * whole:.2f}", "100 %"))
    print("\nPrograms of the first fit, dearest first (the seconds of a program include programs traced inside it):\n")
    print(machine.header("program", "traced", "compiled", "trace, s", "lower, s", "compile, s"))
    for name in sorted(programs, key=lambda name: -sum(programs[name])):
        count = times[name]
        if count[2] or programs[name][0] >= 0.01:
            print(machine.row(f"`{name}`", count[0], count[2], *(f"{s:.3f}" for s in programs[name])))
    traces, compilations = (sum(count[k] for count in times.values()) for k in (0, 2))
    print(f"\n{traces} traces (those inside others counted), {compilations} compilations.")
    if profile.missing:
        print(f"Not in this version: {', '.join(f'`{name}`' for name in profile.missing)}.")
    print(machine.facts("hellgan", "jax", "jaxlib", "numpy"))


if __name__ == "__main__":
    main()
