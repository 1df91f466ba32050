"""A ROUTER that sends every body back: shows how much the load generator itself can drive.

A child process: python -m scripts.benchmark.echo --endpoint ADDRESS.
"""

from __future__ import annotations

import argparse

import zmq


def serve(endpoint: str) -> None:
    """Serve until killed; prints `ready` once the socket is bound."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind(endpoint)
    print("ready", endpoint, flush=True)
    while True:
        socket.send_multipart(socket.recv_multipart())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    serve(parser.parse_args().endpoint)
