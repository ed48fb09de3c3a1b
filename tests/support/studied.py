"""A small study of everything, for the tests of who computes it; run as a script, it writes it to a folder."""

import sys
import time

import hellgan as hg


def slow_mean(x, rng):
    """The mean, a hundredth of a second later, with a random number of the method's own."""
    time.sleep(0.01)
    return {"estimate": {"loc": x.mean(), "noise": rng.standard_normal()}}


def study(replications=40, **changes):
    methods = {"root": {"loss": "root"}, "median": "median_mad", "slow": slow_mean}
    arguments = {
        "truth": hg.truth(hg.generators.Normal(), loc=1.0, scale=2.0),
        "contamination": [None, hg.Cluster(0.1, loc=12.0, scale=0.3)],
        "n": [100],
        "methods": methods,
        "replications": replications,
        "seed": 5,
    }
    return hg.Study(**{**arguments, **changes})


if __name__ == "__main__":
    study().run(sys.argv[1], chunk=5, threads=2)
