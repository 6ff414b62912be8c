"""Heatmaps of many photos in a Parquet dataset. However a job is stopped, it goes on: none lost, none twice.

A job is a list of photos, cut into chunks, and a chunk is one file of the dataset. Whoever computes a chunk
writes its file aside and renames it. So a file is there whole or not at all, and once, even if its chunk is
computed twice. What computes them is another matter: processes of this machine, or Ray's actors.
"""

from .chunks import Chunk
from .errors import BulkError
from .job import Job, Settings, Task, Written, model_digest
from .processes import in_processes
from .ray_data import on_ray, ray_session
from .rows import schema
from .sources import found
from .worker import check

__all__ = [
    "BulkError",
    "Chunk",
    "Job",
    "Settings",
    "Task",
    "Written",
    "check",
    "found",
    "in_processes",
    "model_digest",
    "on_ray",
    "ray_session",
    "schema",
]
