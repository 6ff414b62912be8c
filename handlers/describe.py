"""What a service says about itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .noise import noise_in_words
from .protocols.options import OPTIONS
from .service import ExplanationService


def describe(service: ExplanationService) -> dict[str, Any]:
    """Classes, methods, options, limits, runtime, and how exact the graphs were when made; ready for JSON."""
    offer = service.offer
    card = offer.card
    methods = {
        name: {
            **offer.cards[name].method,
            "noise": noise_in_words(offer.cards[name].method, card.preprocessing),
            "signed": offer.cards[name].signed,
            "objective": offer.cards[name].objective,
            "classes_explained": offer.cards[name].top_k,
            "verification": offer.cards[name].verification,
        }
        for name in service.methods
    }
    options = {
        name: {
            "help": option.help,
            "header": "X-" + name.replace("_", "-").title(),
            **({"values": list(option.values(offer))} if option.values else {}),
        }
        for name, option in OPTIONS.items()
    }
    elsewhere = {} if methods else {"methods_elsewhere": list(offer.cards)}
    return {
        "name": card.name,
        "image_shape": list(card.image_shape),
        "classes": card.classes,
        "labels": list(card.labels) if card.labels else None,
        "preprocessing": asdict(card.preprocessing),
        "photo_to_input": str(card.preprocessing),
        "outputs": card.outputs,
        "methods": methods,
        **elsewhere,
        "options": options,
        "limits": asdict(offer.limits),
        "versions": card.versions,
        "runtime": dict(service.runtime),
    }
