"""Labels of rows as JSON, for saved fits."""

from typing import Any

import numpy as np

from hellgan.samples.sample import Origin, Sample

_KINDS = ("numbers", "dates", "texts")


def packed(sample: Sample) -> dict[str, Any] | None:
    """Describe where a sample's rows are in the data; None where their positions say it all.

    Labels that are neither numbers nor dates become texts.
    """
    import pandas as pd

    origin, labels = sample.origin, sample.origin.all_labels(len(sample))
    if not sample.is_labelled and origin.name is None and origin.kept is None:
        return None
    if isinstance(labels, pd.DatetimeIndex):
        kind, values = "dates", [label.isoformat() for label in labels]
    elif labels.dtype.kind in "iuf":
        kind, values = "numbers", labels.tolist()
    else:
        kind, values = "texts", [str(label) for label in labels]
    kept = None if origin.kept is None else origin.kept.tolist()
    return {"kind": kind, "labels": values, "kept": kept, "name": origin.name}


def unpacked(facts: Any, n: int) -> Origin:
    """Read what ``packed`` wrote of a sample of n; raises ``ValueError`` for what it did not write."""
    import pandas as pd

    if facts is None:
        return Origin()
    try:
        kind, labels, kept, name = (facts[key] for key in ("kind", "labels", "kept", "name"))
        is_known = kind in _KINDS and isinstance(labels, list) and (name is None or isinstance(name, str))
        kept = None if kept is None else np.array(kept, int)
        index = pd.DatetimeIndex(labels) if kind == "dates" else pd.Index(labels)
        is_whole = len(index if kept is None else index[kept]) == n and index.is_unique
        origin = Origin(index, name, kept=kept, total=len(index))
    except (KeyError, TypeError, ValueError, IndexError):
        origin, is_known, is_whole = Origin(), False, False
    if not is_known or not is_whole:
        raise ValueError(f"the labels of its rows are not those of {n} observations")
    return origin
