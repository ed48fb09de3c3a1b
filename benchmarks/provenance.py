"""Who made a result: a line in its file with the script, the version of the package and the commit.

    .venv/bin/python benchmarks/provenance.py NOTEBOOK [NOTEBOOK ...]

removes the times of the cells of notebooks that were just executed, and signs them. Scripts sign what they write,
``tables.py`` what a benchmark printed. The line stands first in Markdown, or below the title; it is a PNG's comment;
and in JSON, Parquet and a notebook's metadata it is the value of "made by".

The commit is the one that was checked out when the work began, with ``+changes`` where the code was another; of a
notebook it is the package's. Work that took up what an earlier commit had left names that too. A file that is older
than this line names the commit that last changed its numbers.
"""

import argparse
import json
import re
import struct
import subprocess
import zlib
from collections.abc import Iterable
from pathlib import Path

from machine import ROOT

CODE = ("hellgan", "benchmarks/*.py", "docs/*.py", "docs/reading.md", "examples")  # what results are computed by


def commit() -> str:
    """Name the commit that is checked out, with ``+changes`` where the code differs from it; "unknown" without git."""
    head = _git("rev-parse", "--short", "HEAD")
    if head is None:
        return "unknown"
    return f"{head}+changes" if _git("status", "--porcelain", "--", *CODE) else head


def line(script: Path | str, now: str, begun: Iterable[str] = ()) -> str:
    """Say who makes a result: the script, the version, the commit ``now``, and others that began it."""
    import hellgan  # not earlier: threads are pinned before JAX is imported

    path = Path(script).resolve().relative_to(ROOT).as_posix()
    earlier = " and ".join(dict.fromkeys(other for other in begun if other != now))
    taken_up = f", begun at commit {earlier}" if earlier else ""
    return f"Made by `{path}`, hellgan {hellgan.__version__}, commit {now}{taken_up}."


def sign(files: Iterable[Path], made_by: str) -> None:
    """Put the line into files that were just written."""
    for file in files:
        _WAYS[file.suffix](file, made_by)


def _markdown(file: Path, made_by: str) -> None:
    text = file.read_text(encoding="utf-8")
    titled = re.match(r"# .*\n\n", text)
    title = titled[0] if titled else ""
    file.write_text(f"{title}{made_by}\n\n{text[len(title) :]}", encoding="utf-8")


def _png(file: Path, made_by: str) -> None:
    content, end = file.read_bytes(), 33  # of the header, behind which a chunk of text may stand
    chunk = b"tEXtComment\0" + made_by.encode("latin-1")
    text = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    file.write_bytes(content[:end] + text + content[end:])


def _json(file: Path, made_by: str) -> None:
    contents = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({"made by": made_by} | contents, indent=1) + "\n", encoding="utf-8")


def _notebook(file: Path, made_by: str) -> None:
    contents = json.loads(file.read_text(encoding="utf-8"))
    for cell in contents["cells"]:
        cell["metadata"].pop("execution", None)  # times, which would make every run another file
    contents["metadata"]["made by"] = made_by
    file.write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _parquet(file: Path, made_by: str) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    metadata = {**(table.schema.metadata or {}), "made by": made_by}
    pq.write_table(table.replace_schema_metadata(metadata), file, compression="zstd")


_WAYS = {".md": _markdown, ".png": _png, ".json": _json, ".ipynb": _notebook, ".parquet": _parquet}


def _git(*arguments: str) -> str | None:
    """What git answers; None where there is no git or no repository."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description="Sign notebooks that were just executed.")
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    now = commit()
    for notebook in parser.parse_args().notebooks:
        sign([notebook], line(notebook, now))


if __name__ == "__main__":
    main()
