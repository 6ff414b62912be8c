"""What experiments share: SmoothGrad of many samples and SmoothTaylor at any level, against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from smoothserve.experiments import Lab, taylor
from smoothserve.explainers import SmoothGrad
from smoothserve.explainers.capture import capture

from tests import networks

CLASSIFIER = networks.tiny("shared-relu", torch.float32)


@pytest.fixture(scope="module")
def lab() -> Lab:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 12, 12)
    picture = Image.new("RGB", (12, 12))
    program = capture(CLASSIFIER, images[:1])
    return Lab(program, "tiny", (0.5,) * 3, (0.5,) * 3, images, (picture,) * 2)


def test_noise_is_as_strong_in_pixels(lab: Lab) -> None:
    assert lab.noise(0.5) == pytest.approx(0.5 * 0.226 / 0.5)


def test_means_of_one_stream_are_smoothgrads(lab: Lab) -> None:
    """Each count is the mean of the first n, whatever parts they are computed in; autograd says the same."""
    counts = [1, 5, 20]
    found = lab.smoothgrads(counts, 0.3, seed=4)
    generator = torch.Generator().manual_seed(4)
    gradients: list[torch.Tensor] = []
    for size in (1, 4, 8, 7):  # parts of at most 8 that end at each count
        noise = torch.randn((size, *lab.images.shape), generator=generator)
        for each in noise:
            leaf = (lab.images + 0.3 * each).requires_grad_()
            chosen = CLASSIFIER(leaf).gather(1, lab.classes[:, None]).sum()
            gradients.append(torch.autograd.grad(chosen, leaf)[0])
    for n in counts:
        wanted = torch.stack(gradients[:n]).mean(0).numpy()
        np.testing.assert_allclose(found[n], wanted, rtol=1e-4, atol=1e-6)


def test_many_samples_are_near_the_method(lab: Lab) -> None:
    found = lab.smoothgrads([2000], 0.3)[2000]
    wanted = lab.attributions(SmoothGrad(500, 0.3))
    cosine = np.vdot(found, wanted) / np.linalg.norm(found) / np.linalg.norm(wanted)
    assert cosine > 0.99


def test_smoothtaylor_at_any_level(lab: Lab) -> None:
    """mean (x - z) grad f(z) over roots z = x + .4 e, written out."""
    roots = taylor.Roots(lab, 25)
    noise = torch.randn((25, 3, 12, 12), generator=torch.Generator().manual_seed(0))
    for index, image in enumerate(lab.images):
        leaf = (image + 0.4 * noise).requires_grad_()
        (slopes,) = torch.autograd.grad(CLASSIFIER(leaf)[:, lab.classes[index]].sum(), leaf)
        wanted = (-0.4 * noise * slopes).mean(0).numpy()
        np.testing.assert_allclose(roots(index, 0.4), wanted, rtol=1e-3, atol=1e-5)
    assert roots(0, 0.4) is roots(0, 0.4)


def test_attributions_are_kept_but_not_those_of_other_classes(lab: Lab) -> None:
    method = SmoothGrad(2, 0.1)
    own = lab.attributions(method)
    assert lab.attributions(method) is own
    others = lab.attributions(method, (lab.classes + 1) % 5)
    assert not np.allclose(others, own)
