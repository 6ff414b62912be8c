"""What every protocol does, and the request that it reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..answer import Answer, Result
from .options import Offer
from .question import Question


@dataclass(frozen=True)
class Request:
    """What came over the wire at once, to be answered at once.

    Attributes:
        protocol: that read it and will write its answer.
        questions: at least one; all want an explanation, or none does.
        echo: members that the answer repeats, such as KServe v2's ``id``.
    """

    protocol: Protocol
    questions: tuple[Question, ...]
    echo: Mapping[str, Any] = field(default_factory=dict)

    @property
    def explain(self) -> bool:
        """Whether explanations are asked for, else predictions."""
        return self.questions[0].explain


class Protocol(ABC):
    """How requests and answers look on the wire. Holds nothing of a request: one instance serves all."""

    @abstractmethod
    def recognises(self, fields: Mapping[str, Any]) -> bool:
        """Whether a request with these form fields, or members of its JSON body, speaks this protocol."""

    @abstractmethod
    def read(
        self, fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str
    ) -> Request:
        """Understand a request that was recognised.

        Args:
            fields: as for :meth:`recognises`.
            headers, explain, offer, path: see :func:`smoothserve.handlers.protocols.read_request`.

        Raises:
            RequestError: something is missing, unknown, too large or out of range.
        """

    @abstractmethod
    def write(self, request: Request, results: Sequence[Result], offer: Offer) -> Answer:
        """One answer to the whole request, from one result for each of its questions, in order."""

    @abstractmethod
    def explanation_path(self, model: str, version: str | None, path: str) -> str:
        """Where a server answers this protocol's explanations.

        Args:
            model: name on the server.
            version: of the model, where the server knows it.
            path: options in the URL of the request.
        """
