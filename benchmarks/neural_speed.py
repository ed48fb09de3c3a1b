"""Steps a second of minibatch training, against the same networks, batch and optimiser in PyTorch eager.

    .venv/bin/python benchmarks/neural_speed.py [--torch PYTHON] [--quick]

A perceptron (64-256-256-784 against 784-256-256-1, batch 64) and a DCGAN for images of 28 by 28 (width 64 and 128,
batch 128), loss `log_ns`, Adam with rate 2e-4 and beta_1 = .5, single precision; one step is one update of either
player. The two packages are timed in turns, each several times, in processes of their own; the ratio is of medians.
PyTorch runs in this interpreter, or in the one of ``--torch``; where neither has it, its rows are left out.
Compilation is timed apart.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

import machine

machine.pin(2)

CASES = {"perceptron": (64, 300), "DCGAN": (128, 12)}  # batch, and steps that are timed


def ours(case: str, batch: int, steps: int) -> dict:
    """Seconds of compiling and first steps, and steps a second of hellgan."""
    import jax
    import numpy as np

    import hellgan as hg
    from hellgan.neural.loop import advanced
    from hellgan.neural.settings import Settings
    from hellgan.neural.setup import labels_of, set_up

    images = np.random.default_rng(0).uniform(0, 1, (2000, 28, 28)).astype(np.float32)
    if case == "perceptron":
        nets = hg.neural.MLPGenerator((256, 256)), hg.neural.MLPDiscriminator((256, 256))
    else:
        nets = hg.neural.ConvGenerator(64), hg.neural.ConvDiscriminator(64)
    begin = time.perf_counter()
    setup, state = set_up(images, *nets, labels_of("log_ns", 0), Settings(steps=steps, batch=batch))
    given = setup.plan, setup.networks, setup.material, setup.models
    state, _ = jax.block_until_ready(advanced(*given, state, np.int32(0), np.int32(2)))
    first = time.perf_counter() - begin
    begin = time.perf_counter()
    jax.block_until_ready(advanced(*given, state, np.int32(2), np.int32(2 + steps)))
    return {"first": first, "rate": steps / (time.perf_counter() - begin)}


def theirs(case: str, batch: int, steps: int) -> dict:
    """Steps a second of PyTorch, written as its examples are."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(int(os.environ[machine.THREADS]))
    if case == "perceptron":

        def layers(*sizes, slope):
            parts = []
            for k, (a, b) in enumerate(itertools.pairwise(sizes)):
                parts += [nn.Linear(a, b)] + ([] if k == len(sizes) - 2 else [nn.LeakyReLU(slope)])
            return parts

        g = nn.Sequential(*layers(64, 256, 256, 784, slope=0.0), nn.Tanh())
        d = nn.Sequential(*layers(784, 256, 256, 1, slope=0.2))
        data = torch.rand(2000, 784) * 2 - 1
    else:
        g = nn.Sequential(
            nn.Linear(64, 128 * 49, bias=False), nn.Unflatten(1, (128, 7, 7)), nn.BatchNorm2d(128), nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip
        d = nn.Sequential(
            nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(),
            nn.Linear(128 * 49, 1),
        )  # fmt: skip
        data = torch.rand(2000, 1, 28, 28) * 2 - 1
    optimisers = [torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999)) for net in (g, d)]
    entropy = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)

    def step():
        real = data[torch.randint(len(data), (batch,))]
        with torch.no_grad():
            fake = g(torch.randn(batch, 64))
        optimisers[1].zero_grad(set_to_none=True)
        (entropy(d(real), ones) + entropy(d(fake), zeros)).backward()
        optimisers[1].step()
        optimisers[0].zero_grad(set_to_none=True)
        for p in d.parameters():
            p.requires_grad_(False)
        entropy(d(g(torch.randn(batch, 64))), ones).backward()
        for p in d.parameters():
            p.requires_grad_(True)
        optimisers[0].step()

    for _ in range(3):
        step()
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    return {"first": float("nan"), "rate": steps / (time.perf_counter() - begin)}


def child(python: str, side: str, case: str, batch: int, steps: int) -> dict:
    command = [python, __file__, "--child", side, case, str(batch), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def has_torch(python: str) -> bool:
    return subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--torch", default=sys.executable, metavar="PYTHON", help="an interpreter that has PyTorch")
    parser.add_argument("--quick", action="store_true", help="few steps: whether it works")
    parser.add_argument("--repeats", type=int, default=5, help="processes of either package for each case")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        side, case, batch, steps = given.child
        print(json.dumps({"ours": ours, "theirs": theirs}[side](case, int(batch), int(steps))))
        return
    peer = has_torch(given.torch)
    print(f"# Steps a second of minibatch training\n\n{str(__doc__).split(chr(10), 4)[4].strip()}\n")
    if not peer:
        print('PyTorch is not installed; its rows are left out (pip install "hellgan[bench]" brings it).\n')
    names = "networks", "hellgan, steps/s", "range", "PyTorch eager, steps/s", "its range", "ratio", "first steps, s"
    print(machine.header(*names))
    for case, (batch, steps) in CASES.items():
        steps = 4 if given.quick else steps
        found = {"ours": [], "theirs": []}
        for _ in range(1 if given.quick else given.repeats):
            found["ours"].append(child(sys.executable, "ours", case, batch, steps))
            if peer:
                found["theirs"].append(child(given.torch, "theirs", case, batch, steps))
        cells = []
        for side in ("ours", "theirs"):
            rates = [one["rate"] for one in found[side]]
            span = f"{machine.number(min(rates))} to {machine.number(max(rates))}" if rates else ""
            cells += [machine.number(statistics.median(rates)) if rates else "", span]
        medians = [statistics.median(one["rate"] for one in found[side]) if found[side] else 0 for side in found]
        ratio = machine.number(medians[0] / medians[1]) if medians[1] else ""
        first = statistics.median(one["first"] for one in found["ours"])
        print(machine.row(case, *cells, ratio, machine.number(first)), flush=True)
    print(f"\n{machine.facts('jax', 'jaxlib', 'optax', 'equinox')}")


if __name__ == "__main__":
    main()
