"""What came of a study as frames, read from its folder when asked for."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hellgan.checks import checked_texts
from hellgan.montecarlo.store import Store

_VARIABLES = ("estimate", "std_error", "lower", "upper")
_FACTS = ("converged", "is_saddle", "seconds", "iterations", "bulk_pvalue")


class StudyFrames:
    """The estimates of a study: what ``StudyResults`` is made of."""

    def __init__(self, store: Store, manifest: Mapping[str, Any]):
        self._store, self._manifest = store, manifest

    @property
    def folder(self) -> str:
        return os.fspath(self._store.folder)

    @property
    def methods(self) -> list[str]:
        return list(self._manifest["methods"])

    @property
    def cells(self) -> list[dict]:
        return [dict(cell["labels"]) for cell in self._manifest["cells"].values()]

    @property
    def factors(self) -> list[str]:
        return list(self._manifest["factors"])

    @property
    def level(self) -> float:
        return float(self._manifest["level"])

    def __repr__(self):
        left = self.progress()
        done, wanted = (sum(left[column].tolist()) for column in ("done", "wanted"))
        return (
            f"<StudyResults: {len(self.cells)} cells, {len(self.methods)} methods, {done} of {wanted} replicates; "
            "performance() measures them>"
        )

    def progress(self) -> pd.DataFrame:
        """Count the replicates that are stored and those that are wanted: one row a method and cell."""
        rows = []
        for name, method in self._manifest["methods"].items():
            for key in method["cells"]:
                wanted = method["replications"]
                ranges = self._store.covered(name, key)
                done = len({r for begin, end in ranges for r in range(begin, min(end, wanted))})
                rows.append({"method": name, **self._manifest["cells"][key]["labels"], "done": done, "wanted": wanted})
        return pd.DataFrame(rows)

    def to_frame(self, methods: Sequence[str] | None = None) -> pd.DataFrame:
        """List all estimates: one row a method, cell, replicate and parameter.

        Columns: ``method``, the factors, ``eps`` (share of foreign observations), ``replicate``, ``parameter``,
        ``estimate``, ``std_error``, ``lower``, ``upper``, ``truth`` (NaN where the study knows none), ``converged``,
        ``is_saddle`` (NaN for a method that looks for none), ``iterations``, ``bulk_pvalue`` (of the test of the bulk;
        NaN for a method that has none), ``seconds``, ``message``, ``warned``.
        """
        frames = [self._cell_frame(key, methods) for key in self._manifest["cells"]]
        frames = [frame for frame in frames if len(frame)]
        if not frames:
            return pd.DataFrame()
        frame = pd.concat(frames, ignore_index=True)
        # Of the same levels in all cells, in the study's order.
        for name in ("method", *self.factors, "parameter"):
            if not pd.api.types.is_numeric_dtype(frame[name]):
                frame[name] = pd.Categorical(frame[name], list(dict.fromkeys(frame[name])))
        return frame

    def _cell_frame(self, key: str, methods: Sequence[str] | None = None) -> pd.DataFrame:
        import pyarrow as pa

        if methods is not None:
            methods = checked_texts("methods", methods, self.methods, "methods of this study")
        cell = self._manifest["cells"][key]
        frames = []
        for name, method in self._manifest["methods"].items():
            if key not in method["cells"] or (methods is not None and name not in methods):
                continue
            tables = list(self._store.tables(name, key, method["replications"]))
            if not tables:
                continue
            parts = [table.unify_dictionaries() for table in tables]
            frame = pa.concat_tables(parts, promote_options="default").to_pandas()
            if "bulk_pvalue" not in frame:  # of a study that was run before there was the test
                frame.insert(frame.columns.get_loc("iterations") + 1, "bulk_pvalue", np.nan)
            labels = {"method": name, **cell["labels"]}
            for at, (column, value) in enumerate(labels.items()):
                text = isinstance(value, str)
                frame.insert(at, column, pd.Categorical([value] * len(frame), [value]) if text else value)
            if "eps" not in labels:
                frame.insert(len(labels), "eps", cell["share"])
            truth = frame["parameter"].map(cell["estimands"]).astype(float)
            frame.insert(frame.columns.get_loc("upper") + 1, "truth", truth)
            frames.append(frame)
        if not frames:
            return pd.DataFrame()
        whole: Any = pd.concat(frames, ignore_index=True)
        first = [*dict.fromkeys(["method", *self.factors, "eps", "replicate", "parameter", *_VARIABLES, "truth"])]
        return whole[[*first, *(c for c in whole.columns if c not in first)]]

    def to_xarray(self):
        """Give the estimates as an xarray Dataset.

        Dimensions: ``method``, the factors, ``replicate``, ``parameter``. Variables ``estimate``, ``std_error``,
        ``lower``, ``upper`` have all of them, ``truth`` the factors and ``parameter``, and ``converged``,
        ``is_saddle``, ``seconds``, ``iterations``, ``bulk_pvalue`` all but ``parameter``; NaN where a method has no
        such replicate.
        """
        import xarray as xr

        frame: Any = self.to_frame()
        if not len(frame):
            raise ValueError("to_xarray: no replicates are there yet.")
        factors = self.factors
        dims = ["method", *factors, "replicate"]
        for name in (*dims, "parameter"):  # an index of categories knows no labels
            if isinstance(frame[name].dtype, pd.CategoricalDtype):
                frame[name] = frame[name].astype(frame[name].cat.categories.dtype)
        wide = frame.set_index([*dims, "parameter"])[list(_VARIABLES)]
        data = xr.Dataset.from_dataframe(wide)
        facts = frame.drop_duplicates(dims).set_index(dims)[list(_FACTS)].astype(float)
        data = data.merge(xr.Dataset.from_dataframe(facts))
        truths = frame.drop_duplicates([*factors, "parameter"]).set_index([*factors, "parameter"])[["truth"]]
        data = data.merge(xr.Dataset.from_dataframe(truths))
        orders = {name: list(dict.fromkeys(frame[name])) for name in ("method", *factors, "parameter")}
        data = data.reindex(orders)  # the study's, not the alphabet's
        data.attrs = {"level": self.level, "seed": self._manifest["seed"], "hellgan": self._manifest["hellgan"]}
        return data
