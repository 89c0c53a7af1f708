"""Breaks things on purpose, to show that nothing is lost: only where the setting `DEMO` is on, as in `make run`.

Without the setting an instance makes nothing of this module: its publisher is an ordinary one, and it ignores orders to break something.
"""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Callable

from chat.channels import CHANNELS
from errors import Unavailable
from realtime.bus.channel_names import channel_of
from realtime.bus.connections import COMMAND_SECONDS, FAILURES, Publisher
from realtime.bus.receiver import RedisConnection
from realtime.protocol.close_codes import Close
from realtime.stream.hub import Hub

logger = logging.getLogger("parley.demo")

PAUSE_SECONDS = 5.0
DISORDER_SECONDS = 10.0
LATEST_SECONDS = 0.3  # the longest delay of a publish in disorder
LOST, DOUBLED = 0.2, 0.3  # shares of the publishes in disorder
KILL_AFTER_SECONDS = 0.2  # so that the answer is still sent


class DisorderlyPublisher(Publisher):
    """A publisher that can be made to lose, double and reorder events."""

    disorderly_until = 0.0  # of the loop's clock

    def publish(self, batch: list[tuple[str, bytes]]) -> bool:
        if asyncio.get_running_loop().time() >= self.disorderly_until:
            return super().publish(batch)
        ours = [publish for publish in batch if channel_of(publish[0]) in CHANNELS]
        lost = [publish for publish in ours if random.random() < LOST]
        if lost and self.trace is not None:
            self.trace.published(lost, False)
        for publish in ours:
            if publish not in lost:
                for _ in range(1 + (random.random() < DOUBLED)):
                    asyncio.get_running_loop().call_later(random.uniform(0, LATEST_SECONDS), super().publish, [publish])
        return super().publish([publish for publish in batch if publish not in ours])

    async def pause_redis(self, seconds: float):
        """Stop Redis from answering anybody for so long. Raises one of `FAILURES`."""
        connection = RedisConnection()
        try:
            await asyncio.wait_for(self._endpoint.connect(connection), COMMAND_SECONDS)
            (answer,) = await asyncio.wait_for(
                connection.ask(("CLIENT", "PAUSE", int(seconds * 1000))), COMMAND_SECONDS
            )
            if isinstance(answer, Exception):
                raise answer
        finally:
            connection.close()


class Demo:
    """The breaks of one instance. Each is for all instances, or for the one that it names."""

    def __init__(
        self,
        instance: str,
        boot: str,
        publisher: DisorderlyPublisher,
        hub: Hub,
        *,
        publish_control: Callable[[dict], bool],
    ):
        """`publish_control(message)` sends an order to the other instances; False where Redis does not take it.

        `boot` names this process, since another one may have the instance's name.
        """
        self._instance, self._boot, self._publisher, self._hub = instance, boot, publisher, hub
        self._publish_control = publish_control

    async def pause_redis(self):
        """Raises `Unavailable` where Redis does not take the command."""
        try:
            await self._publisher.pause_redis(PAUSE_SECONDS)
        except FAILURES as error:
            raise Unavailable(f"Redis cannot be paused: {type(error).__name__}") from error

    def drop_sockets(self, user_id: str):
        """Close all sockets of this user, on every instance."""
        self._do({"what": "dropSockets", "userId": user_id})

    def disorder(self):
        """Every instance's publisher loses, doubles and reorders for some seconds. Raises `Unavailable` where Redis is down."""
        if not self._publisher.up:
            raise Unavailable("Redis does not carry the order to the other instances")
        self._do({"what": "disorder"})

    def kill(self, instance: str):
        """End an instance at once, as `kill -9` would. Raises `Unavailable` where the order does not reach it."""
        if not self._do({"what": "kill", "instance": instance}) and instance != self._instance:
            raise Unavailable("Redis does not carry the order to the instance")

    def _do(self, order: dict) -> bool:
        # This instance obeys at once, whether Redis carries the order or not.
        self._break(order)
        return self._publish_control({"kind": "demo", "from": self._boot, **order})

    def receive(self, message: dict):
        """Take an order of another instance; this one has obeyed its own already."""
        if message.get("from") != self._boot:
            self._break(message)

    def _break(self, message: dict):
        what = message.get("what")
        logger.warning("%s: breaking something on purpose: %s", self._instance, what)
        loop = asyncio.get_running_loop()
        if what == "disorder":
            self._publisher.disorderly_until = loop.time() + DISORDER_SECONDS
        elif what == "dropSockets":
            for client in [one for one in self._hub.clients if one.user_id == message.get("userId")]:
                client.end(Close.TRY_AGAIN, "dropped on purpose")
        elif what == "kill" and message.get("instance") == self._instance:
            loop.call_later(KILL_AFTER_SECONDS, os.kill, os.getpid(), signal.SIGKILL)
