"""The cases: what each measures, and its marks. `CASES` is the order of the table, `BETWEEN` are those that compare two builds."""

from bench.cases import (
    alone,
    durable,
    fanout,
    flat,
    idle,
    latency,
    saturation,
    sending,
    storm,
    two,
    unwanted,
    visit,
)

CASES = {
    "fanout": fanout.tcp,
    "unix": fanout.unix,
    "nginx": fanout.nginx,
    "idle": idle.memory_and_pauses,
    "send": sending.small,
    "alone": alone.alone,
    "chats": durable.chats,
    "hot": durable.hot,
    "participants": flat.participants,
    "history": flat.history,
    "latency": latency.end_to_end,
    "saturation": saturation.saturation,
    "unwanted": unwanted.unwanted,
    "counts": fanout.asked_for,
    "two": two.two,
    "storm": storm.storm,
    "visit": visit.visit,
}

# The others measure what is not the build's: nginx, and what a second instance takes from the first.
BETWEEN = {
    "fanout": fanout.tcp_between,
    "unix": fanout.unix_between,
    "idle": idle.between,
    "send": sending.between,
    "alone": alone.between,
    "chats": durable.chats_between,
    "hot": durable.hot_between,
    "participants": flat.participants_between,
    "history": flat.history_between,
    "latency": latency.between,
    "saturation": saturation.between,
    "unwanted": unwanted.between,
    "counts": fanout.asked_for_between,
    "storm": storm.between,
    "visit": visit.between,
}
