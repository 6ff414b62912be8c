"""smoothserve tune: which noise and how many samples suit a network."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..arguments import positive, share
from ..errors import UsageError
from ..files import write
from ..model_or_files import add_named_model_options
from ..models import HELP as MODEL_HELP
from ..noise import Share, noise
from ..packages import require_for
from ..photos import find_photos
from ..progress import note
from ..rewriting import captured_program, loaded_model

_METHODS = ("smoothdiff", "smoothgrad", "smoothtaylor")
# Fewer than the paper's, which take an hour and more on two cores; and a first look.
_DEFAULTS = {"patches": 4, "tries": 6, "reference": 64}
_QUICK = {"patches": 2, "tries": 2, "reference": 32}
_QUICK_COUNTS = 2

NAME = "tune"
HELP = "find the noise and the number of samples that suit a network"
DESCRIPTION = f"""\
Ask the network, on your photos, which --noise and how many --samples to export with.

First adaptive noising (SmoothTaylor, Goh et al. 2021) looks for the level at which heatmaps score
best, for each photo. Then a sweep draws quality over cost: levels of noise x numbers of samples,
with the score, the similarity to a converged heatmap of the same noise, how much of the class's
probability noisy photos keep, network evaluations and time. A table, a plot (tune.png) and all
figures (tune.json) come out, and the export command, which is the last line on stdout. A photo
that cannot be read is reported and left out.

The score is AUPC, the logit while the most important patches become noise, or AUTVC, how noisy the
heatmap is; smaller is better in both. Only AUPC asks the network whether a heatmap is true.

{MODEL_HELP}"""
EXAMPLES = """\
examples:
  smoothserve tune efficientnet-lite0 photos/
  smoothserve tune efficientnet-lite0 photos/ --quick
  smoothserve tune efficientnet-lite0 photos/ --method smoothgrad --samples 8,16,32,64,128
  smoothserve tune efficientnet-lite0 photos/ --search none --noise 2%,5%,10%,20%
  smoothserve tune efficientnet-lite0 photos/ --method smoothtaylor --patches 50 --tries 20
  smoothserve tune torchvision:resnet50 --weights resnet50.pth photos/ --objective autvc
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="see above")
    parser.add_argument("photos", nargs="+", metavar="FOLDER", help="folders of photos, photos, or patterns")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("tuned"), metavar="DIR",
        help="folder of tune.json and tune.png (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--method", type=str.lower, choices=_METHODS, default="smoothdiff", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--estimator", choices=("propagated", "gaussian", "count"),
        help="of SmoothDiff (default: what suits the network, as export without --samples)",
    )  # fmt: skip
    parser.add_argument(
        "--objective", choices=("aupc", "autvc"), default="aupc", help="the score (default: %(default)s)"
    )
    parser.add_argument(
        "--quick", action="store_true",
        help="fewer steps, samples and patches: a first look",
    )  # fmt: skip
    search = parser.add_argument_group("the search")
    search.add_argument(
        "--search", choices=("photo", "folder", "none"), default="photo",
        help="a level for each photo, of which the median is swept; one for the mean score of all; or no "
        "search (default: %(default)s)",
    )  # fmt: skip
    search.add_argument(
        "--start", type=noise, metavar="NOISE",
        help="first level (default, as published: the mean of the photo's absolute input values)",
    )  # fmt: skip
    search.add_argument(
        "--tries", type=positive, metavar="N",
        help=f"steps at most, of one or two levels each; 20 in the paper (default: {_DEFAULTS['tries']})",
    )  # fmt: skip
    search.add_argument(
        "--patches", type=positive, metavar="N",
        help="of AUPC: random patches in the place of each region; 50 in the paper (default: "
        f"{_DEFAULTS['patches']})",
    )  # fmt: skip
    sweep = parser.add_argument_group("the sweep")
    sweep.add_argument(
        "--noise", type=_levels, metavar="LIST",
        help="levels, such as 5%%,10%%,20%% (default: the one that was found, half of it, and export's "
        "default)",
    )  # fmt: skip
    sweep.add_argument(
        "--samples", type=_counts, metavar="LIST",
        help="numbers of samples, such as 8,16,32 (default: by the method)",
    )  # fmt: skip
    sweep.add_argument(
        "--reference", type=positive, metavar="N",
        help=f"samples of the converged heatmap (default: {_DEFAULTS['reference']})",
    )  # fmt: skip
    sweep.add_argument(
        "--within", type=share, default=0.1, metavar="SHARE",
        help="the fewest samples are recommended whose similarity to the converged heatmap falls short of "
        "the best by at most this share (default: %(default)s)",
    )  # fmt: skip
    add_named_model_options(parser)


