"""What came of a study: frames of estimates, performance measures with their Monte Carlo errors, failures, figures."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hellgan import plots
from hellgan.checks import checked_numbers, checked_texts, shown
from hellgan.montecarlo import performance
from hellgan.montecarlo.frames import StudyFrames
from hellgan.montecarlo.measures import MEASURES
from hellgan.montecarlo.planning import checked_error
from hellgan.montecarlo.store import Store
from hellgan.montecarlo.tables import latex, markdown


class StudyResults(StudyFrames):
    """The results of a study, read from its folder when asked for; made by ``Study.run`` and ``montecarlo.read``.

    Failures are rows like any other: ``converged`` is False, and ``message`` says why.

    Attributes
    ----------
    methods : list of str
    cells : list of dict
        Labels of the factors.
    level : float
        Of intervals.
    """

    def performance(
        self,
        measures: Sequence[str] | None = None,
        *,
        null: Mapping[str, float] | None = None,
        reference: str | None = None,
        methods: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Compute performance measures with their Monte Carlo standard errors.

        Parameters
        ----------
        measures : sequence of str, optional
            Of ``hellgan.montecarlo.MEASURES``; all that apply unless given.
        null : mapping of str to float, optional
            Values whose exclusion from the interval counts as rejection: the size where it is the truth, else the
            power.
        reference : str, optional
            A method, for relative efficiencies.
        methods : sequence of str, optional

        Returns
        -------
        DataFrame
            One row a method, cell, parameter and measure: ``value`` and ``mcse`` over the ``n`` replicates that
            converged; ``with_failures`` and ``with_failures_mcse`` over all (a failure misses the truth and rejects
            nothing); ``n_failed``.
        """
        if reference is not None:
            (reference,) = checked_texts("reference", [reference], self.methods, "a method of this study")
        if measures is not None:
            measures = checked_texts("measures", measures, MEASURES, "measures")
        if methods is not None:
            methods = checked_texts("methods", methods, self.methods, "methods of this study")
        null = null if null is None else checked_numbers("null", null)
        wanted = methods if methods is None or reference is None else list(dict.fromkeys([*methods, reference]))
        by = list(dict.fromkeys(["method", *self.factors, "eps"]))
        frames = []
        for key in self._manifest["cells"]:  # cell by cell: memory does not grow with their number
            frame = self._cell_frame(key, wanted)
            if len(frame):
                found = performance.table(frame, by, measures, null=null, reference=reference, level=self.level)
                counts = frame.groupby("method", observed=True)["replicate"].nunique().to_dict()
                frames.append(found.assign(replications=[counts[name] for name in found["method"]]))
        if not frames:
            raise ValueError("performance: no replicates are there yet.")
        whole: Any = pd.concat(frames, ignore_index=True)
        if methods is not None:
            whole = whole[whole["method"].isin(list(methods))].reset_index(drop=True)
        return whole

    def failures(self) -> pd.DataFrame:
        """List replicates that failed, and why: for ``Study.replay``."""
        frame: Any = self.to_frame()
        columns = ["method", *self.factors, "replicate", "message"]
        if not len(frame):
            return pd.DataFrame(columns=columns)
        return frame.loc[~frame["converged"], columns].drop_duplicates().reset_index(drop=True)

    def warnings(self) -> pd.DataFrame:
        """Count warnings: one row a method, cell and text."""
        frame: Any = self.to_frame()
        by = ["method", *self.factors, "warned"]
        if not len(frame):
            return pd.DataFrame(columns=[*by, "replicates"])
        once: Any = frame.loc[frame["warned"] != "", [*by, "replicate"]].drop_duplicates()
        return once.groupby(by, observed=True, sort=False).size().rename("replicates").reset_index()

    def replications_for(self, mcse: float, measure: str = "coverage", **options) -> pd.DataFrame:
        """Say how many replications a wanted Monte Carlo standard error costs, failures at the present rate included.

        Parameters
        ----------
        mcse : float
            In the measure's unit.
        measure : str
        **options
            ``null``, ``reference`` and ``methods``, as for ``performance``.

        Returns
        -------
        DataFrame
            One row a method, cell and parameter: ``replications``. Where all or none of the intervals hold the truth
            the level stands in for the coverage, as in ``hellgan.montecarlo.replications_for``; missing where there
            is no error to scale.
        """
        mcse = checked_error(mcse, measure)
        (measure,) = checked_texts("measure", [measure], MEASURES, "a measure")
        table = self.performance([measure], **options)
        variance = table["mcse"] ** 2
        if measure in ("coverage", "bias_eliminated_coverage"):
            at_level = self.level * (1 - self.level) / table["n_used"]
            variance = variance.where(variance > 0, at_level)
        wanted = table["replications"] * variance.where(variance > 0) / mcse**2
        columns = ["method", *self.factors, "parameter"]
        # Less what rounding adds: .05 * .95 / .005^2 is 1900.
        return table[columns].assign(replications=np.ceil(wanted * (1 - 1e-12)).astype("Int64"))

    def plot_zip(self, parameter: str | None = None, where: Mapping[str, Any] | None = None, **options):
        """Draw the intervals of every replicate of a cell, those that miss the truth on top.

        Parameters
        ----------
        parameter : str, optional
            Needed where there are several.
        where : mapping, optional
            Levels of the factors; needed where there are several cells.
        **options
            ``methods``, ``zoom`` (fraction of the centiles that is shown) and ``axes``.

        Returns
        -------
        array of Axes, one a method
        """
        frame = chosen(self.to_frame(options.get("methods")), where)
        return plots.zip_plot(frame, parameter=parameter, level=self.level, **options)

    def plot_lollipop(
        self,
        measures: Sequence[str] = ("bias", "rmse", "se_ratio", "coverage"),
        parameter: str | None = None,
        where: Mapping[str, Any] | None = None,
        reference: str | None = None,
        **options,
    ):
        """Draw measures with their Monte Carlo errors, a row for each method; arguments as for ``plot_zip``."""
        frame = chosen(self.performance(measures, reference=reference), where)
        return plots.lollipop(frame, measures, parameter=parameter, level=self.level, **options)

    def plot_nested_loop(
        self, measure: str = "bias", parameter: str | None = None, where: Mapping[str, Any] | None = None, **options
    ):
        """Draw a measure in all cells, in the order of the factors, whose steps are below; as for ``plot_zip``."""
        frame = chosen(self.performance([measure]), where)
        factors = options.pop("factors", None) or [name for name in self.factors if len(set(frame[name])) > 1]
        if not factors:
            raise ValueError("where: one cell is left, and a nested loop shows several; use plot_lollipop for one.")
        return plots.nested_loop(frame, measure, factors, parameter=parameter, **options)

    def plot_contamination(
        self,
        parameter: str | None = None,
        measures: Sequence[str] = ("bias", "rmse"),
        where: Mapping[str, Any] | None = None,
        x: str = "eps",
        **options,
    ):
        """Draw measures against the share of contamination, or the column ``x``; as for ``plot_zip``."""
        frame = chosen(self.performance(measures), where)
        return plots.contamination_curves(frame, x, measures, parameter=parameter, level=self.level, **options)

    def plot_qq(self, parameter: str | None = None, where: Mapping[str, Any] | None = None, **options):
        """Draw normal quantiles of (estimate - truth) / std_error, a panel for each method; as for ``plot_zip``."""
        frame = chosen(self.to_frame(options.pop("methods", None)), where)
        self._require_one_cell(frame)
        several = {}
        for name, part in one_parameter(frame, parameter).groupby("method", observed=True):
            z = (part["estimate"] - part["truth"]) / part["std_error"].where(part["converged"])
            if np.any(np.isfinite(z)):
                several[str(name)] = z.to_numpy()
        return plots.qq(several, **options)

    def plot_joint(
        self,
        method: str,
        parameters: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        covariance=None,
        **options,
    ):
        """Draw the estimates of several parameters against each other, with the ellipses of their normal law.

        Parameters
        ----------
        method : str
        parameters : sequence of str, optional
            All that the method reports unless given; at most six.
        where : mapping, optional
            Levels of the factors; needed where there are several cells.
        covariance : (k, k) array, optional
            Covariance of the estimates by theory; that of the replicates unless given, so that only the shape is
            judged.
        **options
            ``probabilities`` of the ellipses, and ``axes``.

        Returns
        -------
        (k, k) array of Axes
        """
        frame: Any = chosen(self.to_frame([method]), where)
        self._require_one_cell(frame)
        frame["estimate"] = frame["estimate"].where(frame["converged"])
        wide = frame.pivot(index="replicate", columns="parameter", values="estimate")
        names = list(wide.columns) if parameters is None else list(parameters)
        unknown = [name for name in names if name not in wide.columns]
        if unknown:
            raise ValueError(f"parameters: {method} reports no {shown(unknown[0])}; it has {', '.join(wide.columns)}.")
        truth = frame.drop_duplicates("parameter").set_index("parameter")["truth"]
        center = truth.loc[names].to_numpy(np.float64)
        estimates = wide[names].to_numpy()
        usable = estimates[np.all(np.isfinite(estimates), axis=1)]
        if len(usable) <= len(names):
            raise ValueError(f"method: {method} has {len(usable)} replicates; {len(names)} parameters need more.")
        center = np.where(np.isfinite(center), center, usable.mean(axis=0))
        law = np.atleast_2d(np.cov(usable.T)) if covariance is None else np.asarray(covariance, np.float64)
        return plots.joint_pairs(estimates, names, law, center=center, **options)

    def _require_one_cell(self, frame) -> None:
        """Refuse the replicates of several cells in one figure."""
        several = [name for name in self.factors if frame[name].nunique() > 1]
        if several:
            raise ValueError(f"where: there are several cells; choose one level of {' and of '.join(several)}.")

    def to_markdown(self, measures: Sequence[str] = ("bias", "empirical_se", "rmse", "coverage"), **options) -> str:
        """Write a table of measures, Monte Carlo errors in brackets; options are those of ``performance``."""
        return markdown(self.performance(measures, **options), self.factors, measures)

    def to_latex(
        self,
        measures: Sequence[str] = ("bias", "empirical_se", "rmse", "coverage"),
        caption: str | None = None,
        label: str | None = None,
        **options,
    ) -> str:
        """Write a table of measures as a LaTeX tabular, within a ``table`` where a caption or a label is given.

        The other arguments are those of ``to_markdown``; ``caption`` and ``label`` are LaTeX.
        """
        return latex(self.performance(measures, **options), self.factors, measures, caption, label)


