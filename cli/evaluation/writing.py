"""Everything that an evaluation leaves in its folder, beside what it needs to go on."""

from __future__ import annotations

from pathlib import Path

from ..files import write
from .examples import examples_of
from .journal import Journal
from .metric_list import Wanted
from .plots import curves_plot, time_plot
from .report import report
from .results import Results, curves_of
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
    curves = [
        curves_plot(results, wanted, curves_of(results, journal, wanted))
        for wanted in results.plan.metrics
        if wanted.metric.curves
    ]
    times = [time_plot(results, wanted) for wanted in results.plan.metrics if _has_values(results, wanted)]
    for plot in (*curves, *times):
        write(output / "plots" / f"{plot.name}.png", plot.png)
        write(output / "plots" / f"{plot.name}.svg", plot.light)
    page = report(results, curves, times, examples_of(results, store), command)
    write(output / "report.html", page.encode())
    return [output / "report.html", output / "results.csv", output / "summary.csv"]


def _has_values(results: Results, wanted: Wanted) -> bool:
    return any(cell.mean is not None for cell in results.table[wanted.name])
