"""The walk along one client's sockets that the invariants of order share. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from faults.evidence import takes_a_seq
from faults.history import Closed, History, Opened, Saw


@dataclass(slots=True)
class Step:
    """One logged event as a client got it; `position` is where the client stood, None where it had none.

    `life` grows when earlier seqs of the chat became void, so that the same number may come again.
    """

    at: float
    socket: int
    opened: float
    epoch: str | None
    chat: str
    seq: int
    position: int | None
    life: int
    channel: str
    data: dict | None  # None: the instance told nothing but the seq
    known: list | None  # the channels that the instance knows, as it said in the welcome; None where it did not say


def walk(history: History) -> Iterator[Step]:
    """Every logged event of a client with the position that docs/protocol.md gives it."""
    positions, opened, epoch, known, life = {}, 0.0, None, None, {}
    for record in history.records:
        if isinstance(record, Opened):
            positions, opened, epoch = dict(record.cursors), record.at, record.epoch
        elif isinstance(record, Saw):
            frame, chat = record.frame, record.frame.get("chatId")
            match frame["type"]:
                case "welcome":
                    epoch, known = frame["epoch"], frame.get("channels")
                    for name, head in frame["heads"].items():
                        positions.setdefault(name, head)
                case "joined":
                    positions[chat] = frame["seq"]
                case "reset":
                    positions[chat] = frame["head"]
                    if frame["reason"] in ("epoch", "ahead"):
                        life[chat] = life.get(chat, 0) + 1
                case "left":
                    positions.pop(chat, None)
                case "event" if takes_a_seq(frame):
                    yield Step(
                        record.at,
                        record.socket,
                        opened,
                        epoch,
                        chat,
                        frame["seq"],
                        positions.get(chat),
                        life.get(chat, 0),
                        frame["channel"],
                        frame["data"],
                        known,
                    )
                    positions[chat] = frame["seq"]


def cursors(history: History) -> dict[str, list]:
    """Per chat, the client's cursor over time: `[(at, seq)]`, with seq None from when it left the chat."""
    found, known = {}, {}
    epoch = None

    def move(chat, at, seq):
        known[chat] = seq
        found.setdefault(chat, []).append((at, seq))

    for record in history.records:
        if not isinstance(record, Saw):
            continue
        frame, chat = record.frame, record.frame.get("chatId")
        match frame["type"]:
            case "welcome":
                if epoch not in (None, frame["epoch"]):
                    known.clear()
                epoch = frame["epoch"]
                for name, head in frame["heads"].items():
                    if known.get(name) is None:
                        move(name, record.at, head)
            case "joined":
                move(chat, record.at, frame["seq"])
            case "reset":
                move(chat, record.at, frame["head"])
            case "left":
                move(chat, record.at, None)
            case "event" if takes_a_seq(frame):
                move(chat, record.at, frame["seq"])
    return found


def at(timeline: list, moment: float):
    """The cursor of a timeline at that moment; None where there was none."""
    value = None
    for when, seq in timeline:
        if when > moment:
            break
        value = seq
    return value


def synced_at(history: History, moment: float) -> bool:
    """Whether the client had an open socket at that moment that had said `synced`."""
    synced = False
    for record in history.records:
        if record.at > moment:
            break
        if isinstance(record, (Opened, Closed)):
            synced = False
        elif isinstance(record, Saw) and record.frame["type"] == "synced":
            synced = True
    return synced
