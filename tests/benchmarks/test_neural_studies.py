"""What the page on networks says in words of the studies' saved numbers."""

from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "studies" / "results"


def test_what_covers_the_ring():
    frame = pd.read_parquet(RESULTS / "ring.parquet")
    full = frame.assign(full=frame["modes"] == 8).groupby(["players", "loss", "noise"])["full"].sum()
    mixed = {
        key: int(full["3 against 3", *key]) for key in (("root", 0.5), ("log_ns", 0.5), ("root", 0.0), ("log_ns", 0.0))
    }
    assert mixed == {("root", 0.5): 5, ("log_ns", 0.5): 3, ("root", 0.0): 1, ("log_ns", 0.0): 1}
    near = frame.groupby(["players", "loss", "noise"])["near"].mean()
    assert near["3 against 3"].min() > near["one generator"].max()
    assert frame.groupby(["players", "loss", "noise"]).size().eq(5).all()
