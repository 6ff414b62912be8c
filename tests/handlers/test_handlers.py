"""The service without a server: photos of all kinds, requests of all shapes, batches that mix."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from smoothserve.handlers.card import Card, Preprocessing
from smoothserve.handlers.errors import CardError, RequestError
from smoothserve.handlers.images import colormaps
from smoothserve.handlers.images.photo import crop, decode, to_input
from smoothserve.handlers.images.picture import grey_png, overlay
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.protocols.base import Request
from smoothserve.handlers.protocols.options import Offer
from smoothserve.handlers.protocols.plain import Plain
from smoothserve.handlers.protocols.question import Question
from smoothserve.handlers.service import ExplanationService

PRE = Preprocessing(resize=256, crop=(224, 224))
CARD = Card(
    name="three",
    image_shape=(3, 224, 224),
    classes=3,
    method={"name": "Gradient"},
    signed=False,
    preprocessing=PRE,
    labels=("cat", "dog", "cup"),
)

OFFER = Offer({"gradient": CARD}, Limits())
JPG = b"jpg"


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def cat(photos: dict[str, Path]) -> Image.Image:
    return Image.open(photos["chelsea"]).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def test_every_kind_of_picture_is_decoded_alike(cat: Image.Image) -> None:
    grey = cat.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    clear = cat.copy()
    clear.putalpha(255)
    unit = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    bilevel = grey.point(lambda v: 255 * (v > 127))
    for content, wanted, tolerance in (
        (encoded(cat), cat, 0.0),
        (encoded(cat, "JPEG", quality=95), cat, 3.0),
        (encoded(cat, "WEBP", lossless=True), cat, 0.0),
        (encoded(grey), grey.convert("RGB"), 0.0),
        (encoded(deep), grey.convert("RGB"), 0.0),
        (encoded(unit, "TIFF"), grey.convert("RGB"), 0.0),
        (encoded(Image.fromarray(np.asarray(grey).astype(np.float32)), "TIFF"), grey.convert("RGB"), 0.0),
        (encoded(Image.fromarray(np.asarray(grey).astype(np.int32)), "TIFF"), grey.convert("RGB"), 0.0),
        (encoded(clear), cat, 0.0),
        (encoded(cat.quantize(256)), cat, 8.0),
        (encoded(cat.convert("CMYK"), "TIFF"), cat, 3.0),
        (encoded(bilevel.convert("1")), bilevel.convert("RGB"), 0.0),
        (encoded(cat, "GIF", save_all=True, append_images=[grey]), cat, 12.0),
    ):
        decoded = decode(content)
        assert decoded.mode == "RGB"
        assert difference(decoded, wanted) <= tolerance


def test_a_damaged_note_about_orientation_spoils_nothing(cat: Image.Image) -> None:
    content = encoded(cat)
    chunk = b"eXIf" + b"junk that is no EXIF"
    junk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    assert difference(decode(content[:33] + junk + content[33:]), cat) == 0


def test_transparent_pixels_become_white(cat: Image.Image) -> None:
    clear = cat.copy()
    clear.putalpha(0)
    assert np.asarray(decode(encoded(clear))).min() == 255


def test_photos_are_turned_upright(cat: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees
    turned = cat.transpose(Image.Transpose.ROTATE_90)
    assert difference(decode(encoded(turned, "JPEG", quality=95, exif=exif)), cat) < 3


def test_limits(cat: Image.Image) -> None:
    with pytest.raises(RequestError, match="at most 1,000") as caught:
        decode(encoded(cat), max_pixels=1000)
    assert caught.value.status == 413
    with pytest.raises(RequestError, match="50 times"):
        crop(decode(encoded(Image.new("L", (1, 10_000)))), PRE)
    for content in (b"", b"garbage", encoded(cat)[:5000]):
        with pytest.raises(RequestError) as caught:
            decode(content)
        assert caught.value.status == 400


def test_preprocessing_is_torchvisions(cat: Image.Image) -> None:
    """The same photo through torchvision's transforms, as the networks were trained with."""
    from torchvision.models import ResNet18_Weights

    transform = ResNet18_Weights.DEFAULT.transforms(antialias=True)
    for size in ((451, 300), (300, 451), (256, 256), (900, 257)):
        photo = cat.resize(size)
        ours = to_input(crop(photo, PRE), PRE)
        np.testing.assert_allclose(ours, transform(photo).numpy(), atol=1e-5)


