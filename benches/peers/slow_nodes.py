"""Two nodes, each of which answers after so many milliseconds: slow_nodes.py PORT MILLISECONDS PORT MILLISECONDS"""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"k" * 1024


class Node(asyncio.Protocol):
    """One connection, whose requests have no bodies."""

    def __init__(self, seconds):
        self.seconds, self.head = seconds, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.head += data
        while b"\r\n\r\n" in self.head:
            _, _, self.head = self.head.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self.seconds, self.transport.write, ANSWER)


async def main():
    loop = asyncio.get_running_loop()
    numbers = [int(argument) for argument in sys.argv[1:]]
    for port, millis in zip(numbers[::2], numbers[1::2]):
        await loop.create_server(lambda millis=millis: Node(millis / 1e3), "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
