"""A study without fits, which takes a second or so, for tests of what disturbs it; run as a script, it says when."""

import signal
import sys
import time

import numpy as np

import hellgan as hg


def slow_mean(x, rng):
    """The mean, some milliseconds later, and a random number; now and then a failure."""
    time.sleep(0.003)
    if x[0] > 4:
        raise ArithmeticError(f"too large: {x[0]}")
    return {"estimate": {"loc": x.mean(), "noise": rng.random()}}


def study(replications=60, **changes):
    arguments = {
        "truth": hg.truth(lambda rng, n, loc: rng.normal(loc, 2.0, n), loc=1.0),
        "contamination": [None, hg.Cluster(0.1, loc=12.0, scale=0.3)],
        "n": [20],
        "methods": {"mean": slow_mean, "median": lambda x: {"loc": np.median(x)}},
        "replications": replications,
        "seed": 5,
    }
    return hg.Study(**{**arguments, **changes})


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
    given = study()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    given.run(sys.argv[1], chunk=int(sys.argv[2]), threads=2)
