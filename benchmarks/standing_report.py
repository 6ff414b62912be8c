"""The page of benchmarks.standing: for each network what each method scores, and how SmoothDiff differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smoothserve.cli.evaluation.metric_list import Wanted, metric_list
from smoothserve.evaluation import mean, paired_difference

from .page import head, paragraph, table, text_of

Values = Mapping[str, Mapping[str, Mapping[str, float]]]  # method, photo, metric


def report(result: Mapping[str, Any]) -> str:
    """The page's text."""
    lines = [
        *head("Where SmoothDiff stands", "benchmarks.standing PHOTOS", "standing", dict(result)),
        *paragraph(
            "Means over photos, plus or minus the standard error; the best of each column in bold. An arrow "
            "says which way is better. `SmoothDiff()` is the default. LRP is zennit's EpsilonPlus, Grad-CAM "
            "is captum's, at the last feature map; both run in PyTorch, all others in ONNX Runtime."
        ),
    ]
    for network, values in result["values"].items():
        times = result["times"].get(network, {})
        metrics = _metrics(values)
        lines += [f"## {network}", "", *paragraph(_photos(values, metrics))]
        header = ("method", *(_title(each) for each in metrics), *(("ms",) if times else ()))
        lines += table(header, _rows(values, times, metrics))
        first = next(iter(values))
        lines += paragraph(
            f"`{first}` minus each other method on the same photos, with the 95 % interval of a paired "
            f"bootstrap; in bold where `{first}` is better, in italics where it is worse, if 0 is outside."
        )
        lines += table(("method", *(_title(each) for each in metrics)), _differences(values, metrics, first))
    return text_of(lines)


def _metrics(values: Values) -> list[Wanted]:
    """All that some photo has, in their order."""
    names = dict.fromkeys(name for photos in values.values() for each in photos.values() for name in each)
    return list(metric_list(",".join(names)))


def _photos(values: Values, metrics: list[Wanted]) -> str:
    first = next(iter(values))
    counts = {each.title: len(_of(values, first, each)) for each in metrics}
    most = max(counts.values())
    fewer = [f"{title.partition(',')[0].lower()} on {n} of them" for title, n in counts.items() if n < most]
    return f"{most} photos" + "".join(f"; {each}" for each in fewer) + "."


def _title(wanted: Wanted) -> str:
    return f"{wanted.title} {'↑' if wanted.metric.higher else '↓'}"


def _of(values: Values, method: str, wanted: Wanted) -> list[float]:
    return [each[wanted.name] for each in values[method].values() if wanted.name in each]


def _rows(values: Values, times: Mapping[str, float], metrics: list[Wanted]) -> list[list[str]]:
    means = {method: {each.name: mean(_of(values, method, each)) for each in metrics} for method in values}
    best = {
        each.name: (max if each.metric.higher else min)(means[method][each.name].value for method in values)
        for each in metrics
    }
    rows = []
    for method, own in means.items():
        cells = []
        for each in metrics:
            found = own[each.name]
            text = f"{found.value:.3f} ± {found.error:.3f}"
            cells.append(f"**{text}**" if found.value == best[each.name] else text)
        if times:
            ratio = times[method] / times["prediction"]
            cells.append(f"{times[method]:.0f} ({ratio:.1f} x)")
        rows.append([method, *cells])
    return rows


def _differences(values: Values, metrics: list[Wanted], first: str) -> list[list[str]]:
    rows = []
    for method in values:
        if method == first:
            continue
        cells = []
        for each in metrics:
            found = paired_difference(_of(values, first, each), _of(values, method, each))
            text = f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            sure = found.low > 0 or found.high < 0
            better = (found.value > 0) == each.metric.higher
            cells.append((f"**{text}**" if better else f"_{text}_") if sure else text)
        rows.append([method, *cells])
    return rows
