"""An OpenTelemetry collector on this machine: keeps what it is sent."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

WAIT = 10.0
"""Seconds after which a test gives up on a request that should come at once."""


class Collector:
    """Listens until it is closed."""

    def __init__(self) -> None:
        self._requests: SimpleQueue[tuple[str, ExportTraceServiceRequest]] = SimpleQueue()
        handler = type("Handler", (Handler,), {"requests": self._requests})
        self._server = HTTPServer(("127.0.0.1", 0), handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def next(self) -> tuple[str, ExportTraceServiceRequest]:
        """The path and the content of the next request, when it comes."""
        return self._requests.get(timeout=WAIT)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    """Takes whatever is posted."""

    requests: SimpleQueue[tuple[str, ExportTraceServiceRequest]]

    def do_POST(self) -> None:
        """OTLP over HTTP."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.put((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
