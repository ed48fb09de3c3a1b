"""What the studies share: options, folders, tables with Monte Carlo errors, reports. Import before JAX and NumPy."""

import argparse
import inspect
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import machine  # noqa: E402
import provenance  # noqa: E402

machine.pin(2)

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from hellgan import plots  # noqa: E402

COMMIT = provenance.commit()
BEGUN: list[str] = []  # commits that began the estimates of this report


def options(doc: str, replications: int | None = None, full: str | None = None) -> argparse.Namespace:
    """Read a study's options: ``out``, ``work``, ``quick``; ``replications`` and ``full`` where a study has them."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the report")
    parser.add_argument("--work", type=Path, default=HERE / "runs", help="folder of all estimates; taken up again")
    parser.add_argument("--quick", action="store_true", help="few replications of few cells: whether it works")
    if full is not None:
        parser.add_argument("--full", action="store_true", help=full)
    if replications is not None:
        told = f"replications of a cell (default: {replications:,}); those that are there are kept"
        parser.add_argument("--replications", type=int, default=replications, help=told)
    return parser.parse_args()


def entry(value: float, mcse: float) -> str:
    """Write a value with its Monte Carlo error in brackets, to two digits of the error and at most five."""
    if not math.isfinite(value):
        return "-"
    if not math.isfinite(mcse):
        return f"{value:.4g}"
    digits = 4 if mcse <= 0 else min(5, max(0, 1 - math.floor(math.log10(mcse))))
    return f"{value:.{digits}f} ({mcse:.{digits}f})"


def only(frame: pd.DataFrame, **levels) -> pd.DataFrame:
    """Choose rows by levels of columns, each one or a list."""
    for name, level in levels.items():
        wanted = level if isinstance(level, (list, tuple, range)) else [level]
        frame = frame.loc[frame[name].isin(list(wanted))]
    return frame


def crossed(frame: pd.DataFrame, rows: str, columns: str) -> tuple[list[str], list[list[str]]]:
    """Put one measure, a row of ``frame`` for each pair of levels, into a header and rows of entries."""
    across = list(dict.fromkeys(frame[columns]))
    found = {(r, c): entry(v, e) for r, c, v, e in frame[[rows, columns, "value", "mcse"]].itertuples(index=False)}
    body = [[str(r), *(found.get((r, c), "") for c in across)] for r in dict.fromkeys(frame[rows])]
    return [rows, *(f"{columns} = {level:g}" if isinstance(level, float) else str(level) for level in across)], body


class Report:
    """A Markdown report with its figures and the numbers behind it."""

    def __init__(self, given: argparse.Namespace, name: str, title: str, script: str):
        self.folder, self.name, self.files = given.out, name, []
        self.folder.mkdir(parents=True, exist_ok=True)
        self.parts = [f"# {title}", _said(script)]
        if given.quick:
            self.parts.append("**A trial of few replications (`--quick`): its numbers say nothing.**")

    def heading(self, text: str) -> None:
        self.parts.append(f"## {text}")

    def say(self, text: str) -> None:
        self.parts.append(inspect.cleandoc(text))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
        """Add a table; none where it has no rows."""
        rows = list(rows)
        if title:
            self.parts.append(f"{title}:")
        self.parts.append("\n".join([machine.header(*header), *(machine.row(*row) for row in rows)]))

    def figure(self, axes, suffix: str, caption: str) -> None:
        """Save a figure beside the report, and show it there."""
        file = f"{self.name}_{suffix}.png"
        first = np.ravel(axes)[0]
        plots.save(first, self._own(file))
        plots.close(first)
        self.parts.append(f"![{caption}]({file})\n\n{caption}")

    def keep(self, frame: pd.DataFrame, suffix: str = "") -> None:
        """Save numbers behind the report."""
        tidy = frame.copy()
        for column in tidy.columns:  # texts, since categories of one file are not those of another
            if not pd.api.types.is_numeric_dtype(tidy[column]):
                tidy[column] = tidy[column].astype(str)
        file = f"{self.name}_{suffix}.parquet" if suffix else f"{self.name}.parquet"
        tidy.to_parquet(self._own(file), compression="zstd", index=False)

    def write(self) -> None:
        text = "\n\n".join(part.rstrip() for part in self.parts) + "\n"
        self._own(f"{self.name}.md").write_text(text)
        provenance.sign(self.files, provenance.line(HERE / f"{self.name}.py", COMMIT, BEGUN))
        print(text)

    def _own(self, file: str) -> Path:
        self.files.append(self.folder / file)
        return self.files[-1]


def _said(doc: str) -> str:
    """Give a script's own words, its command left out."""
    parts = [part for part in inspect.cleandoc(doc).split("\n\n") if ".venv/bin/python" not in part]
    return "\n\n".join(parts)


def listed(words: Iterable[str]) -> str:
    """Join words: a, b and c."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def failures(frame: pd.DataFrame) -> str:
    """Say in a sentence which methods failed, and how often: of ``performance`` of one measure."""
    once = frame.drop_duplicates([c for c in frame.columns if c in ("method", "eps", "distance", "n", "contamination")])
    failed: Any = once.groupby("method", observed=True, sort=False)[["n_failed", "replications"]].sum()
    told = [f"{name} {row.n_failed:,} of {row.replications:,}" for name, row in failed.iterrows() if row.n_failed]
    return f"Fits that failed, over all cells: {listed(told)}." if told else "No fit failed."


def run(study, given: argparse.Namespace, name: str, **how):
    """Run a study in its folder of ``--work``, beside which is noted what commit began it; a trial has its own."""
    folder = given.work / (f"{name}-quick" if given.quick else name)
    note = folder.with_name(f"{folder.name}.commit")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(COMMIT)
    BEGUN.append(note.read_text() if note.exists() else "unknown")
    return study.run(folder, **how)
