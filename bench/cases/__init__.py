"""The cases: what each measures, and its marks. `CASES` is the order of the table."""

from bench.cases import durable, fanout, flat, idle, latency, saturation, sending, storm, two, unwanted, visit

CASES = {
    "fanout": fanout.tcp,
    "unix": fanout.unix,
    "nginx": fanout.nginx,
    "idle": idle.memory_and_pauses,
    "send": sending.small,
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
