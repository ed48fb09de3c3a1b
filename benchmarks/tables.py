"""Put the tables of `benchmarks/results` into README and docs.

    .venv/bin/python benchmarks/tables.py

A table there stands below a comment that says where it comes from, ``<!-- benchmarks/results/NAME.md -->``: the table
of that file that has the same header is copied. With ``<!-- benchmarks/results/NAME.md: some rows -->`` only the rows
that are there already are renewed, by their first cell. `tests/test_docs.py` fails where this would change a page.
"""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
PLACE = re.compile(rf"^<!-- (benchmarks/\S+\.md)(: some rows)? -->\n\n({TABLE.pattern})", re.MULTILINE)


def renewed(page: str) -> str:
    """A page with its tables as the benchmarks printed them last."""

    def table(place: re.Match) -> str:
        file, some, old = place.groups()
        begin = place.group(0)[: -len(old)]
        header, rule, *rows = old.splitlines()
        new = {first(row): row for row in _rows(ROOT / file, header)} if some else list(_rows(ROOT / file, header))
        return "\n".join([begin + header, rule, *([new[first(row)] for row in rows] if some else new)]) + "\n"

    return PLACE.sub(table, page)


def first(row: str) -> str:
    """A row's first cell."""
    return row.split("|")[1].strip()


def _rows(file: Path, header: str) -> Iterator[str]:
    for found in TABLE.findall(file.read_text(encoding="utf-8")):
        begin, _, *rows = found.splitlines()
        if begin == header:
            yield from rows
            return
    raise ValueError(f"{file.name} has no table with the header {header}")


def main() -> None:
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.relative_to(ROOT)}: renewed")


if __name__ == "__main__":
    main()
