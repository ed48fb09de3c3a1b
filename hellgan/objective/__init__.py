"""The empirical objective of a game, its scores and its Jacobian."""

from hellgan.objective.game import Game, features, generator_objective, log_ratios, objective, simulate
from hellgan.objective.scores import Scores, jacobian, mean_score, observation_scores, scores
from hellgan.objective.simulated import features_slope, simulated_means

__all__ = [
    "Game",
    "Scores",
    "features",
    "features_slope",
    "generator_objective",
    "jacobian",
    "log_ratios",
    "mean_score",
    "objective",
    "observation_scores",
    "scores",
    "simulate",
    "simulated_means",
]
