"""How long the first import and the first fit of a process take, against what cannot be avoided.

    .venv/bin/python benchmarks/cold_start.py [--runs 5]

Every number is the median over fresh processes, taken in turns, so that a machine that is busy for a while slows
all of them. What counts are the ratios; seconds are given as context. Programs are not kept but for the last row: the
same fit again, with the programs that an earlier process has kept on disk.
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "hellgan" / "data" / "newcomb.csv"

# What a fit and its table need of others: the modules that hellgan imports, in the order it does.
THIRD_PARTY = (
    "jax, equinox, jax.scipy.stats, scipy.special, pandas, statsmodels.base.model, statsmodels.iolib.summary, "
    "statsmodels.iolib.table, statsmodels.tools.sm_exceptions, scipy.stats.qmc, scipy.integrate, argparse, json"
)

IMPORTS = f"import {THIRD_PARTY}"
SHOW_MODULES = "import json, sys; sys.stderr.write(json.dumps(sorted(sys.modules)))"
FIT = f"import hellgan.cli; hellgan.cli.main(['fit', {str(DATA)!r}])"

# Only tracing, lowering and compiling the search are timed, for the shapes of the same fit.
COMPILE = """
import json, sys, time
import jax
import hellgan as hg
from hellgan.solver import joint, solve_saddle

class Compiled(Exception):
    pass

def compiled(*arguments):
    clocks.append((time.perf_counter(), time.process_time()))
    traced = search.trace(*arguments)
    clocks.append((time.perf_counter(), time.process_time()))
    lowered = traced.lower()
    clocks.append((time.perf_counter(), time.process_time()))
    lowered.compile()
    clocks.append((time.perf_counter(), time.process_time()))
    raise Compiled

search, joint.search, clocks = joint.search.compiled, compiled, []
model = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Normal())
jax.numpy.zeros(1).block_until_ready()  # the backend is up
with jax.enable_x64(True):
    try:
        solve_saddle(model.game(), model.starts(None))
    except Compiled:
        sys.stderr.write(json.dumps(clocks))
"""

# The same fit, with what JAX compiled on the way and for whom.
TOLD = f"""
import json, sys, traceback
import jax.monitoring

events = []

def note(event, seconds, **facts):
    if "/compile/" in event:
        frames = [f for f in traceback.extract_stack() if "/hellgan/" in f.filename and "/execution/" not in f.filename]
        where = f"{{frames[-1].filename.rsplit('/', 1)[1]}}:{{frames[-1].lineno}}" if frames else ""
        events.append([event.rsplit("/", 1)[1], facts.get("fun_name", ""), seconds, where])

jax.monitoring.register_event_duration_secs_listener(note)
{FIT}
sys.stderr.write(json.dumps({{"events": events, "modules": sorted(sys.modules)}}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="fresh processes of each kind (default: 5)")
    runs = parser.parse_args().runs
    programs = {"jax, equinox": "import jax, equinox", "hellgan": "import hellgan", "imports": IMPORTS, "fit": FIT}
    seconds, kept = defaultdict(list), tempfile.TemporaryDirectory()
    run(FIT, kept.name)
    for program in (*programs.values(), COMPILE):
        run(program)  # byte code and the disk's cache are warm
    for _ in range(runs):
        for name, program in programs.items():
            wall, cpu, _ = run(program)
            seconds[name].append((wall, cpu))
        clocks = json.loads(run(COMPILE)[2])
        for name, (before, after) in zip(("trace", "lower", "compile"), itertools.pairwise(clocks), strict=True):
            seconds[name].append((after[0] - before[0], after[1] - before[1]))
        seconds["compilation"].append((clocks[-1][0] - clocks[0][0], clocks[-1][1] - clocks[0][1]))
        seconds["kept"].append(run(FIT, kept.name)[:2])
        seconds["unavoidable"].append(add(seconds["imports"][-1], seconds["compilation"][-1]))
    print(f"Medians of {runs} fresh processes; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end.\n")
    print("| what | elapsed, s | processor, s |\n|---|---|---|")
    for name, label in LABELS.items():
        wall, cpu = (statistics.median(column) for column in zip(*seconds[name], strict=True))
        print(f"| {label} | {wall:.2f} | {cpu:.2f} |")
    print("\n| ratio | elapsed | lowest to highest | processor | at most |\n|---|---|---|---|---|")
    for above, below, most in (
        ("hellgan", "jax, equinox", 1.3),
        ("fit", "unavoidable", 1.6),
        ("kept", "imports", 1.15),
    ):
        pairs = list(zip(seconds[above], seconds[below], strict=True))
        walls, cpus = ([a[k] / b[k] for a, b in pairs] for k in (0, 1))
        span = f"{min(walls):.2f} to {max(walls):.2f}"
        print(
            f"| {above} / {below} | {statistics.median(walls):.2f} | {span} | {statistics.median(cpus):.2f} | {most} |"
        )
    print_programs()


LABELS = {
    "jax, equinox": "`import jax, equinox`",
    "hellgan": "`import hellgan`",
    "imports": "imports of others that a fit needs",
    "trace": "the search: trace",
    "lower": "the search: lower",
    "compile": "the search: compile",
    "unavoidable": "**unavoidable**: these imports and this compilation",
    "fit": "**`hellgan fit newcomb.csv`**, the whole process",
    "kept": "the same with kept programs",
}


def print_programs() -> None:
    """Print what one fit compiles, dearest first, and what it imports beyond ``THIRD_PARTY``."""
    told = json.loads(run(TOLD)[2])
    listed = set(json.loads(run(f"{IMPORTS}\n{SHOW_MODULES}")[2]))
    spent, count, where = defaultdict(float), defaultdict(int), {}
    for event, name, length, line in told["events"]:
        name = name.removeprefix("jit(").removesuffix(")")
        kind = {"jaxpr_trace_duration": 0, "jaxpr_to_mlir_module_duration": 1, "backend_compile_duration": 2}.get(event)
        if kind is not None:
            spent[name, kind] += length
            count[name] += kind == 2
            where.setdefault(name, line)
    print("\nPrograms that one fit compiles (one process):\n")
    print("| program | asked for at | times | trace, s | lower, s | compile, s |\n|---|---|---|---|---|---|")
    for name in sorted((n for n in count if count[n]), key=lambda n: -spent[n, 2]):
        print(
            f"| `{name}` | {where[name]} | {count[name]} | "
            + " | ".join(f"{spent[name, k]:.2f}" for k in range(3))
            + " |"
        )
    missed = {name.split(".")[0] for name in set(told["modules"]) - listed if not name.startswith(("hellgan", "jax"))}
    print(f"\n{sum(count.values())} programs. Imported beyond the list: {', '.join(sorted(missed)) or 'nothing'}.")


def run(program: str, kept: str = "off") -> tuple[float, float, str]:
    """Run a program in a fresh process; returns elapsed and processor seconds and its standard error."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment |= {"PYTHONPATH": str(ROOT), "HELLGAN_PROGRAMS": kept, "JAX_PLATFORMS": "cpu"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{program}\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stderr


def add(a, b):
    """Add pairs."""
    return a[0] + b[0], a[1] + b[1]


if __name__ == "__main__":
    main()
