"""The command line: ``hellgan fit``, ``hellgan study`` and ``hellgan datasets``."""

import argparse
import json
import math
import os
import sys
import warnings
from collections.abc import Sequence

from hellgan.execution.keeping import keep_by_default
from hellgan.version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code, 2 for bad input with one sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except BrokenPipeError:
        # Whoever read the output has stopped; what is still buffered must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as error:
        said = " ".join(str(error).split()).rstrip(".")
        sys.stderr.write(f"hellgan {options.name}: out of memory{f' ({said})' if said else ''}; ask for less.\n")
        return 2
    except KeyboardInterrupt as error:
        sys.stderr.write(f"hellgan {options.name}: interrupted{f'; {error}' if str(error) else ''}.\n")
        return 130
    except (ValueError, TypeError, OSError, ImportError) as error:
        sys.stderr.write(f"hellgan {options.name}: {_sentence(error)}\n")
        return 2


# Arguments of the package that options stand for, where those are called otherwise.
_SAME = ("generator", "loss", "latent", "seed", "missing", "df", "formula", "weights")
_OPTIONS = {"n_simulated": "--simulated", **{name: f"--{name}" for name in _SAME}}


def _sentence(error) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}."
    said = " ".join(str(error).split()).rstrip(".")
    about, _, _ = said.partition(":")
    said = f"{_OPTIONS.get(about, about)}{said[len(about) :]}"
    return said.replace("missing='drop'", "--missing drop") + "."


def _joined(names) -> str:
    return ", ".join(names)


