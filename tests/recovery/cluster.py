"""Which process of a cluster does what."""

from __future__ import annotations

import psutil

from infra.flink import FlinkCluster
from infra.service import Service


def worker_of(cluster: FlinkCluster, job: str) -> Service:
    """The TaskManager that runs a job of parallelism 1."""
    vertex = cluster.rest(f"/jobs/{job}")["vertices"][0]["id"]
    [task] = cluster.rest(f"/jobs/{job}/vertices/{vertex}")["subtasks"]
    port = int(task["taskmanager-id"].split("-")[0].rsplit(":", 1)[1])
    for service in cluster.task_managers:
        for connection in psutil.Process(service.pid).net_connections():
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return service
    raise AssertionError(f"no TaskManager listens on {port}")
