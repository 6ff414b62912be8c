"""Everything that an evaluation leaves in its folder, beside what it needs to go on."""

from __future__ import annotations

from pathlib import Path

from ..files import write
from .journal import Journal
from .results import Results
from .store import Store
from .tables import TABLES, as_csv, as_parquet


def write_results(results: Results, journal: Journal, store: Store, output: Path, command: str) -> list[Path]:
    """Tables, plots and the report; returns what a person would open.

    Args:
        results: to write down.
        journal: that has the curves.
        store: that has the heatmaps.
        output: the folder.
        command: that was typed, for the report.
    """
    for name, table in TABLES.items():
        lines = table(results)
        write(output / f"{name}.csv", as_csv(lines))
        write(output / f"{name}.parquet", as_parquet(lines))
    return [output / "results.csv", output / "summary.csv"]
