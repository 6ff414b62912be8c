"""What cannot be explained is refused with its cause and a remedy."""

from __future__ import annotations

import inspect
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from smoothserve.explainers import (
    BatchError,
    CaptureError,
    DifferentiationError,
    Gradient,
    InputError,
    OutputError,
    SmoothDiff,
    TrainingModeError,
    explain,
)
from smoothserve.explainers.graph.source import is_users
from torch import Tensor, nn

from tests import networks

IMAGE = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A convolution and a head, then whatever ``twist`` makes of the features."""

    def __init__(self, twist) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 5)
        self.twist = twist

    def forward(self, x: Tensor) -> Tensor:
        return self.twist(self, self.conv(x).relu().mean((2, 3)))


def refuse(
    model: nn.Module, error: type[Exception], *words: str, image: Tensor = IMAGE, **options: object
) -> None:
    with pytest.raises(error) as caught:
        explain(model, image, Gradient(), **options)  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)


def test_training_mode() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    refuse(model.train(), TrainingModeError, "BatchNorm2d at '1'", "model.eval()")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_script_module() -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(432, 5)).eval()
    refuse(torch.jit.trace(plain, IMAGE), CaptureError, "ScriptModule", "torch.nn.Module")


def test_functional_dropout_that_stays_on() -> None:
    model = Net(lambda self, z: self.head(F.dropout(z, 0.5))).eval()
    refuse(model, TrainingModeError, "dropout", "test_capture.py", "training=self.training")


def test_control_flow_on_values() -> None:
    model = Net(lambda self, z: self.head(z) if z.sum() > 0 else -self.head(z)).eval()
    refuse(model, CaptureError, "control flow", "torch.where")


def test_one_image_treated_unlike_several() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(48, 4)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.head(x.flatten(1))
            return logits.flip(1) if x.shape[0] == 1 else logits

    with pytest.raises(BatchError, match="For one image alone"):
        explain(Net().eval(), torch.randn(2, 3, 4, 4), Gradient())


def test_a_fixed_batch_size() -> None:
    model = Net(lambda self, z: self.head(z) * torch.ones(len(z), 1)).eval()
    refuse(model, CaptureError, "fixes the batch size")


def test_images_that_mix() -> None:
    def normalised(self: Net, z: Tensor) -> Tensor:
        return self.head(F.softmax(z, dim=0))

    def average(self: Net, z: Tensor) -> Tensor:
        return self.head(z - z.mean(0, keepdim=True))

    refuse(Net(normalised).eval(), BatchError, "softmax", "neighbour", "test_capture.py")
    refuse(Net(average).eval(), BatchError, "mean", "not independent", "test_capture.py")


def test_features_that_lose_their_batch_axis_for_one_image() -> None:
    def squeezed(self: Net, z: Tensor) -> Tensor:
        return self.head(z[:, :, None, None].squeeze())

    refuse(Net(squeezed).eval(), BatchError, "squeeze", "[4] for one image", "test_capture.py")


def test_complex_numbers() -> None:
    def mixed(self: Net, z: Tensor) -> Tensor:
        return self.head(z + torch.fft.fft(z).real)

    refuse(Net(mixed).eval(), CaptureError, "fft", "complex", "test_capture.py")


def test_random_numbers() -> None:
    def shaken(self: Net, z: Tensor) -> Tensor:
        return self.head(z * torch.rand(4))

    def gumbel(self: Net, z: Tensor) -> Tensor:
        return self.head(F.gumbel_softmax(z))

    refuse(Net(shaken).eval(), TrainingModeError, "rand", "test_capture.py")
    refuse(Net(gumbel).eval(), TrainingModeError, "exponential", "test_capture.py")


def test_outputs() -> None:
    class Named(NamedTuple):
        logits: Tensor
        aux: Tensor

    def pair(self: Net, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(z), z

    def named(self: Net, z: Tensor) -> Named:
        return Named(self.head(z), z)

    def mapping(self: Net, z: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(z), "features": z}

    refuse(Net(pair).eval(), OutputError, "tuple of 2", "output=0")
    refuse(Net(named).eval(), OutputError, "logits, aux")
    refuse(Net(mapping).eval(), OutputError, "'logits', 'features'")
    refuse(Net(pair).eval(), OutputError, "no output 7", output=7)
    refuse(Net(lambda self, z: self.head(z)).eval(), OutputError, "single tensor", output=0)
    for twist, output in ((pair, 0), (named, "logits"), (named, 0), (mapping, "logits")):
        out = explain(Net(twist).eval(), IMAGE, Gradient(), output=output)(IMAGE)
        assert out.logits.shape == (2, 5)


def test_googlenet_with_its_auxiliary_heads() -> None:
    from torchvision import models

    model = models.googlenet(weights=None, init_weights=False, aux_logits=True).eval()
    image = torch.randn(1, 3, 64, 64)
    out = explain(model, image, Gradient())(image)
    torch.testing.assert_close(out.logits, model(image).detach(), rtol=1e-3, atol=1e-4)


def test_not_logits() -> None:
    refuse(Net(lambda self, z: z[0]).eval(), OutputError, "[4]", "expected logits")
    refuse(Net(lambda self, z: self.head(z).argmax(1, keepdim=True)).eval(), OutputError, "int64", "argmax")
    refuse(nn.Conv2d(3, 4, 3).eval(), OutputError, "[2, 4, 10, 10]")


def test_no_derivative() -> None:
    for stop, name in ((Tensor.detach, "detach"), (torch.round, "round"), (torch.sign, "sign")):
        refuse(Net(lambda self, z, s=stop: self.head(s(z))).eval(), DifferentiationError, f"aten.{name}")


def test_errors_name_the_line_that_called_the_operation() -> None:
    """Not the line of ``forward`` that called the function."""

    def coarse(z: Tensor) -> Tensor:
        scaled = 4 * z
        return scaled.floor()  # the line

    def centred(z: Tensor) -> Tensor:
        return F.normalize(z) - z.mean(0, keepdim=True)  # the other line

    def leaves(z: Tensor) -> Tensor:
        return torch.from_numpy(z.numpy())

    refuse(Net(lambda self, z: self.head(coarse(z))).eval(), DifferentiationError, "floor", "# the line")
    refuse(Net(lambda self, z: self.head(centred(z))).eval(), BatchError, "in centred:", "# the other line")
    line = leaves.__code__.co_firstlineno + 1
    refuse(Net(lambda self, z: self.head(leaves(z))).eval(), CaptureError, f"test_capture.py:{line})")


def test_errors_name_lines_of_model_libraries() -> None:
    """torchvision lies beside torch, in a folder whose name begins alike."""
    from torchvision.ops import MLP

    assert is_users(inspect.getfile(MLP))
    assert not is_users(inspect.getfile(nn.Linear))


def test_wrong_images() -> None:
    model = networks.tiny("shared-relu", torch.float32)
    refuse(model, InputError, "[3, 12, 12]", "unsqueeze", image=IMAGE[0])
    refuse(model, InputError, "int64", image=IMAGE.long())
    explained = explain(model, IMAGE, Gradient())
    for image, target, word in (
        (torch.zeros(1, 3, 13, 12), None, "[1, 3, 13, 12]"),
        (IMAGE.double(), None, "float64"),
        (IMAGE, torch.tensor([0]), "[2]"),
        (IMAGE, torch.tensor([0, 5]), "class 5"),
        (IMAGE, torch.tensor([0.0, 1.0]), "int64"),
    ):
        with pytest.raises(InputError) as caught:
            explained(image, target)
        assert word in str(caught.value)


def test_the_classifier_is_left_as_it_was() -> None:
    model = networks.tiny("squeeze-excite", torch.float32)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    explain(model, IMAGE, SmoothDiff(2))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_model_has_no_autograd_and_can_be_exported_again() -> None:
    explained = explain(networks.tiny("pool-ties", torch.float32), IMAGE, SmoothDiff(2))
    leaf = IMAGE.clone().requires_grad_()
    assert not explained(leaf).attribution.requires_grad
    batch = torch.export.Dim.DYNAMIC
    target = torch.tensor([-1, 2])
    program = torch.export.export(explained, (IMAGE, target), dynamic_shapes=({0: batch}, {0: batch}))
    again = program.module()(IMAGE[:1], target[:1])
    torch.testing.assert_close(again[2], explained(IMAGE[:1], target[:1]).attribution)


def test_moving_to_another_device_moves_every_operation() -> None:
    """The meta device stands in for a GPU: an operation left on the CPU would raise."""
    explained = explain(networks.tiny("pool-ties", torch.float32), IMAGE, SmoothDiff(2)).to("meta")
    out = explained.traced(IMAGE.to("meta"), torch.tensor([-1, 2], device="meta"))
    assert {value.device.type for value in out} == {"meta"}
