"""Django Channels on uvicorn, with the Redis layer on pub/sub: one consumer, one group."""

import os

from django.conf import settings

settings.configure(
    SECRET_KEY="bench",
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [f"redis://127.0.0.1:{os.environ['REDIS_PORT']}/0"]},
        }
    },
)

import django  # noqa: E402

django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402


class Chat(AsyncWebsocketConsumer):
    groups = ["chat"]

    async def connect(self):
        await self.accept()
        await self.send("ready")

    async def chat_message(self, event):
        await self.send(event["text"])


application = ProtocolTypeRouter({"websocket": URLRouter([path("ws", Chat.as_asgi())])})
