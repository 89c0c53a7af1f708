"""Every Prometheus metric of an instance, declared once. Anyone may import it; it imports nothing of ours."""

import collections

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)


def _counter(name, text, *labels):
    return Counter(f"parley_{name}", text, labels, registry=REGISTRY)


class Tally:
    """A counter by one label, for what happens most often: `counts["label"] += 1` takes 0.1 µs, the library's counter 2.4."""

    def __init__(self, name, text, label):
        self.counts = collections.defaultdict(int)
        self._described = f"parley_{name}", text, label
        REGISTRY.register(self)

    def collect(self):
        name, text, label = self._described
        family = CounterMetricFamily(name, text, labels=[label])
        for value, count in list(self.counts.items()):
            family.add_metric([value], count)
        return [family]


def _gauge(name, text, *labels):
    return Gauge(f"parley_{name}", text, labels, registry=REGISTRY)


events_published = Tally("events_published", "Events handed to Redis.", "channel")
events_received = Tally("events_received", "Events heard from Redis.", "channel")
publish_failures = Tally("publish_failures", "Events that Redis did not take.", "channel")
foreign_messages = _counter(
    "foreign_messages", "Messages on our channels that are no events of this history.", "channel"
)
deliveries = Tally("deliveries", "Frames of live events handed to sockets.", "channel")
duplicates = Tally("duplicates", "Events heard again and dropped.", "channel")
gaps = _counter("gaps", "Events heard ahead of their predecessors.")
pulls = _counter("pulls", "Reads of what a chat's position missed.", "reason")
pulled_events = _counter("pulled_events", "Events that came from PostgreSQL instead of Redis.")
head_checks = _counter("head_checks", "Comparisons of positions with PostgreSQL.", "outcome")
resumes = _counter("resumes", "Sockets that came back with cursors.")
replayed_events = _counter("replayed_events", "Events replayed to single sockets.")
resets = _counter("resets", "Chats that a client must fetch anew.", "reason")
detached = _counter("detached", "Sockets taken off a chat's live stream to be caught up.", "reason")
socket_closes = _counter("socket_closes", "Sockets closed by the server.", "code")
sockets = _gauge("sockets", "Connected sockets.")
watched_chats = _gauge("watched_chats", "Chats that have a socket here.")
subscribed_chats = _gauge(
    "subscribed_chats", "Chats whose own channels are heard; 0 where every instance hears every chat."
)
online_users = _gauge("online_users", "Users who are online, on any instance; 0 while Redis cannot tell.")
queue_bytes = _gauge("queue_bytes", "Bytes that sockets have not taken yet.")
redis_up = _gauge("redis_up", "1 while the connection works.", "connection")
redis_reconnects = _counter("redis_reconnects", "Attempts to connect anew.", "connection")
canary_seconds = _gauge("canary_seconds", "Time from publishing the last canary to hearing it.")
database_up = _gauge("database_up", "1 after an answer, 0 after a failure.")
consumer_lag = _gauge(
    "consumer_lag_seconds", "Age of the oldest event whose work is not done, as this instance knows.", "consumer"
)
consumer_due = _gauge(
    "consumer_due_chats", "Chats whose work was missed or has failed, in the whole database.", "consumer"
)
consumer_done = _counter("consumer_done", "Events whose work this instance has done.", "consumer")
consumer_failed = _counter("consumer_failed", "Times that the work for a chat failed here.", "consumer")
loop_lag = _gauge("loop_lag_seconds", "How late the event loop ran its last timer.")
request_seconds = Histogram(
    "parley_request_seconds",
    "Time to answer an HTTP request.",
    ("method", "route", "status"),
    registry=REGISTRY,
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
