"""A model that is named: each of its methods becomes a file in the results, once, and runs from there."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

from smoothserve.explainers import IntegratedGradients, Method, Program, SmoothDiff, SmoothGrad, SmoothTaylor
from smoothserve.export import to_onnx

from ..columns import of_files
from ..errors import UsageError
from ..method_options import MethodOptions
from ..progress import step
from ..rewriting import Captured, captured_with, rewritten_model
from ..versions import versions
from . import keys
from .subjects import Subject, check_repeatable, network_of


def exported_subjects(
    arguments: argparse.Namespace, options: Sequence[MethodOptions], samples: Collection[int], folder: Path
) -> list[Subject]:
    """A subject for each method of the model that the options name.

    Args:
        arguments: of the command, which name the model.
        options: the methods.
        samples: for how many a reference is wanted, of each method that has samples.
        folder: for the files; what is there already is not made again.

    Raises:
        UsageError: the model cannot be loaded, a method is there twice or draws other noise each time.
    """
    captured = captured_with(arguments, options)
    methods = [method.for_program(captured.program) for method in captured.methods]
    if len({str(method.describe()) for method in methods}) < len(methods):
        raise UsageError("Two of --methods are the same method with the same settings; give each once.")
    network = _key_of_program(captured.program)
    _tidy(folder)
    references = {}
    for method in methods:
        wanted = {count: _converged(method, count) for count in samples}
        references[method] = {count: found for count, found in wanted.items() if found is not None}
    everything = dict.fromkeys(
        [*methods, *(each for known in references.values() for each in known.values())]
    )
    files = {method: _file(captured, method, network, folder) for method in everything}
    lent = files[methods[0]]
    columns = dict(zip(methods, of_files([files[method] for method in methods], named=False), strict=True))
    columns |= {each: of_files([files[each]], named=False)[0] for each in files if each not in columns}
    predict = network_of(lent, columns[methods[0]].card)
    subjects = {each: Subject(column, files[each].stem, network, predict) for each, column in columns.items()}
    check_repeatable(list(subjects.values()))
    return [
        replace(
            subjects[method],
            references={count: subjects[found] for count, found in references[method].items()},
        )
        for method in methods
    ]


def _file(captured: Captured, method: Method, network: str, folder: Path) -> Path:
    """The method's, named by everything that determines it."""
    model, program, _, images = captured
    calibrated = None if images is None or not method.calibrates else images.numpy().tobytes()
    key = keys.digest(
        {
            "network": network,
            "method": method.describe(),
            "preprocessing": repr(model.preprocessing),
            "images": None if calibrated is None else keys.of_bytes(calibrated),
            "code": [keys.of_code(f"smoothserve.{name}") for name in ("explainers", "export")],
            "versions": versions("torch", "onnx", "onnxscript"),
        }
    )
    path = folder / f"{type(method).__name__.lower()}-{key}.onnx"
    if not path.is_file():
        explained = rewritten_model(model, program, method, images)
        with step(f"writing {path}") as progress:
            to_onnx(
                explained, path, preprocessing=model.preprocessing, labels=model.labels, name=model.name,
                fast=True, progress=progress,
            )  # fmt: skip
    return path


def _converged(method: Method, samples: int) -> Method | None:
    """The method with so many samples or steps; None: it has none.

    SmoothDiff estimates what SmoothGrad converges to, so that is its reference.
    """
    if isinstance(method, SmoothDiff):
        shared = {each.name: getattr(method, each.name) for each in fields(method)}
        return SmoothGrad(samples, shared["std"], 0, relative=shared["relative"])
    if isinstance(method, (SmoothGrad, SmoothTaylor)):
        return replace(method, samples=samples)
    return replace(method, steps=samples) if isinstance(method, IntegratedGradients) else None


def _key_of_program(program: Program) -> str:
    """Of the network's operations and weights."""
    found = sha256(f"{program.graph} {program.scores} {program.image_shape}".encode())
    for node, weight in program.weights.items():
        found.update(f"{node} {weight.dtype} {tuple(weight.shape)}".encode())
        found.update(weight.detach().contiguous().cpu().numpy().tobytes())
    return keys.of_bytes(found.digest())


def _tidy(folder: Path) -> None:
    """Remove what an export left that was killed."""
    for left in folder.glob(".*.onnx.*") if folder.is_dir() else ():
        if left.is_dir() and re.fullmatch(r"\..+\.onnx\.\w+", left.name):
            shutil.rmtree(left, ignore_errors=True)
