"""MODEL from each library: preprocessing, labels and probabilities are the library's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from smoothserve.cli.main import main
from smoothserve.cli.models import load_model
from smoothserve.handlers.images.photo import crop, to_input
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService
from torch import Tensor, nn

from . import first_hour as nets

LABELS = ("cat", "dog", "cow")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """Smooth, so that two libraries' resizing differs little; not square."""
    rows, columns = np.mgrid[0:300, 0:420]
    values = [np.sin(rows / 40), np.cos(columns / 50), np.sin((rows + columns) / 60)]
    return Image.fromarray((127.5 + 120 * np.stack(values, -1)).astype(np.uint8))


def exported(spec: str, *flags: str) -> ExplanationService:
    assert main(["export", spec, "-o", "m.onnx", "--method", "gradient", *flags]) == 0
    return ExplanationService([Path("m.onnx")])


def probabilities(service: ExplanationService, image: Tensor) -> Any:
    (result,) = service.run([Question(image[0].numpy(), explain=True)])
    assert not isinstance(result, Exception)
    return result.scores


def as_the_card_says(service: ExplanationService, photo: Image.Image) -> Tensor:
    pre = service.offer.card.preprocessing
    return torch.from_numpy(to_input(crop(photo, pre), pre))[None]


def spoiled(network: nn.Module) -> nn.Module:
    """Random weights with probabilities that differ."""
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    return network.eval()


def test_timm(here: Path, photo: Image.Image, capsys: pytest.CaptureFixture[str]) -> None:
    network = spoiled(timm.create_model("test_vit", pretrained=False))
    torch.save({"state_dict": network.state_dict(), "arch": "test_vit"}, "w.pth")
    service = exported("timm:test_vit", "--weights", "w.pth")
    said = capsys.readouterr().err
    assert "mean 0.5, std 0.5 (from timm's pretrained_cfg)" in said
    assert "random weights" not in said
    assert "weights taken from ['state_dict']" in said
    config = timm.data.resolve_data_config(model=network)
    image = timm.data.create_transform(**config)(photo)[None]
    ours = as_the_card_says(service, photo)
    assert float((image - ours).abs().max()) < 0.03  # one grey level is .008
    with torch.no_grad():
        wanted = network(image).softmax(1)[0].numpy()
    np.testing.assert_allclose(probabilities(service, image), wanted, atol=1e-4)
    assert service.offer.card.labels is not None
    assert service.offer.card.labels[282] == "tiger cat"


