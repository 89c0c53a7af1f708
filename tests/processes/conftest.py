"""People, their sockets and other listeners for the tests of whole clusters; what is still connected is ended with the test."""

import asyncio
import json

import pytest
import redis.asyncio

from tests.client import OBJECTS, User


class Listener:
    """Another program on the same Redis, which subscribes to the channels."""

    def __init__(self, url: str):
        self._client = redis.asyncio.Redis.from_url(url)
        self._heard = asyncio.Queue()
        self._task = None

    async def start(self):
        subscription = self._client.pubsub(ignore_subscribe_messages=True)
        await subscription.subscribe(*OBJECTS)
        self._task = asyncio.ensure_future(self._listen(subscription))
        return self

    async def _listen(self, subscription):
        async for message in subscription.listen():
            self._heard.put_nowait((message["channel"].decode(), json.loads(message["data"])))

    async def take(self, count, seconds=2.0) -> list:
        """The next `count` messages: `(channel, body)`."""
        return [await asyncio.wait_for(self._heard.get(), seconds) for _ in range(count)]

    async def publish(self, channel, body):
        """Say something on a channel that is not ours: bytes, or an object."""
        await self._client.publish(channel, body if isinstance(body, bytes) else json.dumps(body))

    @property
    def silent(self) -> bool:
        return self._heard.empty()

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()


class Party:
    """Users of one cluster and the streams that they have opened."""

    _known = {}  # address → those who have signed up there, for test after test: hashing passwords takes its time

    def __init__(self):
        self._streams = []
        self._listeners = []

    async def users(self, url, count) -> list[User]:
        known = self._known.setdefault(url, [])
        known += await asyncio.gather(*(User.sign_up(url) for _ in range(count - len(known))))
        return known[:count]

    async def group(self, url, count) -> tuple[list[User], str]:
        """So many people and a group of them that the first one owns."""
        people = await self.users(url, count)
        return people, await people[0].group(*people[1:])

    def track(self, *streams):
        """End these with the test."""
        self._streams += streams

    async def open(self, user, at=None, **options):
        """A stream of this user that is `synced`."""
        stream = user.stream(channels=options.pop("channels", None), presence=options.pop("presence", False))
        self.track(stream)
        await stream.open(at, **options)
        await stream.until_synced()
        return stream

    async def listen(self, cluster) -> Listener:
        """Somebody else on the cluster's Redis."""
        self._listeners.append(Listener(cluster.valkey.url))
        return await self._listeners[-1].start()

    async def close(self):
        for stream in self._streams:
            await stream.close()
        for listener in self._listeners:
            await listener.stop()


@pytest.fixture
def urls(parley) -> list:
    """The addresses of the instances of `parley`, which the test's module has."""
    return [instance.url for instance in parley.instances]


@pytest.fixture
def party(io_loop):
    party = Party()
    yield party
    io_loop.run_sync(party.close)
