"""State dicts as checkpoints hold them: wrapped, averaged, with prefixes; matched with a model's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

_DEPTH = 3  # of dicts in dicts that are searched
_COMPILED = "_orig_mod."  # torch.compile puts it into names, at every level that was compiled
_COUNTER = ".num_batches_tracked"  # of BatchNorm; old files lack it, and PyTorch does without
_SHOWN = 3  # names and shapes in an error
_POSITIONS = ("pos_embed", "position_embedding", "pos_embedding", "relative_position")


@dataclass(frozen=True)
class Fit:
    """A state dict under the model's names.

    Attributes:
        tensors: name in the model, if it has one there -> tensor.
        done: what was done to get there, in words.
        matching: how many of the model's names are in it.
    """

    tensors: dict[str, Tensor]
    done: tuple[str, ...]
    matching: int


def state_dicts(content: Mapping[str, Any]) -> dict[tuple[str, ...], dict[str, Tensor]]:
    """The dicts of tensors in a checkpoint, by the keys that lead to each."""
    found: dict[tuple[str, ...], dict[str, Tensor]] = {}

    def search(value: Mapping[Any, Any], keys: tuple[str, ...]) -> None:
        tensors = {
            name: item for name, item in value.items() if isinstance(item, Tensor) and isinstance(name, str)
        }
        if tensors:
            found[keys] = tensors
        if len(keys) < _DEPTH:
            for name, item in value.items():
                if isinstance(item, Mapping):
                    search(item, (*keys, str(name)))

    search(content, ())
    return found


def best_fit(found: Mapping[tuple[str, ...], dict[str, Tensor]], wanted: Mapping[str, Tensor]) -> Fit:
    """The state dict with most of the model's names; of equals, averaged (EMA) weights, then the first."""
    fits = {keys: _fit(tensors, wanted) for keys, tensors in found.items()}
    order = sorted(
        fits, key=lambda keys: (fits[keys].matching, _averaged(keys), len(found[keys])), reverse=True
    )
    best = fits[order[0]]
    if not order[0]:
        return best
    taken = f"weights taken from {_path(order[0])}"
    equals = [keys for keys in order[1:] if keys and fits[keys].matching == best.matching]
    if equals:
        taken += f", not from {' or '.join(map(_path, equals))}"
    return Fit(best.tensors, (taken, *best.done), best.matching)


def mismatch(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], head: str) -> str | None:
    """Why the tensors cannot be loaded into a model with those names and shapes; None if they can.

    Args:
        given, wanted: tensors by name, of the file and of the model.
        head: the flag, or the function, that changes the number of classes.
    """
    missing = [name for name in wanted if name not in given and not name.endswith(_COUNTER)]
    unknown = [name for name in given if name not in wanted]
    if missing or unknown:
        parts = [f"the file lacks {_some(missing)}"] if missing else []
        parts += [f"the model has no {_some(unknown)}"] if unknown else []
        return f"{', and '.join(parts)}. Is it another architecture, or another size of it?"
    other = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    if not other:
        return None
    shapes = [
        f"{name} is {list(given[name].shape)} in the file and {list(wanted[name].shape)} in the model"
        for name in other[:_SHOWN]
    ]
    more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
    return f"{', '.join(shapes)}{more}. {_remedy(given, wanted, other, head)}"


def _fit(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Fit:
    """The same tensors, their names matched with the model's."""
    done = []
    if any(_COMPILED in name for name in tensors) and not any(_COMPILED in name for name in wanted):
        tensors = {name.replace(_COMPILED, ""): value for name, value in tensors.items()}
        done.append(f"'{_COMPILED}' taken out of the names")
    prefix = _prefix(tensors, wanted)
    if prefix:
        kept = {name.removeprefix(prefix): v for name, v in tensors.items() if name.startswith(prefix)}
        left = [name for name in tensors if not name.startswith(prefix)]
        done.append(f"'{prefix}' removed from the names")
        if left:
            done.append(f"left out {_some(left)}, which do not begin so")
        tensors = kept
    elif added := _prefix(wanted, tensors):
        tensors = {added + name: value for name, value in tensors.items()}
        done.append(f"'{added}' put before the names")
    return Fit(dict(tensors), tuple(done), sum(name in wanted for name in tensors))


def _prefix(long: Iterable[str], short: Mapping[str, Tensor]) -> str:
    """What stands before most of those names in ``long`` that end as a name in ``short``; often nothing."""
    count: Counter[str] = Counter()
    for name in long:
        parts = name.split(".")
        for index in range(len(parts)):
            if ".".join(parts[index:]) in short:
                count["".join(f"{part}." for part in parts[:index])] += 1
    # the shortest of equals: nothing, if the names fit as they are
    return min(count, key=lambda prefix: (-count[prefix], len(prefix)), default="")


def _remedy(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], other: list[str], head: str) -> str:
    """Which flag would help."""
    classes = {given[name].shape[0] for name in other if given[name].ndim}
    heads = all(given[name].shape[1:] == wanted[name].shape[1:] for name in other)
    if heads and len(classes) == 1 and head:
        (count,) = classes
        many = f"{count} class{'es' if count > 1 else ''}"
        remedy = f"give {head} {count}" if head.startswith("--") else f"let {head} make such a head"
        return f"The file's head has {many}; {remedy}."
    if any(part in name for name in other for part in _POSITIONS):
        return "It was trained for another size of images: give that with --size."
    return "Is it another size of the architecture?"


def _averaged(keys: tuple[str, ...]) -> bool:
    return any("ema" in key.lower().replace("-", "_").split("_") for key in keys)


def _path(keys: tuple[str, ...]) -> str:
    return "".join(f"[{key!r}]" for key in keys)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