def test_a_fine_tuned_head(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save(spoiled(timm.create_model("test_resnet", num_classes=2)).state_dict(), "two.pth")
    Path("two.txt").write_text("cat\ndog")
    arguments = ["export", "timm:test_resnet", "-o", "m.onnx", "--weights", "two.pth", "--labels", "two.txt"]
    assert main([*arguments, "--method", "gradient"]) == 1
    assert "head has 2 classes; give --classes 2." in capsys.readouterr().err
    assert main([*arguments, "--method", "gradient", "--classes", "2"]) == 0
    Image.new("RGB", (200, 170), "green").save("photo.png")
    assert main(["explain", "m.onnx", "photo.png"]) == 0
    said = capsys.readouterr()
    assert "cat" in said.out
    assert "photo -> input: RGB, shorter side to 168" in said.err


def test_timm_with_another_head_and_size(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = load_model("timm:test_vit", classes=2, size=(96, 96))
    assert (model.labels, model.preprocessing.crop, model.preprocessing.resize) == (None, (96, 96), 101)
    assert model.classifier(model.example()).shape == (1, 2)
    assert "has random weights" in model.notes[0]


def test_a_factorys_timm_network_keeps_timms_preprocessing(here: Path) -> None:
    Path("nets.py").write_text(Path(nets.__file__).read_text())
    model = load_model("nets.py:small_timm")
    assert model.origin == "timm's pretrained_cfg"
    assert model.preprocessing == load_model("timm:test_vit").preprocessing
    assert model.labels == load_model("timm:test_vit").labels


@pytest.mark.parametrize("kind", ["vit", "convnext", "resnet", "mobilevit", "efficientnet"])
def test_transformers(kind: str, here: Path, photo: Image.Image, capsys: pytest.CaptureFixture[str]) -> None:
    """What the model's own image processor does to a photo, the card says."""
    network, processor = transformers_model(kind)
    network.save_pretrained("folder")
    processor.save_pretrained("folder")
    service = exported("hf:folder")
    said = capsys.readouterr().err
    assert "(from the model's image processor)" in said
    assert "its output 'logits' is explained" in said
    assert service.offer.card.labels == LABELS
    image = processor(photo, return_tensors="pt")["pixel_values"]
    ours = as_the_card_says(service, photo)
    assert image.shape == ours.shape
    assert float((image - ours).abs().max()) < 0.05 * float(image.abs().max())
    with torch.no_grad():
        wanted = network(image).logits.softmax(1)[0].numpy()
    np.testing.assert_allclose(probabilities(service, image), wanted, atol=1e-4)


def transformers_model(kind: str) -> tuple[Any, Any]:
    import transformers as t

    names = dict(enumerate(LABELS))
    common = {"id2label": names, "label2id": {name: index for index, name in names.items()}}
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    side = {"height": 32, "width": 32}
    if kind == "vit":
        config = t.ViTConfig(**tiny, **common, image_size=32, patch_size=8)
        return spoiled(t.ViTForImageClassification(config)), t.ViTImageProcessor(
            size=side, image_mean=[0.4, 0.5, 0.6], rescale_factor=1 / 127.5
        )
    if kind == "convnext":
        config = t.ConvNextConfig(**common, hidden_sizes=[4, 8, 8, 8], depths=[1, 1, 1, 1], image_size=32)
        return spoiled(t.ConvNextForImageClassification(config)), t.ConvNextImageProcessor(
            size={"shortest_edge": 32}, crop_pct=0.8
        )
    if kind == "resnet":
        network = nets.small_transformers()
        return spoiled(network), t.ViTImageProcessor(size=side, do_normalize=False, resample=3)
    if kind == "mobilevit":
        config = t.ResNetConfig(
            embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic", **common
        )
        return spoiled(t.ResNetForImageClassification(config)), t.MobileViTImageProcessor(
            size={"shortest_edge": 36}, crop_size=side
        )
    return spoiled(nets.small_transformers()), t.EfficientNetImageProcessor(size=side, rescale_offset=True)


def test_transformers_that_cannot_be_used(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import transformers as t

    network, _ = transformers_model("vit")
    network.vit.save_pretrained("headless")
    t.BertConfig().save_pretrained("text")
    Path("empty").mkdir()
    for folder, words in (
        ("headless", "holds no weights for classifier.bias, classifier.weight"),
        ("text", "is a Bert, which transformers has no image classifier for"),
        ("empty", "cannot be loaded"),
    ):
        assert main(["export", f"hf:{folder}", "-o", "m.onnx"]) == 1
        assert words in capsys.readouterr().err
    assert main(["export", "headless", "-o", "m.onnx"]) == 1
    assert "hf:headless" in capsys.readouterr().err


def test_transformers_without_a_processor(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, _ = transformers_model("vit")
    network.half().save_pretrained("folder")  # half the file; it computes in float32
    service = exported("hf:folder")
    assert service.offer.card.image_shape == (3, 32, 32)
    assert "nothing says how a photo" in capsys.readouterr().err


def test_names_that_cannot_be_downloaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["export", "hf:nobody/nothing", "-o", "m.onnx"]) == 1
    assert "is no local folder, and cannot be downloaded" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_libraries_that_are_not_installed(
    library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("smoothserve.export.errors.find_spec", lambda name: None)
    prefix, extra = {"timm": ("timm", "timm"), "transformers": ("hf", "hf")}[library]
    assert main(["export", f"{prefix}:resnet18", "-o", "m.onnx"]) == 1
    assert f"pip install 'smoothserve[{extra}]'" in capsys.readouterr().err


def test_torchvision(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights under torchvision's own file name bring the preprocessing of their recipe."""
    from torchvision.models import resnet50

    torch.save(resnet50(weights=None).state_dict(), "resnet50-0676ba61.pth")
    first = load_model("torchvision:resnet50", Path("resnet50-0676ba61.pth"))
    default = load_model("torchvision:resnet50")
    assert (first.preprocessing.resize, default.preprocessing.resize) == (256, 232)
    assert first.origin == "torchvision's ResNet50_Weights.IMAGENET1K_V1"
    assert (first.notes, len(default.notes)) == ((), 1)
    assert load_model("torchvision:vit_b_16", size=(32, 32)).classifier(torch.zeros(1, 3, 32, 32)).shape == (
        1,
        1000,
    )
    Path("two.txt").write_text("a\nb")
    assert main(["export", "torchvision:squeezenet1_1", "-o", "m.onnx", "--labels", "two.txt"]) == 1
    assert "two.txt: 2 labels for 1000 classes" in capsys.readouterr().err


def test_a_program(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = nets.Softmax().eval()
    free = ({0: torch.export.Dim.DYNAMIC},)
    torch.export.save(
        torch.export.export(network, (torch.zeros(2, 3, 20, 24),), dynamic_shapes=free), "m.pt2"
    )
    service = exported("m.pt2")
    assert "nothing says how a photo" in capsys.readouterr().err
    image = torch.randn(1, 3, 20, 24)
    np.testing.assert_allclose(probabilities(service, image), network(image)[0].detach().numpy(), atol=1e-6)
    Path("broken.pt2").write_text("hello")
    for spec, words in (("none.pt2", "does not exist"), ("broken.pt2", "is no readable program")):
        assert main(["export", spec, "-o", "x.onnx"]) == 1
        assert words in capsys.readouterr().err
