"""Sends one message of very many parts, then asks for a sign of life: python -m scripts.endurance.flood.

A process of its own, since the message fills the sender's memory as well. Says `ready` when the server has
dealt with it: a connection's messages are taken in their order, so the ping's answer comes after it.
"""

from __future__ import annotations

import argparse

import msgpack
import zmq


def main() -> None:
    """Send, ping, wait."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--parts", type=int, required=True)
    parser.add_argument("--part-bytes", type=int, required=True)
    given = parser.parse_args()
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(given.endpoint)
    part = bytes(given.part_bytes)
    for _ in range(given.parts - 1):
        socket.send(part, zmq.SNDMORE)
    socket.send(part)
    socket.send(msgpack.packb({"v": 1, "id": "alive", "action": "system.ping"}))
    socket.recv()
    print("ready", flush=True)
    socket.close()


if __name__ == "__main__":
    main()
