"""A double of Kubernetes' interface: jobs that are handed in run on this machine at once, and are remembered.

It proves that the profile's words arrive in what a job asks for and that jobs find their files; that a cluster would
take them it does not prove.
"""

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlparse


@dataclass
class Pod:
    """One job that was handed in."""

    spec: dict[str, Any]
    status: int | None = None
    said: str = ""

    def run(self) -> None:
        [container] = self.spec["containers"]
        with tempfile.TemporaryDirectory() as empty:
            # A pod starts with nothing of the environment of who submits it.
            done = subprocess.run(
                [*container["command"], *container["args"]],
                cwd=empty,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": empty},
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        self.said, self.status = done.stdout, done.returncode


@dataclass
class Double:
    """Its jobs by name, and the file that tells a client where it is."""

    kubeconfig: Path
    pods: dict[str, Pod] = field(default_factory=dict)


@contextmanager
def serve(folder: Path) -> Iterator[Double]:
    """The interface on a port of this machine while the block runs."""
    double = Double(folder / "kubeconfig")

    class Handler(_Handler):
        pods = double.pods

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    _write_kubeconfig(double.kubeconfig, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _write_kubeconfig(path: Path, address: str) -> None:
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "double", "cluster": {"server": address}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "double", "context": {"cluster": "double", "user": "nobody"}}],
        "current-context": "double",
    }
    path.write_text(json.dumps(told))


class _Handler(BaseHTTPRequestHandler):
    pods: ClassVar[dict[str, Pod]] = {}

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/jobs"):
            pod = Pod(body["spec"]["template"]["spec"])
            self.pods[body["metadata"]["name"]] = pod
            threading.Thread(target=pod.run).start()
        self._answer(body, 201)

    def do_GET(self) -> None:
        asked = urlparse(self.path)
        words = asked.path.strip("/").split("/")
        if words[-1] == "status":
            status = self.pods[words[-2]].status
            told = {} if status is None else {"succeeded": 1} if status == 0 else {"failed": 1}
            self._answer({"metadata": {"name": words[-2]}, "spec": {"template": {}}, "status": told})
        elif words[-1] == "log":
            self._answer(self.pods[words[-2]].said)
        else:
            name = parse_qs(asked.query)["labelSelector"][0].partition("=")[2]
            self._answer({"items": [_describe(name, self.pods[name])]})

    def do_DELETE(self) -> None:
        self._answer({})

    def _answer(self, body: Any, status: int = 200) -> None:
        told = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests' own words are enough."""


def _describe(name: str, pod: Pod) -> dict[str, Any]:
    state = {} if pod.status is None else {"terminated": {"exitCode": pod.status}}
    container = {"name": "snakemake", "image": "", "imageID": "", "ready": True, "restartCount": 0, "state": state}
    return {"metadata": {"name": name}, "status": {"containerStatuses": [container]}}
