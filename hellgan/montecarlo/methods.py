"""What a study compares: configured GANs, comparators and a user's own functions, each on all replicates of a cell."""

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from hellgan import inference, latents, losses
from hellgan.batch import fit_all
from hellgan.checks import is_one_of, normal_quantile, shown
from hellgan.discriminators import MLP
from hellgan.execution import programs
from hellgan.gan import GAN
from hellgan.generators import Generator, checked_generator
from hellgan.inference.covariances import check_kind
from hellgan.kernel_gan import KernelGAN
from hellgan.montecarlo.comparators import Comparator, named
from hellgan.montecarlo.estimates import Estimate, by_name, one_by_one, recorded, stacked, told
from hellgan.montecarlo.method import Method, Setting
from hellgan.montecarlo.returned import checked_names, returned_table
from hellgan.montecarlo.streams import METHOD

# Arguments of GAN, and of KernelGAN, that a method may give; data, weights and seed are the study's.
_OF_GAN = ("generator", "discriminator", "loss", "latent", "n_simulated", "reweight")
_OF_KERNEL = ("generator", "loss", "bandwidth", "kernel", "phi", "cooling", "own_weight", "latent", "n_simulated")
_OF_FIT = ("cov_type", "cov_kwds")
_OF_STUDY = ("replications", "where")

_LARGE = 100_000  # numbers in a sample, from where samples go one by one: a group of them would only take memory


class GANMethod(Method):
    """A configured GAN, fitted in groups; one by one where it wants another covariance than the sandwich."""

    accepted = _OF_GAN

    def __init__(self, arguments: Mapping[str, Any]):
        self.arguments = {name: value for name, value in arguments.items() if name in self.accepted}
        self.of_fit = {name: value for name, value in arguments.items() if name in _OF_FIT}

    def generator(self, setting: Setting) -> Generator:
        given = self.arguments.get("generator", setting.generator)
        if given is None:
            raise ValueError("methods: the truth is no generator; give the method its own, as in dict(generator=...).")
        return checked_generator(given)

    def batch(self, setting):
        alone = self.of_fit or isinstance(self.arguments.get("discriminator"), MLP) or setting.n * setting.dim > _LARGE
        return 1 if alone else programs.group_size(_LARGE)

    def chunk(self, setting):
        if isinstance(self.arguments.get("discriminator"), MLP):
            return 8  # a network takes some hundred times as long
        wanted = 2 ** round(np.log2(128_000 / (setting.n * setting.dim)))
        return int(np.clip(wanted, self.batch(setting), 256))

    def check(self, setting):
        self.generator(setting)

    def names(self, setting, samples, streams):
        return tuple(self._model(setting, samples[0], streams[0]).generator.names)

    def _model(self, setting, sample, stream) -> GAN | KernelGAN:
        return GAN(sample, **{**self.arguments, "generator": self.generator(setting)}, seed=stream.latent_seed)

    def fit(self, setting, sample, stream):
        return self._model(setting, sample, stream).fit(**self.of_fit)

    def estimate(self, setting, names, samples, streams):
        if self.of_fit:
            return self._one_by_one(setting, names, samples, streams)
        size = self.batch(setting)
        begin = time.perf_counter()
        blocks = [range(len(samples))] if size > 1 else [[k] for k in range(len(samples))]
        rows: list[Estimate] = []
        with recorded() as said:
            for block in blocks:
                rows += self._together(setting, names, [samples[k] for k in block], [streams[k] for k in block], size)
        seconds = (time.perf_counter() - begin) / len(samples)
        return stacked(names, rows, np.full(len(samples), seconds), ["; ".join(said)] * len(samples))

    def _together(self, setting, names, samples, streams, size) -> list[Estimate]:
        """Fit samples in full groups; where the model refuses some the others together, else all one by one."""
        try:
            return self._fits(setting, samples, streams, size)
        except Exception as error:  # any: generators, losses and features may be the user's
            if len(samples) == 1:
                return [_failure(names, told(error))]
        sound = [k for k, sample in enumerate(samples) if self._accepts(setting, sample, streams[k])]
        apart = [sound] if 0 < len(sound) < len(samples) else [[k] for k in sound]
        apart += [[k] for k in range(len(samples)) if k not in sound]
        rows: dict[int, Estimate] = {}
        for part in apart:
            found = self._together(setting, names, [samples[k] for k in part], [streams[k] for k in part], size)
            rows |= dict(zip(part, found, strict=True))
        return [rows[k] for k in range(len(samples))]

    def _accepts(self, setting, sample, stream) -> bool:
        try:
            self._model(setting, sample, stream)
        except Exception:  # as above; what it is will be told of the sample alone
            return False
        return True

    def _fits(self, setting, samples, streams, size) -> list[Estimate]:
        model = self._model(setting, samples[0], streams[0])
        padding = -len(samples) % size  # samples that fill the group, not tried again where they fail
        seeds = [stream.latent_seed for stream in (*streams, *[streams[0]] * padding)]
        fits = fit_all(model, [*samples, *[samples[0]] * padding], seeds, wanted=len(samples))
        half, rows = normal_quantile(1 - setting.level), []
        for fit in fits[: len(samples)]:
            with np.errstate(invalid="ignore"):
                errors = np.sqrt(np.diag(fit.cov))
            low, high = inference.intervals(model.generator.element_spaces, fit.natural, errors, half).T
            is_saddle = not fit.saddle.reason
            converged, steps = is_saddle and not fit.trouble, fit.saddle.iterations
            pvalue = np.nan if fit.bulk is None else fit.bulk.pvalue
            of_solution = converged, is_saddle, steps, fit.trouble, pvalue
            rows.append(Estimate(np.asarray(fit.natural), errors, low, high, *of_solution))
        return rows

    def _one_by_one(self, setting, names, samples, streams):
        def one(sample, stream):
            return _of_result(self.fit(setting, sample, stream), names, setting.level)

        return one_by_one(one, list(zip(samples, streams, strict=True)), names, _no_intervals)


