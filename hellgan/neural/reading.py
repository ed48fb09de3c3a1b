"""What ``train`` is given, read: data, losses and their schedules, seeds, latents."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hellgan.checks import checked_count, checked_seed, first_sentence, numbers, shown
from hellgan.losses import Loss
from hellgan.neural import losses

Schedule = tuple[tuple[int, Loss], ...]


class Played(NamedTuple):
    """Losses of a batch of models over the steps.

    Attributes
    ----------
    losses : tuple of Loss
        All that occur.
    since : (S,) array
        Steps at which some model changes its loss; the first is 0.
    which : (B, S) array
        Of each model, the position in ``losses`` of what it plays since then.
    """

    losses: tuple[Loss, ...]
    since: np.ndarray
    which: np.ndarray


def read_data(data) -> np.ndarray:
    """Read observations as (n, ...) in single precision; (n,) becomes (n, 1)."""
    try:
        x = numbers(data)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"data: not numeric ({first_sentence(error)}); give finite numbers.") from None
    if x.ndim == 0 or not x.size or len(x) < 2:
        raise ValueError(f"data: shape {x.shape}; give at least two observations, (n,) or (n, ...).")
    if not np.all(np.isfinite(x)):
        raise ValueError("data: some are NaN or infinite; give finite numbers.")
    if np.ptp(x) == 0:
        raise ValueError("data: all are one value; give a sample that varies.")
    x = x[:, None] if x.ndim == 1 else x
    return x.astype(np.float32)


def schedules(loss) -> list[tuple[str, Schedule]]:
    """Read one loss or a list of them, each a name, a ``Loss`` or a schedule {step: loss}: names and schedules."""
    given = list(loss) if isinstance(loss, (list, tuple)) else [loss]
    if not given:
        raise ValueError("loss: an empty list; give a loss, or several.")
    return [_schedule(each) for each in given]


def _schedule(given) -> tuple[str, Schedule]:
    if not isinstance(given, Mapping):
        loss = losses.get(given)
        return loss.name, ((0, loss),)
    stages = sorted((_step(since), losses.get(each)) for since, each in given.items()) if given else []
    if not stages or stages[0][0] != 0:
        raise ValueError(f"loss: the schedule {shown(given)} does not begin at step 0; give {{0: ..., 1500: ...}}.")
    return ", ".join(f"{loss.name} from {since}" if since else loss.name for since, loss in stages), tuple(stages)


def _step(since) -> int:
    if isinstance(since, bool) or not isinstance(since, (int, np.integer)) or since < 0:
        raise ValueError(f"loss: {shown(since)} is no step; a schedule is {{step: loss}}, as in {{0: ..., 1500: ...}}.")
    return int(since)


def played(each: list[Schedule]) -> Played:
    """Lay the schedules of models side by side."""
    found = tuple(dict.fromkeys(loss for schedule in each for _, loss in schedule))
    since = np.array(sorted({step for schedule in each for step, _ in schedule}), np.int32)
    which = np.array(
        [[found.index([loss for step, loss in schedule if step <= at][-1]) for at in since] for schedule in each],
        np.int32,
    )
    return Played(found, since, which)


def seeds_of(seed) -> list[int]:
    """Read one seed or several, all different."""
    given = list(seed) if isinstance(seed, (list, tuple, range, np.ndarray)) else [seed]
    found = [checked_seed(each) for each in given]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seed: got {shown(seed)}; give a non-negative integer, or several that differ.")
    return found


def latent_dim_of(module: Any, given: int | None) -> int:
    """How many latent coordinates a generator takes: its ``latent_dim``, or what is given."""
    own = getattr(module, "latent_dim", None)
    if given is None and own is None:
        raise ValueError("latent_dim: the generator has no attribute latent_dim; give the length of a latent draw.")
    return checked_count("latent_dim", own if given is None else given)
