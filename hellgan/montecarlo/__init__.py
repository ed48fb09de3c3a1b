"""Monte Carlo studies: from a design to tables of performance measures with their Monte Carlo errors.

`truths` and `contaminations` say where samples come from, `methods` and `comparators` what is done with them,
`design` crosses them into cells, `streams` gives every replicate its random numbers; `engine` computes, `store` keeps,
`results`, `performance` and `tables` tell what came of it. `study` is the front door, `toml` its other one.
"""

from hellgan.montecarlo.comparators import (
    DensityPower,
    Huber,
    MaximumLikelihood,
    MedianMAD,
    MinCovDet,
    MinimumHellinger,
    SimulatedMoments,
)
from hellgan.montecarlo.contaminations import (
    Cluster,
    Contamination,
    Dependence,
    HeavyTails,
    Leverage,
    PointMass,
    Spread,
    Vertical,
)
from hellgan.montecarlo.design import Cell
from hellgan.montecarlo.engine import connected
from hellgan.montecarlo.performance import MEASURES, replications_for
from hellgan.montecarlo.replays import Replay
from hellgan.montecarlo.results import StudyResults, read
from hellgan.montecarlo.study import Study
from hellgan.montecarlo.toml import from_toml
from hellgan.montecarlo.truths import Truth, truth

__all__ = [
    "MEASURES",
    "Cell",
    "Cluster",
    "Contamination",
    "DensityPower",
    "Dependence",
    "HeavyTails",
    "Huber",
    "Leverage",
    "MaximumLikelihood",
    "MedianMAD",
    "MinCovDet",
    "MinimumHellinger",
    "PointMass",
    "Replay",
    "SimulatedMoments",
    "Spread",
    "Study",
    "StudyResults",
    "Truth",
    "Vertical",
    "connected",
    "from_toml",
    "read",
    "replications_for",
    "truth",
]