class _Parser(argparse.ArgumentParser):
    def format_help(self):
        """List the families below the options; they are looked up when help is asked for."""
        if self.prog.endswith(" fit"):
            from hellgan import generators, losses

            self.epilog = f"Families: {_joined(generators.names())}. Losses: {_joined(losses.names())}."
        return super().format_help()

    def error(self, message):
        """Say what is wrong in one sentence, without the usage."""
        self.exit(2, f"{self.prog}: {_sentence(message)}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="hellgan", description="Parametric GANs with confidence intervals.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser(
        "fit", help="fit a family to columns of a CSV file", description="Fit a family to columns of a CSV file."
    )
    fit.set_defaults(command=_fit, name="fit")
    fit.add_argument("file", metavar="FILE", help="CSV file with a header row; - for standard input")
    fit.add_argument(
        "--column",
        action="append",
        metavar="NAME[,NAME]",
        help="which column, or columns; a regression takes the last for the response; repeatable; the only one unless "
        "given",
    )
    fit.add_argument(
        "--formula",
        metavar="'Y ~ X'",
        help="a regression on columns of the file, instead of --column; rows in which one of them is missing are left "
        "out unless --missing raise is given",
    )
    fit.add_argument("--index", metavar="NAME", help="the column that holds the rows' labels; else they count from 0")
    fit.add_argument("--weights", metavar="NAME", help="the column that holds the observations' weights")
    fit.add_argument(
        "--generator",
        metavar="FAMILY",
        help="one of those below, capitals or not (default: normal, and linearregression with a formula)",
    )
    fit.add_argument("--df", type=float, help="degrees of freedom of a t law; estimated unless given")
    fit.add_argument("--components", type=int, metavar="K", help="components of normalmixture")
    fit.add_argument("--fix", action="append", default=[], metavar="NAME=VALUE", help="hold a parameter; repeatable")
    fit.add_argument("--loss", default="root", help="adversarial loss (default: root)")
    fit.add_argument("--latent", default="sobol", help="sobol or iid latent draws (default: sobol)")
    fit.add_argument("--simulated", type=int, metavar="M", help="size of the simulated sample")
    fit.add_argument(
        "--missing",
        metavar="WHAT",
        help="rows in which a value is missing: raise to refuse them, drop to leave them out (default: raise, and drop "
        "with a formula)",
    )
    fit.add_argument("--reweight", action="store_true", help="fit twice, against contamination nearby")
    fit.add_argument("--level", type=float, default=0.95, help="level of the intervals (default: 0.95)")
    fit.add_argument("--seed", type=int, default=0, help="seed of the latent draws (default: 0)")
    fit.add_argument("--json", action="store_true", help="print JSON instead of a table")
    fit.add_argument("--plot", metavar="OUT.png", help="write a figure of the fit")
    _add_study(commands)
    datasets = commands.add_parser("datasets", help="list the bundled data sets")
    datasets.set_defaults(command=_datasets, name="datasets")
    datasets.add_argument("--csv", metavar="NAME", help="write one of them to standard output as CSV")
    return parser


def _add_study(commands) -> None:
    about = "run a Monte Carlo study that a TOML file describes"
    study = commands.add_parser("study", help=about, description=f"{about[0].upper()}{about[1:]}.")
    study.set_defaults(command=_study, name="study")
    study.add_argument("file", metavar="FILE.toml", help="the design")
    study.add_argument("--out", metavar="FOLDER", help="folder of the results (default: FILE, in this directory)")
    study.add_argument("--replications", type=int, metavar="R", help="another number than the file's")
    study.add_argument("--threads", type=int, help="threads of this machine (default: two a processor)")
    study.add_argument("--scheduler", metavar="ADDRESS", help="run on the Dask cluster with this scheduler")
    study.add_argument(
        "--array", metavar="I/N", help="do the I-th of N shares, I from 1: one task of a job array, same --out for all"
    )
    study.add_argument("--measures", metavar="NAME[,NAME]", help="measures of the table that is printed")
    study.add_argument("--repair", action="store_true", help="do the replicates of damaged parts again")
    study.add_argument("--latex", action="store_true", help="print it as LaTeX instead of Markdown")


def _study(options) -> int:
    from hellgan import montecarlo

    keep_by_default()
    changes = {} if options.replications is None else {"replications": options.replications}
    study = montecarlo.from_toml(options.file, **changes)
    out = options.out or os.path.splitext(os.path.basename(options.file))[0]
    arguments = {"threads": options.threads, "share": None if options.array is None else _share(options.array)}
    arguments["repair"] = options.repair
    if options.scheduler is None:
        result = study.run(out, **arguments)
    else:
        with montecarlo.connected(options.scheduler) as client:
            result = study.run(out, client, **arguments)
    left = result.progress()
    wanted, done = (sum(left[column].tolist()) for column in ("wanted", "done"))
    if done < wanted:
        sys.stderr.write(f"hellgan study: {wanted - done} of {wanted} replicates are still to do.\n")
        return 0
    measures = {} if options.measures is None else {"measures": options.measures.split(",")}
    sys.stdout.write((result.to_latex if options.latex else result.to_markdown)(**measures))
    failed = result.failures()
    if len(failed):
        sys.stderr.write(f"hellgan study: {len(failed)} replicates failed; the table leaves them out.\n")
    return 0


def _share(text: str) -> tuple[int, int]:
    first, _, second = text.partition("/")
    if not (first.strip().isdigit() and second.strip().isdigit()):
        raise ValueError(f"--array: got {text!r}; give I/N, as in 3/20.")
    return int(first), int(second)


def _fit(options) -> int:
    if not 0 < options.level < 1:
        raise ValueError(f"--level: got {options.level:g}; give a number between 0 and 1, such as 0.95.")
    if options.plot:
        _check_figure(options.plot)
    keep_by_default()
    model = _model(options)
    if left_out := len(model.sample.left_out):
        what = "row has a missing value and is" if left_out == 1 else "rows have missing values and are"
        sys.stderr.write(f"hellgan fit: {left_out} {what} left out; {model.nobs} are fitted.\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = model.fit()
    for warning in caught:
        if type(warning.message).__name__ in ("ConvergenceWarning", "FitWarning"):
            sys.stderr.write(f"hellgan fit: {warning.message}\n")
    alpha = 1 - options.level
    if options.plot:
        from hellgan import plots

        ax = result.plot_fit()
        try:
            plots.save(ax, options.plot)
        finally:
            plots.close(ax)
    if options.json:
        json.dump(_as_json(result, alpha), sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(f"{result.summary(alpha)}\n")
    return 0 if result.converged else 1


def _check_figure(path: str) -> None:
    """Refuse a figure that could not be written, before anything is fitted."""
    from hellgan import plots

    if not os.path.isdir(folder := os.path.dirname(path) or "."):
        raise ValueError(f"--plot: there is no folder {folder}.")
    suffix = os.path.splitext(path)[1][1:].lower()
    if suffix not in (known := plots.suffixes()):
        raise ValueError(f"--plot: {path} is no figure by its suffix; give one of {_joined(known)}.")


def _model(options):
    """Read the file and set up the model that is to be fitted to it."""
    from hellgan import generators
    from hellgan.gan import GAN

    file = _read(options.file)
    file = file if options.index is None else file.labelled_by(options.index)
    if options.formula is not None and options.column is not None:
        raise ValueError("--column: a formula names its own columns; leave one of the two out.")
    if options.weights is not None:
        file.require_numbers(file.named(options.weights, "--weights"))
    data = file.frame if options.formula is not None else file.columns(options.column)
    family = options.generator or ("normal" if options.formula is None else "linearregression")
    generator = generators.make(family, **_arguments(options, family, 1 if data.ndim == 1 else data.shape[1]))
    fixed = dict(_assignment(text) for text in options.fix)
    arguments = {
        "loss": options.loss,
        "latent": options.latent,
        "n_simulated": options.simulated,
        "seed": options.seed,
        "reweight": options.reweight,
    }
    if options.missing is not None:
        arguments["missing"] = options.missing
    if options.formula is None:
        weights = None if options.weights is None else file.frame[options.weights]
        return GAN(data, _held(generator, fixed), weights=weights, **arguments)
    arguments["weights"] = options.weights
    if fixed:  # the names of a regression's parameters are known once its formula is read
        generator = _held(GAN.from_formula(options.formula, data, generator, **arguments).generator, fixed)
    return GAN.from_formula(options.formula, data, generator, **arguments)


def _held(generator, fixed: dict[str, float]):
    """Hold parameters of a family at their values."""
    try:
        return generator.fix(**fixed) if fixed else generator
    except (ValueError, TypeError) as error:
        raise ValueError(f"--fix: {error}") from None


def _arguments(options, name: str, d: int) -> dict:
    """Choose the arguments that a family needs beside its name; ``d`` is the number of columns of the data."""
    from hellgan.generators.catalogue import key

    family = key(name)
    arguments = {}
    if options.df is not None:
        if not family.endswith("studentt"):
            raise ValueError("--df: give it with the families studentt and multivariatestudentt and with no other.")
        arguments["df"] = options.df
    if (family == "normalmixture") != (options.components is not None):
        raise ValueError("--components: give it with the family normalmixture and with no other.")
    if options.components is not None:
        arguments["k"] = options.components
    if family.startswith("multivariate"):
        arguments["d"] = d
    return arguments


def _as_json(result, alpha) -> dict:
    rows = result.tidy(alpha).to_dict("records")
    parameters = {row.pop("term"): {name: _plain(value) for name, value in row.items()} for row in rows}
    return {
        "generator": result.generator.name,
        "loss": result.model.loss.name,
        "n": result.nobs,
        "m": result.n_simulated,
        "level": 1 - alpha,
        "converged": result.converged,
        "trouble": result.trouble,
        "parameters": parameters,
        "divergence": _plain(result.saddle.value - result.model.loss.value_at_equality),
        "outliers": [_label(label) for label in result.outliers().tolist()],
        "rows_left_out": [_label(label) for label in result.rows_left_out],
    }


def _label(label):
    return label if isinstance(label, (int, float)) else str(label)


def _plain(value):
    return float(value) if math.isfinite(value) else None  # JSON has no NaN


def _assignment(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--fix: got {text!r}; give NAME=VALUE with a number.") from None


def _read(file: str):
    """Read a CSV file, or standard input."""
    from hellgan.samples import csv_files

    if file == "-":
        return csv_files.read_csv(sys.stdin.read(), "standard input")
    try:
        with open(file, encoding="utf-8-sig", newline="") as source:
            return csv_files.read_csv(source.read(), file)
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not a CSV file with a header row ({error}).") from None


def _datasets(options) -> int:
    from hellgan import datasets

    if options.csv is None:
        for row in datasets.summaries():
            sys.stdout.write(f"{row.name:<12} {row.n:>4}  {', '.join(row.columns)}: {row.description}\n")
        return 0
    if options.csv not in datasets.names():
        raise ValueError(f"--csv: {options.csv!r} is not known; give one of {', '.join(datasets.names())}.")
    sys.stdout.write(datasets.csv_text(options.csv))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
