"""Checkpoints as they are found: wrapped, averaged, prefixed, of another head."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from smoothserve.cli.errors import UsageError
from smoothserve.cli.weights import fit_weights
from torch import Tensor, nn

from .first_hour import Net

State = dict[str, Tensor]


def trained() -> State:
    """Weights that a new network does not have."""
    return {name: value + 1 for name, value in Net().state_dict().items()}


def older() -> State:
    return {name: value + 7 for name, value in Net().state_dict().items()}


def prefixed(prefix: str) -> State:
    return {prefix + name: value for name, value in trained().items()}


# what torch.save wrote, and what is said
FOUND: dict[str, tuple[Callable[[], Any], str]] = {
    "plain": (trained, ""),
    "before-batches-were-counted": (
        lambda: {name: value for name, value in trained().items() if "num_batches" not in name}, "",
    ),
    "half": (lambda: {name: value.half() for name, value in trained().items()}, ""),
    "bfloat16": (lambda: {name: value.bfloat16() for name, value in trained().items()}, ""),
    "state_dict": (lambda: {"state_dict": trained(), "epoch": 3}, "weights taken from ['state_dict']."),
    "tutorial": (
        lambda: {"epoch": 3, "model_state_dict": trained(), "optimizer_state_dict": {"state": {0: {}}}},
        "weights taken from ['model_state_dict'].",
    ),
    "torchvision-references": (
        lambda: {
            "model": older(),
            "model_ema": {"n_averaged": torch.tensor(5), **prefixed("module.")},
            "args": argparse.Namespace(lr=0.1),
        },
        "weights taken from ['model_ema'], not from ['model']; 'module.' removed from the names; "
        "left out n_averaged, which do not begin so.",
    ),
    "timm": (
        lambda: {"arch": "net", "state_dict": older(), "state_dict_ema": trained()},
        "weights taken from ['state_dict_ema'], not from ['state_dict'].",
    ),
    "nested": (lambda: {"model": {"state_dict": trained()}}, "weights taken from ['model']['state_dict']."),
    "module": (lambda: prefixed("module."), "'module.' removed from the names."),
    "lightning": (
        lambda: {"state_dict": {**prefixed("model."), "loss.weight": torch.ones(3)}},
        "weights taken from ['state_dict']; 'model.' removed from the names; left out loss.weight, ",
    ),
    "net": (lambda: prefixed("net."), "'net.' removed"),
    "backbone": (lambda: prefixed("backbone."), "'backbone.' removed"),
    "compiled": (lambda: prefixed("_orig_mod."), "'_orig_mod.' taken out of the names."),
    "combined": (
        lambda: prefixed("module._orig_mod.model.backbone."),
        "'_orig_mod.' taken out of the names; 'module.model.backbone.' removed from the names.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_weights_are_found(name: str, tmp_path: Path) -> None:
    made, words = FOUND[name]
    path = tmp_path / "w.pth"
    torch.save(made(), path)
    network = Net()
    notes = fit_weights(network, path)
    assert words in " ".join(notes)
    assert bool(notes) == bool(words)
    for key, value in network.named_parameters():
        torch.testing.assert_close(value, trained()[key], rtol=1e-2, atol=1e-2)


def test_names_get_a_prefix_where_the_model_has_one(tmp_path: Path) -> None:
    torch.save(trained(), tmp_path / "w.pth")
    wrapped = nn.Sequential(Net())
    assert fit_weights(wrapped, tmp_path / "w.pth")[0].endswith("w.pth: '0.' put before the names.")
    assert torch.equal(wrapped[0].conv.bias, trained()["conv.bias"])  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("made", "head", "words"),
    [
        (lambda: Net(2).state_dict(), "--classes",
         "head.weight is [2, 4] in the file and [3, 4] in the model, head.bias is [2] in the file and [3] "
         "in the model. The file's head has 2 classes; give --classes 2."),
        (lambda: Net(1).state_dict(), "nets.py:build",
         "The file's head has 1 class; let nets.py:build make such a head."),
        (lambda: {k: v for k, v in trained().items() if k != "head.bias"}, "",
         "the file lacks head.bias. Is it"),
        (lambda: {**trained(), **{f"extra.{i}": torch.ones(1) for i in range(5)}}, "",
         "the model has no extra.0, extra.1, extra.2 and 2 more. Is it another architecture"),
        (lambda: {"a.weight": torch.ones(1)}, "",
         "the file lacks conv.weight, conv.bias, norm.weight and 5 more, and the model has no a.weight."),
        (lambda: {**trained(), "conv.weight": torch.ones(4, 3, 5, 5)}, "--classes",
         "conv.weight is [4, 3, 5, 5] in the file and [4, 3, 3, 3] in the model. Is it another size"),
        (lambda: {("top." if "head" in k else "trunk.") + k: v for k, v in trained().items()}, "",
         "Is it another architecture, or another size of it? ('trunk.' removed from the names; left out "),
        (lambda: {"epoch": 3}, "", "holds no state dict"),
        (lambda: [torch.ones(3)], "", "holds list, expected a state dict"),
        (Net, "", "it holds a whole model, or other objects"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit(made: Callable[[], Any], head: str, words: str, tmp_path: Path) -> None:
    torch.save(made(), tmp_path / "w.pth")
    network = Net()
    with pytest.raises(UsageError) as caught:
        fit_weights(network, tmp_path / "w.pth", head)
    assert words in str(caught.value)
    assert torch.equal(network.conv.bias, Net().conv.bias)  # type: ignore[arg-type]


def test_positions_of_another_size(tmp_path: Path) -> None:
    import timm

    torch.save(timm.create_model("test_vit", img_size=96).state_dict(), tmp_path / "w.pth")
    with pytest.raises(UsageError, match=r"pos_embed is .*another size of images: give that with --size"):
        fit_weights(timm.create_model("test_vit"), tmp_path / "w.pth", "--classes")


def test_a_torchscript_file_as_weights(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(Net().eval()), tmp_path / "w.pt")
    with pytest.raises(UsageError, match="is a TorchScript file; give a state dict"):
        fit_weights(Net(), tmp_path / "w.pt")
