"""A WebSocket node that says back what it hears; prints its port first."""

import socket

from aiohttp import WSMsgType, web


async def echo(request):
    line = web.WebSocketResponse(max_msg_size=0)
    await line.prepare(request)
    async for message in line:
        if message.type == WSMsgType.TEXT:
            await line.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await line.send_bytes(message.data)
    return line


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
application = web.Application()
application.router.add_get("/{any:.*}", echo)
web.run_app(application, sock=listener, access_log=None, print=None)
