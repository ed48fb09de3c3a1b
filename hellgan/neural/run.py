"""``Run``: what training left."""

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import latents
from hellgan.checks import checked_count, checked_seed, shown
from hellgan.execution import programs
from hellgan.neural import diagnosis
from hellgan.neural.game import Draw, Game, weights
from hellgan.neural.loop import METRICS, State, weighting_of
from hellgan.neural.modules import BATCH
from hellgan.neural.parametric import Parametric
from hellgan.neural.setup import Setup
from hellgan.neural.spectral import normalised

if TYPE_CHECKING:
    import pandas as pd

_SETTLING = 1024  # latent draws by which batch normalisation is settled for sampling
_BLOCK = 1024  # observations that are simulated at once
_PAIRS = 512  # simulated observations of which near duplicates are counted

# What fits of parametric models answer, and a trained network cannot.
_REFUSED = (
    "bse", "conf_int", "cov_params", "joint_cov", "overidentification_test", "pvalues", "std_errors", "summary",
    "t_test", "tvalues", "wald_test",
)  # fmt: skip


class Run:
    """What training left: networks, a history, samples; of several losses and seeds, ``run[k]`` is one model.

    Attributes
    ----------
    steps : int
        Updates of the generator that were made; fewer than asked for where numbers were no longer finite.
    models : DataFrame
        Loss and seed of each model.
    checkpoints : list of Path
        Files, the oldest first; empty without a folder.
    """

    def __init__(
        self, setup: Setup, state: State, history: np.ndarray, steps: int, is_scalar: bool, folder: Path | None = None
    ):
        self.steps, self.is_scalar, self._folder = steps, is_scalar, folder
        self._setup, self._state, self._history = setup, state, history

    def __repr__(self):
        labels = self._setup.labels
        if len(labels) > 1:
            return f"<Run of {self.steps:,} steps, {len(labels)} models>"
        return f"<Run of {self.steps:,} steps, {labels[0].loss}, seed {labels[0].seed}>"

    def __len__(self):
        return len(self._setup.labels)

    def __getitem__(self, k: int) -> "Run":
        """Give the run of one model, by its position."""
        labels = self._setup.labels
        if not isinstance(k, (int, np.integer)) or not -len(labels) <= k < len(labels):
            raise IndexError(f"model {shown(k)} of a run with {len(labels)}; give a position from 0.")
        k = range(len(labels))[k]
        own = slice(k, k + 1)
        setup = dataclasses.replace(
            self._setup, models=jax.tree.map(lambda leaf: leaf[own], self._setup.models), labels=labels[own]
        )
        state = jax.tree.map(lambda leaf: leaf[own], self._state)
        return Run(setup, state, self._history[:, own], self.steps, self.is_scalar, self._folder)

    def __getattr__(self, name: str) -> Any:
        if name in _REFUSED:
            raise AttributeError(
                f"{name}: a trained network has no {name}: its parameters are not identified and minibatches end near "
                "no certified root of the scores, so that no covariance holds; take hg.GAN for a parametric "
                "generator, or hg.neural.bootstrap for functionals of the simulated law."
            )
        raise AttributeError(f"Run has no attribute {name!r}.")

    @property
    def models(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame([{"loss": label.loss, "seed": label.seed} for label in self._setup.labels])

    @property
    def checkpoints(self) -> list[Path]:
        return [] if self._folder is None else sorted(self._folder.glob("checkpoint-*.npz"))

    @functools.cached_property
    def history(self) -> "pd.DataFrame":
        """Records: model, loss, seed and step, and means over the steps since the last record.

        ``value`` of the game at the discriminator's batch; ``accuracy_real`` and ``accuracy_simulated``, shares that
        the discriminator tells rightly (NaN for a Wasserstein loss, that draws no line); ``generator_loss``, what the
        generator minimises; Euclidean norms of both gradients.
        """
        import pandas as pd

        parts = []
        for k, label in enumerate(self._setup.labels):
            frame = pd.DataFrame(self._history[:, k], columns=["step", *METRICS]).astype({"step": int})
            frame.insert(0, "model", k)
            frame.insert(1, "loss", label.loss)
            frame.insert(2, "seed", label.seed)
            parts.append(frame)
        return pd.concat(parts, ignore_index=True)

    def generators(self, averaged: bool | None = None) -> list[Any]:
        """Modules of the generators, one a member of the mixture, ready to be called on one latent draw.

        ``averaged``: of the exponential average, as where one was kept unless told otherwise, or of the last weights.
        """
        self._require_one()
        nets = self._state.players.g["nets"] if not self._is_averaged(averaged) else self._state.average
        count = self._setup.plan.rules.mixture.generators
        found = [_member(nets, j, self._setup.networks[0]) for j in range(count)]
        return [self._settled(module) for module in found]

    @property
    def generator(self) -> Any:
        """The generator, or the first of a mixture."""
        return self.generators()[0]

    def discriminators(self) -> list[Any]:
        """Modules of the discriminators, spectrally normalised where they were; each gives the log ratio of one row."""
        self._require_one()
        players = self._state.players
        nets = players.d["nets"]
        if self._setup.plan.rules.is_spectral:
            nets = jax.vmap(jax.vmap(normalised))(nets, players.vectors)
        count = self._setup.plan.rules.mixture.discriminators
        return [_member(nets, j, self._setup.networks[1]) for j in range(count)]

    @property
    def discriminator(self) -> Any:
        """The discriminator, or the first of a mixture."""
        return self.discriminators()[0]

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights of the generators (T,) and of the discriminators (U,)."""
        self._require_one()
        players = _first(self._state.players)
        return np.asarray(weights(players.g)), np.asarray(weights(players.d))

    def payoff(self, n: int = 4096, seed: int = 0) -> "pd.DataFrame":
        """V of every pair of generator and discriminator, (T, U), on n simulated and all real observations."""
        import pandas as pd

        self._require_one()
        setup, state = self._setup, _first(self._state)
        game, model = Game(setup.plan.rules, *setup.networks), _first(setup.models)
        t = setup.plan.rules.mixture.generators
        z = np.stack([self._latents(checked_count("n", n), (checked_seed(seed), 7, j)) for j in range(t)])
        draw = Draw(jnp.asarray(self._data()), jnp.asarray(z), None, None)
        weighting = weighting_of(setup.material, model, max(0, self.steps - 1))
        found = game.payoffs(state.players.g, state.players.d, state.players.vectors, weighting, draw)
        return pd.DataFrame(np.asarray(found)).rename_axis(index="generator", columns="discriminator")

    @property
    def params(self) -> "pd.Series":
        """Parameters of a parametric generator on the natural scale; of a mixture a row for each."""
        import pandas as pd

        if not isinstance(self._setup.networks[0], Parametric):
            raise AttributeError("params: the generator is a network, whose arrays have no names; see run.generator.")
        family = self._setup.networks[0].generator
        modules = self.generators()
        rows = np.stack([np.asarray(family.natural_vector(jnp.asarray(module.theta))) for module in modules])
        if len(rows) > 1:
            return pd.DataFrame(rows, columns=family.names)  # pyright: ignore[reportReturnType]
        return pd.Series(rows[0], index=family.names)

    def sample(self, n: int, seed: int = 0, averaged: bool | None = None) -> np.ndarray:
        """Simulate n observations, (n, ...) as the data were; the same seed gives the same bits.

        Of a mixture each comes from a generator drawn by the weights. Latent draws are independent of those of
        training. ``averaged`` as for ``generators``.
        """
        n, seed = checked_count("n", n), checked_seed(seed)
        modules = self.generators(averaged)
        whose = np.random.default_rng([0x5A, seed]).choice(len(modules), n, p=_exact(self.weights[0]))
        z = self._latents(n, (seed, 5))
        rows = np.empty((n, *self._setup.material.data.shape[1:]), np.float32)
        for k, module in enumerate(modules):
            rows[whose == k] = _simulated(module, z[whose == k])
        return rows[:, 0] if self.is_scalar else rows

    def log_ratio(self, x) -> np.ndarray:
        """What the discriminator says of observations (n, ...), or (n,) numbers: (n,), or (n, U) of a mixture.

        The log density ratio, as far as it was learnt, for the losses of ``hellgan.losses``; a score for others.
        """
        shape = self._setup.material.data.shape[1:]
        try:
            rows = np.asarray(x, np.float32).reshape((-1, *shape))
        except (TypeError, ValueError):
            raise ValueError(f"x: shape {np.shape(x)}; give observations of shape {shape}, one a row.") from None
        found = np.stack([_in_blocks(module, rows) for module in self.discriminators()], axis=1)
        return found[:, 0] if found.shape[1] == 1 else found

    def near_duplicates(self, n: int = _PAIRS, seed: int = 0) -> float:
        """Share of the pairs of a sample that are nearer to each other than 99 % of the pairs of the data are.

        Near .01 where the sample varies as the data do, 1 where the generator has collapsed to a point.
        """
        return diagnosis.near_duplicates(self.sample(n, seed), self._data(), seed)

    @functools.cached_property
    def troubles(self) -> list[str]:
        """What went wrong, in words; empty where nothing did."""
        found = []
        for k in range(len(self)):
            run = self[k] if len(self) > 1 else self
            history = self._history[:, k]
            finite = len(history) == 0 or np.isfinite(history[-1, 1])
            near = run.near_duplicates() if finite else float("nan")
            said = diagnosis.troubles(history, near, ("step", *METRICS))
            label = self._setup.labels[k]
            found += [
                f"model {k} ({label.loss}, seed {label.seed}): {each}" if len(self) > 1 else each for each in said
            ]
        return found

    def plot(self, ax=None, n: int | None = None, seed: int = 0):
        """Draw simulated observations beside real ones: densities, points, or a sheet of images."""
        from hellgan.plots import training

        self._require_one()
        data, shape = self._data(), self._setup.material.data.shape[1:]
        if len(shape) > 1:
            return training.sheet(self.sample(n or 64, seed), ax)
        rows = self.sample(n or min(len(data), 2000), seed).reshape(-1, *shape)
        return training.beside(data, rows, ax)

    def plot_history(self, axes=None):
        """Draw the accuracies and the value of the game over the steps."""
        from hellgan.plots import training

        return training.curves(self.history, axes)

    def _data(self) -> np.ndarray:
        rows = self._setup.models.rows
        return np.asarray(self._setup.material.data if rows is None else self._setup.material.data[rows[0]])

    def _is_averaged(self, averaged: bool | None) -> bool:
        there = self._state.average is not None
        if averaged and not there:
            raise ValueError("averaged: no average was kept; train with average=.999.")
        return there if averaged is None else averaged

    def _latents(self, n: int, seed: tuple[int, ...]) -> np.ndarray:
        plan, module = self._setup.plan, self._setup.networks[0]
        if isinstance(module, Parametric):
            number = int(np.random.default_rng(seed).integers(2**32))
            return latents.draw("iid", module.generator.law, n, plan.latent_dim, number)[0].astype(np.float32)
        rng = np.random.default_rng(seed)
        if plan.latent == "normal":
            return rng.standard_normal((n, plan.latent_dim), np.float32)
        return rng.uniform(-1, 1, (n, plan.latent_dim)).astype(np.float32)

    def _settled(self, module: Any) -> Any:
        """Settle what depends on a batch, where a module has such a thing."""
        settle = getattr(module, "settled", None)
        return settle(jnp.asarray(self._latents(_SETTLING, (6,)))) if callable(settle) else module

    def _require_one(self) -> None:
        if len(self) > 1:
            raise ValueError(f"this run holds {len(self)} models; take one of them, as run[0].")


def _first(stack):
    return jax.tree.map(lambda leaf: leaf[0], stack)


def _member(nets, j: int, skeleton) -> eqx.Module:
    return eqx.combine(jax.tree.map(lambda leaf: jnp.asarray(leaf[0, j]), nets), skeleton)


def _exact(shares: np.ndarray) -> np.ndarray:
    shares = np.asarray(shares, np.float64)
    return shares / shares.sum()


@eqx.filter_jit
def _mapped(module, rows):
    return jax.vmap(module, axis_name=BATCH)(rows)


def _in_blocks(module, rows: np.ndarray) -> np.ndarray:
    """Numbers that a discriminator gives, in blocks of one size."""
    return programs.in_blocks(lambda block: jnp.reshape(_mapped(module, block), (len(block),)), rows, most=_BLOCK)


def _simulated(module, z: np.ndarray) -> np.ndarray:
    return (
        programs.in_blocks(lambda block: _mapped(module, block), z, most=_BLOCK)
        if len(z)
        else np.empty((0,), np.float32)
    )