def run(arguments: argparse.Namespace) -> int:
    require_for("tuning", "evaluation", "scipy", "skimage", "matplotlib")
    from ..tuning.choice import chosen
    from ..tuning.drawing import plot
    from ..tuning.explaining import Scaled
    from ..tuning.scoring import Judge
    from ..tuning.search import found
    from ..tuning.settings import Tuned, fixed_parameters
    from ..tuning.subjects import check_input, read_subjects
    from ..tuning.sweep import swept
    from ..tuning.words import as_json, export_command, files, of_choice, of_search, table

    _settle(arguments)
    photos = find_photos(arguments.photos)
    model, answer = loaded_model(arguments)
    model = replace(model, classifier=Scaled(model.classifier).eval())
    pre = model.preprocessing
    check_input(pre, arguments.objective)
    program = captured_program(arguments, model, answer)
    tuned = Tuned(arguments.method, pre, fixed_parameters(arguments.method, arguments.estimator, program))
    counts = _counts_of(arguments, tuned)
    judge = Judge(program, arguments.objective, pre.mean, pre.std, arguments.patches)
    subjects, left_out = read_subjects(photos, pre, judge.predict)
    search = None
    if arguments.search != "none":
        start = None if arguments.start is None else tuned.std(arguments.start)
        together = arguments.search == "folder"
        middle = counts[len(counts) // 2]
        search = found(tuned, judge, subjects, middle, arguments.tries, together, start)
        for line in of_search(search, tuned):
            note(line)
    levels = _levels_of(arguments, tuned, None if search is None else search.median)
    cells = swept(tuned, judge, subjects, levels, counts, arguments.reference)
    choice = chosen(cells, tuned.default, arguments.within)
    command = export_command(arguments, arguments.model_flags, tuned, choice)
    figures, picture = files(arguments.output)
    title = f"{model.name}, {tuned.name}, {len(subjects)} photo{'s' if len(subjects) > 1 else ''}"
    facts = as_json(arguments, tuned, subjects, left_out, search, cells, choice, command)
    write(figures, (json.dumps(facts, indent=1) + "\n").encode())
    write(picture, plot(title, arguments.objective, tuned, search, cells, choice))
    print(table(cells, choice, arguments.objective))
    for line in of_choice(choice, tuned, arguments.within):
        note(line)
    if left_out:
        note(f"{len(left_out)} of {len(photos)} photos are left out")
    print(figures)
    print(picture)
    print(command)
    return 1 if left_out else 0


def _settle(arguments: argparse.Namespace) -> None:
    """Give what was left out its value, and refuse what would be ignored.

    Raises:
        UsageError: options that do not go together.
    """
    if arguments.estimator and arguments.method != "smoothdiff":
        raise UsageError(f"--estimator is SmoothDiff's; leave it out, or --method {arguments.method}.")
    if arguments.search == "none" and arguments.noise is None:
        raise UsageError("Without a search give the levels to sweep, such as --noise 5%,10%,20%.")
    if arguments.search == "none" and arguments.start is not None:
        raise UsageError("--start is the search's first level, and --search none leaves it out.")
    for name, value in (_QUICK if arguments.quick else _DEFAULTS).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def _counts_of(arguments: argparse.Namespace, tuned: Any) -> tuple[int, ...]:
    """Numbers of samples to sweep, rising.

    Raises:
        MethodError: one that the method cannot have.
    """
    counts: tuple[int, ...] = arguments.samples or tuned.counts
    if arguments.quick and arguments.samples is None:
        counts = counts[:_QUICK_COUNTS]
    for count in counts:
        tuned.method(count, 0.1)
    return counts


def _levels_of(arguments: argparse.Namespace, tuned: Any, found: float | None) -> list[Any]:
    """Levels to sweep, rising, each once."""
    if arguments.noise is not None:
        levels = [tuned.written(text) for text in arguments.noise]
    else:
        assert found is not None
        levels = [tuned.level(found), tuned.level(found / 2), tuned.default]
    return sorted({level.std: level for level in levels}.values(), key=lambda level: float(level.std))


def _levels(text: str) -> tuple[str, ...]:
    """An argparse type: levels of noise with commas between."""
    parts = tuple(part.strip() for part in text.split(","))
    for part in parts:
        given = noise(part)
        if (given.value if isinstance(given, Share) else given) == 0:
            raise argparse.ArgumentTypeError(f"{part!r}, expected more than no noise")
    return parts


def _counts(text: str) -> tuple[int, ...]:
    """An argparse type: numbers of samples with commas between, in rising order."""
    return tuple(sorted({positive(part.strip()) for part in text.split(",")}))