class KernelGANMethod(GANMethod):
    """A configured kernel GAN."""

    accepted = _OF_KERNEL

    def _model(self, setting, sample, stream) -> KernelGAN:
        return KernelGAN(sample, **{**self.arguments, "generator": self.generator(setting)}, seed=stream.latent_seed)


class ComparatorMethod(Method):
    """A comparator of this package."""

    def __init__(self, comparator: Comparator):
        self.comparator = comparator

    def _generator(self, setting) -> Generator:
        generator = self.comparator.model if self.comparator.model is not None else setting.generator
        if generator is None:
            raise ValueError(
                f"methods: the truth is no generator; give {type(self.comparator).__name__} a family, as in model=..."
            )
        return generator

    def batch(self, setting):
        return 1

    def chunk(self, setting):
        return self.comparator.chunk

    def check(self, setting):
        self.comparator.check(self._generator(setting), setting.n)

    def names(self, setting, samples, streams):
        return self.comparator.names(self._generator(setting))

    def estimate(self, setting, names, samples, streams):
        rngs = [stream.rng(METHOD) for stream in streams]
        return self.comparator.estimate_each(self._generator(setting), samples, rngs, setting.level)


class FunctionMethod(Method):
    """A user's own function of a sample; it gets of ``rng``, ``seed``, ``setting`` what it names as arguments."""

    def __init__(self, function: Callable):
        self.function = function
        try:
            accepted = inspect.signature(function).parameters
        except (TypeError, ValueError):
            accepted = {}
        self._wants = [name for name in ("rng", "seed", "setting") if name in accepted]

    def batch(self, setting):
        return 1

    def chunk(self, setting):
        return 64

    def check(self, setting):
        return None

    def fit(self, setting, sample, stream):
        offered = {"rng": stream.rng(METHOD), "seed": stream.latent_seed, "setting": setting}
        return self.function(sample, **{name: offered[name] for name in self._wants})

    def names(self, setting, samples, streams):
        table = returned_table(self.fit(setting, samples[0], streams[0]))
        return checked_names(table["estimate"], setting.names)

    def estimate(self, setting, names, samples, streams):
        half = normal_quantile(1 - setting.level)
        own = (
            {}
            if setting.generator is None
            else dict(zip(setting.generator.names, setting.generator.element_spaces, strict=True))
        )

        def intervals(values, errors):
            rows = []
            for name, value, error in zip(names, values, errors, strict=True):
                inside = name in own and np.isfinite(value) and own[name].problem(value) is None
                rows.append(
                    inference.intervals([own[name]], [value], [error], half)[0]
                    if inside
                    else [value - half * error, value + half * error]
                )
            return np.array(rows, np.float64).reshape(len(names), 2)

        def one(sample, stream):
            return _of_result(self.fit(setting, sample, stream), names, setting.level)

        return one_by_one(one, list(zip(samples, streams, strict=True)), names, intervals)


def _failure(names, message) -> Estimate:
    missing = np.full(len(names), np.nan)
    return Estimate(missing, missing, missing, missing, False, None, 0, message)


def _no_intervals(values, errors):
    return np.full((len(values), 2), np.nan)


def _of_result(returned, names, level) -> Estimate:
    table = returned_table(returned)
    unknown = [name for name in table["estimate"] if name not in names]
    if unknown:
        raise ValueError(
            f"the estimate {shown(unknown[0])} was not among those of the first replicate: {', '.join(names)}"
        )
    columns = {part: by_name(names, table[part]) if part in table else None for part in ("lower", "upper")}
    if hasattr(returned, "conf_int") and hasattr(returned, "bse"):
        rows = np.asarray(returned.conf_int(alpha=1 - level), np.float64)
        ends = {name: row for name, row in zip(dict(returned.params), rows, strict=True)}
        columns = {part: by_name(names, {name: row[k] for name, row in ends.items()}) for k, part in enumerate(columns)}
    saddle = getattr(getattr(returned, "saddle", None), "is_saddle", None)
    facts = table if isinstance(returned, Mapping) else {}
    converged = facts.get("converged", getattr(returned, "converged", True))
    message = facts.get("message", getattr(returned, "trouble", ""))
    values, errors = by_name(names, table["estimate"]), by_name(names, table.get("std_error", {}))
    if converged:
        _require_numbers(table["estimate"], names, errors, columns["lower"], columns["upper"])
    return Estimate(
        values,
        errors,
        columns["lower"],
        columns["upper"],
        bool(converged),
        saddle,
        int(facts.get("iterations", getattr(getattr(returned, "saddle", None), "iterations", 0))),
        str(message or ("" if converged else "it says that it did not converge")),
        float(getattr(returned, "bulk_pvalue", np.nan)),
    )