def chosen(frame: Any, where: Mapping[str, Any] | None) -> pd.DataFrame:
    """Choose the rows of a frame whose columns have the levels that ``where`` says."""
    if where is not None and not isinstance(where, Mapping):
        raise TypeError(f"where: got {shown(where)}; give a level of each factor, as in {{'n': 100}}.")
    for name, level in (where or {}).items():
        if name not in frame:
            known = frame.columns[: list(frame).index("parameter") + 1].drop("replicate", errors="ignore")
            raise ValueError(f"where: {shown(name)} is no factor; give some of {', '.join(known)}.")
        levels = list(level) if isinstance(level, (list, tuple)) else [level]
        frame = frame[frame[name].isin(levels)]
        if not len(frame):
            raise ValueError(f"where: no row has {name} = {shown(level)}.")
    return frame


def one_parameter(frame: Any, parameter: str | None) -> pd.DataFrame:
    """Choose the rows of a parameter, which must be named where the frame has several."""
    there = list(dict.fromkeys(frame["parameter"]))
    if parameter is None and len(there) > 1:
        raise ValueError(f"parameter: there are {', '.join(there)}; name one.")
    if parameter is not None and parameter not in there:
        raise ValueError(f"parameter: there is no {shown(parameter)}; name one of {', '.join(there)}.")
    return frame if parameter is None else frame[frame["parameter"] == parameter]


def read(folder: str | os.PathLike) -> StudyResults:
    """Read the results of a study from its folder, whoever made them; needs none of the study's functions.

    Raises
    ------
    FileNotFoundError
        For a folder without a study.
    """
    store = Store(folder)
    manifest = store.manifest()
    if manifest is None:
        raise FileNotFoundError(
            f"read: there is no study in {shown(os.fspath(folder))}; give the folder of Study.run(out=...)."
        )
    return StudyResults(store, manifest)
