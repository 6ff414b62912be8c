"""smoothserve evaluate: methods, settings and metrics over a folder of photos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smoothserve.export import MissingDependencyError

from ..errors import UsageError
from ..folders import check_folder
from ..method_list import method_list
from ..model_or_files import (
    DEFAULT_METHODS,
    add_methods_option,
    add_named_model_options,
    files_and_names,
)
from ..models import HELP as MODEL_HELP
from ..packages import require_for
from ..photos import find_photos
from ..progress import note, step

if TYPE_CHECKING:
    from ..evaluation.metric_list import Wanted
    from ..evaluation.photos import Given
    from ..evaluation.subjects import Subject

NAME = "evaluate"
HELP = "measure how faithful several methods' heatmaps are, over a folder of photos"
DESCRIPTION = f"""\
Explain all photos of a folder with several methods, measure the heatmaps with several metrics, and
write tables (CSV, Parquet), plots and a report: one HTML page that reads like the results of a
paper. '--metrics help' says what each metric measures.

A run that was stopped, however that happened, goes on where it was: run the same command again.
A photo that cannot be read is reported and left out.

Without more, the class is explained that the network predicts; --truth says what photos really
show. Metrics that ask where the object is need masks beside the photos: cat.jpg, cat.mask.png;
what is not black is the object.

Heatmaps are computed in ONNX Runtime: the methods of a MODEL are exported into the folder of
results first. Or MODEL is several .onnx files from 'smoothserve export': then they are the methods.

{MODEL_HELP}"""
EXAMPLES = """\
examples:
  smoothserve evaluate --metrics help
  smoothserve evaluate efficientnet-lite0 photos/ -o results/
  smoothserve evaluate efficientnet-lite0 photos/ --methods gradient,smoothdiff --metrics srg,road -o results/
  smoothserve evaluate efficientnet-lite0 photos/ -o noise/ --metrics srg,srg:imputer=inpainted \\
    --methods smoothdiff:noise=2%,smoothdiff:noise=7%,smoothdiff:noise=15%
  smoothserve evaluate torchvision:resnet50 --weights resnet50.pth photos/ --truth labels.csv -o results/
  smoothserve evaluate smoothdiff.onnx gradient.onnx photos/ -o results/
"""


class _Metrics(argparse.Action):
    """Reads the list of metrics, or says which there are."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        try:
            _check_packages()
        except MissingDependencyError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        from ..evaluation.metric_list import metric_list, metrics_help

        if values in ("help", "list", []):
            print(metrics_help())
            parser.exit()
        try:
            setattr(namespace, self.dest, metric_list(values))
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="MODEL, or .onnx files; then the folder of photos"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR",
        help="the folder for results; one that a stopped run left is gone on with",
    )  # fmt: skip
    add_methods_option(parser)
    parser.add_argument(
        "--metrics", action=_Metrics, metavar="LIST",
        help="metrics with commas between, settings behind colons: srg,srg:imputer=histogram,road; 'help' "
        "says which there are (default: SRG with two imputers, insertion, deletion, ROAD, AUTVC, sparseness, "
        "complexity; with masks for all photos mass, rank and pointing game, too)",
    )  # fmt: skip
    parser.add_argument("--list", action=_Metrics, nargs=0, help="say which metrics there are")
    parser.add_argument(
        "--truth", metavar="folders|CSV",
        help="what photos show: 'folders' (a photo's folder is named like its class), or a table with the "
        "columns photo and class. Then that class is explained (default: the predicted one is)",
    )  # fmt: skip
    parser.add_argument(
        "--update", action="store_true",
        help="the folder holds results of other methods, metrics or photos: make its tables those of this "
        "command, and compute only what is not there yet",
    )  # fmt: skip
    add_named_model_options(parser)