def _require_numbers(estimates, names, errors, lower, upper) -> None:
    """Refuse what claims to have converged and is no estimate."""
    for name, value in estimates.items():
        if not np.isfinite(value):
            raise ValueError(f"the estimate of {name} is {value}, and the method says that it converged")
    for name, error in zip(names, errors, strict=True):
        if error < 0:
            raise ValueError(f"the std_error of {name} is {error:g}, below 0")
    if lower is None or upper is None:
        return
    for name, low, high in zip(names, lower, upper, strict=True):
        if low > high:
            raise ValueError(f"the interval of {name} goes from {low:g} down to {high:g}")


class Entry(NamedTuple):
    """A method of a study, with what the study needs to know of it."""

    method: Method
    definition: Any
    replications: int | None
    where: Any


def read(name: str, given) -> Entry:
    """Read what stands for a method: arguments of a GAN, a comparator (by name, too) or a function.

    A dict may hold, besides, ``replications`` (fewer than the study's) and ``where`` (factor: values, or a function
    of the cell's labels): the cells it runs in.
    """
    rest, options = given, {}
    if isinstance(given, Mapping):
        options = {key: given[key] for key in _OF_STUDY if key in given}
        rest = {key: value for key, value in given.items() if key not in _OF_STUDY}
    method, definition = _read(name, rest)
    return Entry(method, definition, options.get("replications"), options.get("where"))


def _read(name, given) -> tuple[Method, Any]:
    if isinstance(given, Comparator):
        return ComparatorMethod(given), given
    if isinstance(given, str):
        return _read(name, named(given))
    if isinstance(given, Mapping):
        if "comparator" in given:
            arguments = {key: value for key, value in given.items() if key != "comparator"}
            comparator = given["comparator"]
            if isinstance(comparator, str):
                return _read(name, named(comparator, **arguments))
            _require_alone(name, "comparator", arguments)
            return _read(name, comparator)
        if "function" in given:
            _require_alone(name, "function", [key for key in given if key != "function"])
            return _read(name, given["function"])
        if "estimator" in given:
            return _read_estimator(name, given)
        _check_names(name, given, "GAN", _OF_GAN)
        _check_arguments(name, given)
        return GANMethod(given), dict(given)
    if callable(given):
        return FunctionMethod(given), given
    raise TypeError(
        f"methods: {name} is {shown(given)}; give a dict of GAN arguments, a comparator, or a function of a sample."
    )


def _read_estimator(name: str, given: Mapping) -> tuple[Method, Any]:
    """Read a dict that names its estimator: ``"gan"`` or ``"kernel"``."""
    if not is_one_of(given["estimator"], ("gan", "kernel")):
        raise ValueError(f"methods: {name} has the estimator {shown(given['estimator'])}; give 'gan' or 'kernel'.")
    rest = {key: value for key, value in given.items() if key != "estimator"}
    if given["estimator"] == "gan":
        return _read(name, rest)
    _check_names(name, rest, "KernelGAN", _OF_KERNEL)
    _check_arguments(name, rest)
    return KernelGANMethod(rest), dict(given)


def _check_names(name: str, given: Mapping[str, Any], what: str, known: tuple[str, ...]) -> None:
    """Refuse arguments that an estimator does not have."""
    unknown = [key for key in given if key not in (*known, *_OF_FIT)]
    if unknown:
        raise ValueError(
            f"methods: {name} has {shown(unknown[0])}, which is no argument of a {what}; give "
            f"{', '.join((*known, *_OF_FIT))}, and {', '.join(_OF_STUDY)}."
        )


def _check_arguments(name: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments of a GAN that are none whatever the sample, before a study begins."""
    try:
        if "loss" in given:
            losses.checked(given["loss"])
        if given.get("generator") is not None:
            checked_generator(given["generator"])
        latents.size(given.get("latent", "sobol"), 2, given.get("n_simulated"))
        check_kind(given.get("cov_type", "sandwich"), given.get("cov_kwds"))
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"methods: {name}: {error}") from None


def _require_alone(name, what, others) -> None:
    """Refuse what would go unused beside a function, or a comparator that is there already."""
    for other in others:
        raise ValueError(
            f"methods: {name} has {shown(other)} beside a {what}, which would not see it; give {what} and "
            f"{', '.join(_OF_STUDY)} alone."
        )
