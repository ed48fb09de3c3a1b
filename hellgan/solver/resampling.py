"""Games with other weights, rows or draws than a fit's own: what bootstrap, deletion and contamination solve."""

import dataclasses
from typing import Any

import numpy as np

from hellgan.discriminators.basis import Basis
from hellgan.estimation import Resamples
from hellgan.execution import programs
from hellgan.objective.assembly import extended, padded_size
from hellgan.objective.game import Game
from hellgan.samples.sample import Sample
from hellgan.simulation import Simulation
from hellgan.solver import compiled


def changed(game: Game, change: Resamples, sample: Sample, simulation: Simulation, seed: int) -> Game:
    """Stack the game R times, with what each resample changes.

    The discriminator stays where it is placed but for what standard errors count as estimated of its placement, which
    moves as its influence function says.
    """
    count, n, each = len(change.weights), len(sample), game.draws_each
    if change.foreign is not None:
        game = _widened(game, change.foreign.shape[1], n, simulation, seed)
    size = len(game.x_weights)
    fields: dict[str, Any] = {"x_weights": np.pad(change.weights, ((0, 0), (0, size - change.weights.shape[1])))}
    if change.foreign is not None:
        fields["x"] = np.repeat(game.x[None], count, axis=0)
        at = slice(n, n + change.foreign.shape[1])
        fields["x"][:, at] = change.foreign
        if each:
            fields["z"] = np.repeat(game.z[None], count, axis=0)
            covariates = np.repeat(change.foreign[:, :, : simulation.covariates], each, axis=1)
            fields["z"][:, at.start * each : at.stop * each, : simulation.covariates] = covariates
    if change.positions is not None:
        rows = np.pad(change.positions, ((0, 0), (0, size - n)))
        fields["x"] = game.x[rows]
        if each:
            fields["z"] = game.z[(rows[:, :, None] * each + np.arange(each)).reshape(count, -1)]
    if change.rngs is not None and not each:
        fields |= _drawn_anew(game, change, simulation)
    games = dataclasses.replace(programs.repeated(game, count), **fields)
    return _placed_anew(games, game) if isinstance(game.discriminator, Basis) else games


def _placed_anew(games: Game, game: Game) -> Game:
    """Move the placement of each of a stack of games to first order in the law of its sample."""
    at = np.asarray(game.basis.placement)
    if not at.shape[-1]:
        return games
    of_game = compiled.influences(game.basis, game.x)
    shared = np.shape(games.x)[1:] == np.shape(game.x) and np.all(games.x == game.x)
    rows = of_game[None] if shared else np.stack([compiled.influences(game.basis, x) for x in games.x])
    steps = np.sum(games.x_weights[:, :, None] * rows, axis=1) - game.x_weights @ of_game
    return dataclasses.replace(games, discriminator=games.basis.placed(at + steps))


def moved(basis: Basis, rows: np.ndarray, change: np.ndarray) -> Basis:
    """Move a placement to first order in a change (n,) of the weights of the rows (n, d) of its sample."""
    at = np.asarray(basis.placement)
    return basis.placed(at + change @ compiled.influences(basis, rows)) if at.shape[-1] else basis


def _drawn_anew(game: Game, change: Resamples, simulation: Simulation) -> dict[str, np.ndarray]:
    """Resample independent draws, by weight or by rows as the observations are; shift Sobol points."""
    assert change.rngs is not None
    if simulation.kind == "sobol":
        return {"z": np.stack([simulation.shifted(rng) for rng in change.rngs])}
    m, padding = simulation.size, len(game.z) - simulation.size
    counts = np.stack([rng.multinomial(m, np.full(m, 1 / m)) for rng in change.rngs])
    if change.positions is None:
        return {"latent_weights": np.pad(counts / m, ((0, 0), (0, padding)))}
    rows = np.stack([np.repeat(np.arange(m), each) for each in counts])
    return {"z": game.z[np.pad(rows, ((0, 0), (0, padding)))]}


def _widened(game: Game, k: int, n: int, simulation: Simulation, seed: int) -> Game:
    """Make room for k more observations behind the n of a game."""
    size, each = max(len(game.x_weights), padded_size(n + k)), game.draws_each
    weights = np.pad(game.x_weights, (0, size - len(game.x_weights)))
    game = dataclasses.replace(game, x=extended(game.x[None], size)[0], x_weights=weights)
    if each:
        z = extended(game.z[None], size * each)[0].copy()
        draws = simulation.draw_each(k, seed + 1)
        z[n * each : (n + k) * each, simulation.covariates :] = draws.reshape(-1, simulation.dim)
        game = dataclasses.replace(game, z=z)
    return game