def test_channel_order_and_grey(cat: Image.Image) -> None:
    picture = crop(cat, PRE)
    plain = Preprocessing(256, (224, 224), mean=(0, 0, 0), std=(1, 1, 1))
    swapped = Preprocessing(256, (224, 224), mean=(0, 0, 0), std=(1, 1, 1), channels="BGR")
    np.testing.assert_array_equal(to_input(picture, swapped), to_input(picture, plain)[::-1])
    grey = Preprocessing(256, (224, 224), mean=(0,), std=(1,), channels="L")
    assert to_input(picture, grey).shape == (1, 224, 224)


@pytest.mark.parametrize(
    ("fields", "headers", "wanted"),
    [
        ({"body": bytearray(JPG)}, {}, Question(JPG, True, top_k=3)),
        ({"data": JPG, "target": bytearray(b"1")}, {}, Question(JPG, True, 1, 3)),
        ({"data": JPG, "target": b"cup"}, {}, Question(JPG, True, 2, 3)),
        ({"data": JPG, "target": b"-1"}, {}, Question(JPG, True, None, 3)),
        ({"image": JPG, "top_k": b"2"}, {"ACCEPT": "image/png"}, Question(JPG, True, None, 2, "overlay")),
        ({"data": JPG}, {"Accept": "text/html, image/*;q=0.8"}, Question(JPG, True, None, 3, "overlay")),
        ({"data": JPG}, {"Accept": "image/png;q=0, application/json"}, Question(JPG, True, None, 3)),
        (
            {"data": JPG, "output": b"heatmap", "array": b"true"},
            {},
            Question(JPG, True, None, 3, "heatmap", True),
        ),
        ({"body": {"data": "anBn", "target": 0}}, {}, Question(JPG, True, 0, 3)),
        (
            {"body": {"data": "data:image/jpeg;base64,anBn", "array": True}},
            {},
            Question(JPG, True, None, 3, array=True),
        ),
        ({"body": {"image": {"b64": "anBn"}}}, {}, Question(JPG, True, None, 3)),
        ({"body": {"file": "an\nBn\n"}}, {}, Question(JPG, True, None, 3)),
        ({"body": {"data": "_-A="}}, {}, Question(b"\xff\xe0", True, None, 3)),
        ({"data": JPG}, {"x-target": "1", "X-TOP-K": "2"}, Question(JPG, True, 1, 2)),
    ],
)
def test_requests_are_understood(
    fields: dict[str, object], headers: dict[str, str], wanted: Question
) -> None:
    request = read_request(fields, headers, explain=True, offer=OFFER)
    assert request == Request(request.protocol, (wanted,))
    assert isinstance(request.protocol, Plain)


# folders "0" to "10" in the order of their names, as ImageFolder numbers classes
DIGITS = dataclasses.replace(CARD, classes=11, labels=tuple(sorted(map(str, range(11)))))


@pytest.mark.parametrize(
    ("target", "index"),
    [
        ("0", 0), ("1", 1),  # number and label agree
        (3, 3), (2, 2), ("class:2", 2), ("label:2", 3), ("label:10", 2), ("class:10", 10), ("-1", None),
        (-1, None), ("class:-1", None),
    ],
)  # fmt: skip
def test_labels_that_are_numbers(target: str | int, index: int | None) -> None:
    """A number as such is a number; text says which it means, where that is not clear."""
    offer = Offer({"gradient": DIGITS}, Limits())
    fields = {"body": {"data": "anBn", "target": target}}
    (question,) = read_request(fields, {}, explain=True, offer=offer).questions
    assert question.target == index


def test_text_that_is_a_number_and_another_label_is_refused() -> None:
    offer = Offer({"gradient": DIGITS}, Limits())
    with pytest.raises(
        RequestError, match="'2' is the number of one class and the label of class 3; give class:2 or"
    ):
        read_request({"data": b"x", "target": b"2"}, {}, explain=True, offer=offer)
    years = Offer({"gradient": dataclasses.replace(CARD, labels=("2019", "2020", "2021"))}, Limits())
    (question,) = read_request({"data": b"x", "target": b"2020"}, {}, explain=True, offer=years).questions
    assert question.target == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "no image"),
        ({"body": [1, 2]}, "list"),
        ({"body": "not base64!"}, "base64"),
        ({"body": {"data": 7}}, "int"),
        ({"data": b"x", "target": b"3"}, "0 to 2"),
        ({"data": b"x", "target": b"9" * 30}, "out of range"),
        ({"data": b"x", "target": b"bird"}, "no class: expected a number or one of its labels"),
        ({"data": b"x", "target": b"Cot"}, "no class; did you mean 'cat'"),
        ({"data": b"x", "target": b"1_0"}, "no class"),
        ({"body": {"data": "anBn", "target": {"a": 1}}}, "dict"),
        ({"body": {"data": "anBn", "target": 1.5}}, "no class"),
        ({"data": b"x", "colour": b"red"}, "no option 'colour'"),
        ({"data": b"x", "colormap": b"jet"}, "inferno"),
        ({"data": b"x", "colormap": b"blue-red"}, "needs a sequential"),
        ({"data": b"x", "opacity": b"2"}, "0 to 1"),
        ({"data": b"x", "opacity": b"nan"}, "0 to 1"),
        ({"data": b"x", "size": b"5000"}, "16 to 1024"),
        ({"data": b"x", "method": b"lime"}, "one of gradient"),
        ({"data": b"x", "top_k": b"4"}, "1 to 3"),
        ({"data": b"x", "array": b"maybe"}, "true or false"),
        ({"data": b"x", "output": b"gif"}, "overlay"),
    ],
)
def test_requests_that_make_no_sense_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        read_request(fields, {}, explain=True, offer=OFFER)
    assert caught.value.status == 400


