"""Saddle points of the empirical objective, with their certificate; estimating equations that answer for a fit."""

from hellgan.solver.certificate import TOLERANCE, SaddlePoint, certify
from hellgan.solver.equations import GameEquations
from hellgan.solver.roots import Root
from hellgan.solver.saddle import first_start, leaves_doubt, ranked, solve_saddle, solve_saddles
from hellgan.solver.smooth import SmoothEquations

__all__ = [
    "TOLERANCE",
    "GameEquations",
    "Root",
    "SaddlePoint",
    "SmoothEquations",
    "certify",
    "first_start",
    "leaves_doubt",
    "ranked",
    "solve_saddle",
    "solve_saddles",
]
