"""What a Serve config file says of the application, under ``args``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from smoothserve.handlers import served
from smoothserve.handlers.devices import Device
from smoothserve.handlers.errors import CardError

_CPUS, _QUEUED, _PLACES = 1.0, 64, 64


class Kind(BaseModel):
    """Replicas of a model that answer one kind of requests, predictions or explanations.

    Attributes:
        num_cpus: cores that Ray sets apart for a replica; ONNX Runtime gets as many threads, at least one.
        num_gpus: devices, or a part of one, that Ray sets apart for a replica.
        device: as :meth:`smoothserve.handlers.devices.Device.parse` reads it; None: cuda where there are
            ``num_gpus``, else cpu.
        min_replicas: kept when nobody asks.
        max_replicas: most that there will be.
        target_ongoing_requests: of a replica, above which another one is started; None: the batch size.
        max_ongoing_requests: that a replica is sent at once, at least twice the batch size, as the next
            batch could not fill otherwise; None: four times the batch size, at least 16.
        max_queued_requests: that wait for a replica, in each replica of the ingress; more get 503.
        batch_size: most requests that are run together; None: the archive's, or 1.
        max_batch_delay: milliseconds that a request waits for others; None: the archive's, or 10.
    """

    model_config = ConfigDict(extra="forbid")

    num_cpus: float = Field(default=_CPUS, ge=0)
    num_gpus: float = Field(default=0, ge=0)
    device: str | None = None
    min_replicas: int = Field(default=1, ge=1)
    max_replicas: int = Field(default=1, ge=1)
    target_ongoing_requests: float | None = Field(default=None, gt=0)
    max_ongoing_requests: int | None = Field(default=None, ge=1)
    max_queued_requests: int = Field(default=_QUEUED, ge=0)
    batch_size: int | None = Field(default=None, ge=1)
    max_batch_delay: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Kind:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas={self.max_replicas} is less than min_replicas={self.min_replicas}."
            )
        if self.device is not None:
            try:
                number = Device.parse(self.device).number
            except CardError as error:
                raise ValueError(str(error)) from error
            if number is not None:
                raise ValueError(
                    f"device={self.device!r}: Ray gives a replica its GPU; leave the number out."
                )
        return self

    def of_model(self, limits: dict[str, Any], records: str | None = None) -> served.Settings:
        """The same in the words of :mod:`smoothserve.handlers.served`."""
        return served.Settings(
            self.batch_size,
            self.max_batch_delay,
            threads=max(1, math.floor(self.num_cpus)),
            device=self.device or ("cuda" if self.num_gpus else "cpu"),
            limits=limits,
            records=None if records is None else Path(records).absolute(),
        )


class Settings(BaseModel):
    """The whole application.

    Attributes:
        models: each a NAME of an archive in ``store``, a path that ends in .mar or .onnx, or NAME=PATH; every
            node that runs a replica reads the same path.
        store: folder of the archives that are given by name.
        predictions: replicas that answer predictions, of each model.
        explanations: replicas that answer explanations, of each model.
        ingress_replicas: of what reads requests and hands them on.
        places: requests that a replica of the ingress holds at once, each with up to a photo of the limit
            ``body_bytes``; more get 503.
        keys: file with a key in each line, which clients send as ``Authorization: Bearer KEY``; None: only
            clients on this machine are answered.
        limits: of requests, beside what the archives say, by the names of
            :class:`smoothserve.handlers.limits.Limits`.
        records: folder for records of explanations, on each node that explains; None: the archive's, or the
            environment's ``SMOOTHSERVE_RECORDS``.
    """

    model_config = ConfigDict(extra="forbid")

    models: list[str] = Field(min_length=1)
    store: str = "model_store"
    predictions: Kind = Kind()
    explanations: Kind = Kind()
    ingress_replicas: int = Field(default=1, ge=1)
    places: int = Field(default=_PLACES, ge=1)
    keys: str | None = None
    limits: dict[str, float] = {}
    records: str | None = None
