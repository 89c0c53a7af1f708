"""A handler whose WebSocket answers each text with the same."""

from tornado.web import HTTPError, RequestHandler

from errors import Refused
from realtime.protocol.frames import text_frame
from realtime.transport.write_queue import WriteQueue
from web.heartbeat import Heartbeat
from web.websocket import WebSocket, handshake, upgrade


class Echo(RequestHandler):
    def get(self):
        try:
            headers = handshake(self.request, [])
        except Refused:
            raise HTTPError(400) from None
        accepted, unread, unsent = upgrade(self, headers)
        socket = WebSocket(accepted, WriteQueue(), Heartbeat(0), 1000, 1000, unsent)
        socket.listen(Listener(socket.writer), unread)


class Listener:
    def __init__(self, writer):
        self.writer = writer

    def receive(self, message):
        self.writer.send(text_frame(message.encode()))

    def gone(self):
        pass