def test_a_mixed_batch_is_answered_one_by_one(lite0_onnx: Path, photos: dict[str, Path]) -> None:
    service = ExplanationService([lite0_onnx])
    cat, cup = (photos[name].read_bytes() for name in ("chelsea", "coffee"))
    answers = service.answer(
        [
            question if isinstance(question, Exception) else Request(Plain(), (question,))
            for question in (
                Question(cat),
                Question(cup, explain=True),
                RequestError("unreadable"),
                Question(b"garbage", explain=True),
                Question(cat, explain=True, target=285, output="heatmap"),
                Question(cup, top_k=1),
                Question(cat, explain=True, array=True),
            )
        ]
    )
    assert [answer.status for answer in answers] == [200, 200, 400, 400, 200, 200, 200]
    bodies = [json.loads(a.body) if a.content_type == "application/json" else a.body for a in answers]
    assert bodies[0]["predictions"][0]["class"] == bodies[6]["class"] == 282
    assert bodies[1]["class"] == bodies[5]["predictions"][0]["class"] == 967
    assert len(bodies[5]["predictions"]) == 1
    half = np.frombuffer(base64.b64decode(bodies[6]["heatmap"]["float16"]), "<f2")
    assert half.shape == (224 * 224,)
    assert 0.999 <= half.max() <= 1
    assert len(answers[6].body) < 250_000
    assert bodies[4] != base64.b64decode(bodies[6]["heatmap"]["png"])


def test_the_heatmap_lies_on_the_cats_face(lite0_onnx: Path, photos: dict[str, Path]) -> None:
    """The hottest spots of the blurred heatmap lie on eyes and nose twice as often as chance would have it.

    That is for 4 samples; for 8 it is 4.5 times.
    """
    service = ExplanationService([lite0_onnx])
    (result,) = service.run([Question(photos["chelsea"].read_bytes(), explain=True)])
    assert not isinstance(result, Exception)
    blurred = sliding_window_view(np.pad(next(iter(result.heatmaps.values())), 4), (9, 9)).mean((2, 3))
    face = np.zeros((224, 224), dtype=bool)
    face[50:105, 35:105] = face[70:125, 165:215] = face[170:224, 110:170] = True
    assert face.mean() < 0.2
    assert face[blurred > np.quantile(blurred, 0.98)].mean() > 2 * face.mean()


def test_pictures() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    shown = np.asarray(Image.open(io.BytesIO(grey_png(ramp))))
    np.testing.assert_array_equal(shown, np.round(ramp * 255))
    for name in colormaps.names(signed=False):
        light = np.asarray(Image.fromarray(colormaps.apply(name, ramp)).convert("L")).ravel().astype(int)
        assert (np.diff(light) >= 0).all(), f"{name} gets lighter with every step"
    for name in ("blue-red", "purple-orange"):
        assert (colormaps.apply(name, np.full((2, 2), 0.5, np.float32)) == 0xF7).all()
    photo = Image.new("RGB", (8, 8), (10, 200, 30))
    nothing = overlay(np.zeros((8, 8), np.float32), photo, signed=False)
    assert difference(nothing, photo.convert("L").convert("RGB")) == 0


def test_files_that_are_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="does not exist"):
        ExplanationService([tmp_path / "none.onnx"])
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(CardError, match=r"text\.onnx is not an ONNX file, or a damaged one"):
        ExplanationService([tmp_path / "text.onnx"])


def test_handlers_import_neither_torch_nor_the_rest() -> None:
    """They travel alone to a host that may have no PyTorch outside of the server's own."""
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['torch'] = None; "
        "import smoothserve.handlers.torchserve.handler; "
        "others = ('smoothserve.explainers', 'smoothserve.export', 'torch.'); "
        "bad = [m for m in sys.modules if m.startswith(others)]; "
        "sys.exit(str(bad) if bad else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