def run(arguments: argparse.Namespace) -> int:
    _check_packages()
    from ..evaluation.plan import COMMAND, LISTED

    files, names = files_and_names(arguments)
    if len(names) != 1 or not Path(names[0]).is_dir():
        raise UsageError(
            f"Expected MODEL, or MODEL.onnx ..., then one folder of photos; given for the folder: "
            f"{' '.join(names) or 'nothing'}."
        )
    check_folder(arguments.output, COMMAND, LISTED)
    from ..evaluation.journal import Journal
    from ..evaluation.measuring import Measuring
    from ..evaluation.photos import given_photos
    from ..evaluation.plan import Plan, begin, claim, shown
    from ..evaluation.results import results_of
    from ..evaluation.store import Store
    from ..evaluation.tables import terminal_table
    from ..evaluation.truth import class_names
    from ..evaluation.writing import write_results

    folder = Path(names[0])
    photos = given_photos(find_photos([str(folder)]))
    classes = class_names(arguments.truth, folder, photos) if arguments.truth else None
    metrics = _metrics(arguments, photos)
    early = {} if files else shown(photos, classes)  # exporting a model takes minutes
    claim(arguments.output, early, arguments.update)
    with Journal(arguments.output / "journal.jsonl") as journal:
        subjects = _subjects(arguments, files, metrics)
        metrics = _possible(subjects, metrics, arguments.metrics is not None)
        plan = Plan(tuple(subjects), metrics, tuple(photos), None if classes is None else tuple(classes))
        begin(plan, arguments.output, arguments.update)
        store = Store(arguments.output)
        try:
            left_out = Measuring(plan, journal, store).run()
        except KeyboardInterrupt:
            note("what is measured is kept; the same command goes on from here")
            raise
        if len(left_out) == len(photos):
            raise UsageError(f"None of the {len(photos)} photos can be read.")
        results = results_of(plan, journal, left_out)
        with step(f"writing {arguments.output}"):
            made = write_results(results, journal, store, arguments.output, " ".join(sys.argv[1:]))
    for problem in results.problems:
        note(problem)
    if left_out:
        note(f"{len(left_out)} of {len(photos)} photos are left out")
    print(terminal_table(results), *made, sep="\n")
    return 1 if left_out else 0


def _check_packages() -> None:
    """Raise MissingDependencyError unless those of two extras are installed."""
    require_for("evaluating", "cpu", "onnxruntime")
    require_for("evaluating", "evaluation", "scipy", "skimage", "pyarrow", "matplotlib")


def _metrics(arguments: argparse.Namespace, photos: Sequence[Given]) -> tuple[Wanted, ...]:
    """Those that are asked for, or the usual ones.

    Raises:
        UsageError: one needs masks, and there is none.
    """
    from ..evaluation.metric_list import metric_list
    from ..evaluation.metrics import DEFAULT, WITH_MASKS

    masks = sum(photo.mask is not None for photo in photos)
    if arguments.metrics is None:
        return metric_list(f"{DEFAULT},{WITH_MASKS}" if masks == len(photos) else DEFAULT)
    needing = [wanted.name for wanted in arguments.metrics if "mask" in wanted.metric.needs]
    if needing and not masks:
        raise UsageError(
            f"{', '.join(needing)}: needs masks, but there is none. Put them beside the photos, as pictures "
            f"of their size that are black where the object is not: {photos[0].photo.path.stem}.mask.png."
        )
    if needing and masks < len(photos):
        note(f"{', '.join(needing)}: measured on the {masks} of {len(photos)} photos that have masks")
    found: tuple[Wanted, ...] = arguments.metrics
    return found


def _subjects(
    arguments: argparse.Namespace, files: Sequence[Path], metrics: Sequence[Wanted]
) -> list[Subject]:
    """The files, or the methods of the model that is named.

    Raises:
        UsageError: files are given, but a metric needs more samples than they draw.
    """
    from ..evaluation.exported import exported_subjects
    from ..evaluation.subjects import subjects_of

    references = [wanted for wanted in metrics if "reference" in wanted.metric.needs]
    if files and references:
        raise UsageError(
            f"{references[0].name} compares a method with itself at more samples, which a file cannot draw. "
            "Name the MODEL in place of the files, or leave the metric out."
        )
    if files:
        return subjects_of(files)
    samples = {int(wanted.settings["samples"]) for wanted in references}
    options = arguments.methods or method_list(DEFAULT_METHODS)
    return exported_subjects(arguments, options, samples, arguments.output / "models")


def _possible(subjects: Sequence[Subject], metrics: tuple[Wanted, ...], asked: bool) -> tuple[Wanted, ...]:
    """Metrics that the networks' outputs allow.

    Raises:
        UsageError: one that was asked for is not among them.
    """
    if all(subject.column.card.outputs in ("exclusive", "probabilities") for subject in subjects):
        return metrics
    kept = tuple(wanted for wanted in metrics if "probability" not in wanted.metric.needs)
    gone = ", ".join(wanted.name for wanted in metrics if wanted not in kept)
    why = f"{gone}: needs probabilities of exclusive classes, which this network does not give"
    if gone and asked:
        raise UsageError(f"{why}. Leave it out.")
    note(f"{why}; left out")
    return kept
