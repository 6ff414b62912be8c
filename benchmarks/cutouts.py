"""Photos with masks: things cut out of photos and laid on other photos, as files that any command reads.

usage: python -m benchmarks.cutouts FOLDER [--stamps /usr/share/tuxpaint/stamps]

The things are photos of Debian's package tuxpaint-stamps-default; scikit-learn and scikit-image have what is
behind them. A thing is taken if both networks with real weights know it there. No root is needed:

  apt-get download tuxpaint-stamps-default && dpkg -x tuxpaint-stamps-default_*.deb tux
  python -m benchmarks.cutouts FOLDER --stamps tux/usr/share/tuxpaint/stamps
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import torch
from PIL import Image
from smoothserve.handlers.images.photo import crop, to_input

from .networks import NETWORKS, network
from .record import Help

WANTED = 24
SIDE = 320  # pixels of a photo
THING = 200  # pixels of a thing's longer side
BACKGROUNDS = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("skimage", "data/grass.png"),
    ("skimage", "data/gravel.png"),
    ("skimage", "data/brick.png"),
)
PLACES = ((0, 0), (-25, 15), (25, 20), (-20, -20), (20, -15))  # pixels from the middle
THINGS = {  # ImageNet's names, of which any will do
    "animals/amphibians/frog-1": ("tailed frog", "tree frog", "bullfrog"),
    "animals/birds/crowned_crane": ("crane bird",),
    "animals/birds/duck": ("drake",),
    "animals/birds/pelican": ("pelican",),
    "animals/birds/pink_flamingo": ("flamingo",),
    "animals/birds/rooster": ("cock",),
    "animals/birds/tucan": ("toucan",),
    "animals/birds/vulture": ("vulture",),
    "animals/insects/Brown_slug": ("slug",),
    "animals/insects/grasshopper": ("grasshopper", "cricket"),
    "animals/insects/mantis": ("mantis",),
    "animals/mammals/aquatic/otter": ("otter",),
    "animals/mammals/bears/european-bear": ("brown bear",),
    "animals/mammals/bears/toys/edward_bear": ("teddy",),
    "animals/mammals/bovines/bison": ("bison",),
    "animals/mammals/bovines/mountaingoat": ("ibex",),
    "animals/mammals/camel/camel": ("Arabian camel",),
    "animals/mammals/cats/tiger": ("tiger", "tiger cat"),
    "animals/mammals/dogs/fox": ("red fox", "kit fox"),
    "animals/mammals/elephant": ("tusker", "African elephant", "Indian elephant"),
    "animals/mammals/equines/zebra": ("zebra",),
    "animals/mammals/ferret": ("polecat", "black-footed ferret"),
    "animals/mammals/rodents/beaver": ("beaver",),
    "animals/mammals/rodents/squirrel": ("fox squirrel",),
    "animals/mammals/wildboar": ("wild boar",),
    "animals/marsupials/koala": ("koala",),
    "animals/marsupials/wombat": ("wombat",),
    "food/fruit/Strawberry2": ("strawberry",),
    "food/fruit/cherimoya": ("custard apple",),
    "food/vegetables/broccoli": ("broccoli",),
    "hobbies/music/percussion/drumkit": ("drum",),
    "hobbies/music/string/guitar2": ("electric guitar", "acoustic guitar"),
    "household/toilet": ("toilet seat",),
    "medical/stethoscope": ("stethoscope",),
    "medical/syringe": ("syringe",),
    "military/paratrooper": ("parachute",),
    "military/vehicles/bradley": ("tank",),
    "plants/mushrooms/cep-2": ("bolete",),
    "seasonal/candle": ("candle",),
    "seasonal/halloween/jackolantern_mean": ("jack-o'-lantern",),
    "sports/basketball": ("basketball",),
    "vehicles/emergency/firetruck": ("fire engine",),
    "vehicles/flight/balloon360": ("balloon",),
    "vehicles/flight/planes/747": ("airliner",),
    "vehicles/garbagetruck": ("garbage truck",),
}


def background(number: int) -> Image.Image:
    """The middle of a photo, in colour, ``SIDE x SIDE``."""
    package, name = BACKGROUNDS[number]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} has photos for behind the things: scripts/setup.sh cpu,serve,demo,dev")
    photo = Image.open(Path(spec.origin).parent / name).convert("RGB")
    left, top = (photo.width - SIDE) // 2, (photo.height - SIDE) // 2
    return photo.crop((left, top, left + SIDE, top + SIDE))


def laid(thing: Image.Image, behind: Image.Image, place: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The photo, and its mask: white where the thing covers more than half of a pixel."""
    scale = THING / max(thing.size)
    size = round(thing.width * scale), round(thing.height * scale)
    thing = thing.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    corner = tuple((SIDE - length) // 2 + shift for length, shift in zip(size, place, strict=True))
    photo, mask = behind.copy(), Image.new("L", behind.size)
    photo.paste(thing, corner, thing)
    mask.paste(thing.getchannel("A").point(lambda alpha: 255 if alpha > 127 else 0), corner)
    return photo, mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("folder", type=Path, help="for the photos and masks")
    parser.add_argument(
        "--stamps", type=Path, default=Path("/usr/share/tuxpaint/stamps"), help="the package's pictures"
    )
    arguments = parser.parse_args()
    from torchvision.models._meta import _IMAGENET_CATEGORIES as NAMES

    known = [network(name) for name in NETWORKS]

    def knows(photo: Image.Image, classes: tuple[str, ...]) -> bool:
        with torch.no_grad():
            return all(
                NAMES[int(classifier(torch.from_numpy(to_input(crop(photo, pre), pre))[None]).argmax())]
                in classes
                for classifier, pre in known
            )

    arguments.folder.mkdir(parents=True, exist_ok=True)
    found = 0
    for number, (thing, classes) in enumerate(THINGS.items()):
        path = arguments.stamps / f"{thing}.png"
        if not path.is_file():
            raise SystemExit(f"{path} is not there, expected the stamps of tuxpaint; see --help.")
        for turn in range(len(BACKGROUNDS)):
            behind = (number + turn) % len(BACKGROUNDS)
            photo, mask = laid(Image.open(path), background(behind), PLACES[number % len(PLACES)])
            if knows(photo, classes):
                photo.save(arguments.folder / f"{path.stem}.png")
                mask.save(arguments.folder / f"{path.stem}.mask.png")
                found += 1
                print(f"{thing} on {BACKGROUNDS[behind][1]}", file=sys.stderr, flush=True)
                break
        if found == WANTED:
            break
    print(f"{found} photos in {arguments.folder}")


if __name__ == "__main__":
    main()
