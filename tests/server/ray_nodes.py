"""A Ray cluster of two nodes on loopback. Says in a line of JSON where it is; a line it reads kills one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from smoothserve.handlers.ray.local import own_folder
from smoothserve.handlers.ray.supervision import supervised

CPUS = 2  # of each node


def run(folder: Path) -> int:
    """The cluster, until standard input ends."""
    from ray.cluster_utils import Cluster

    own = folder / "ray"  # where Cluster notes its address, too
    own.mkdir()
    each = {"num_cpus": CPUS, "node_ip_address": "127.0.0.1"}
    head = {**each, "include_dashboard": False, "temp_dir": str(own)}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    other = cluster.add_node(**each)
    names = [name for name in os.environ if name.startswith(("RAY_", "SMOOTHSERVE_"))]
    settings = {name: os.environ[name] for name in names}
    sys.stdout.write(json.dumps({"address": cluster.address, "environment": settings}) + "\n")
    sys.stdout.flush()
    if sys.stdin.readline():
        cluster.remove_node(other, allow_graceful=False)
        sys.stdout.write("killed\n")
        sys.stdout.flush()
        sys.stdin.readline()
    cluster.shutdown()
    return 0


if __name__ == "__main__":
    with own_folder() as own:
        sys.exit(supervised(lambda: run(own)))
