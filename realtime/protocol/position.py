"""What to do with an event at a position, and with a cursor that a client brings back. Pure, and everything rests on it."""

from enum import Enum


class Step(Enum):
    DELIVER = "deliver"  # the next one
    DROP = "drop"  # had already
    PULL = "pull"  # something between was missed


def step(known: int, seq: int) -> Step:
    """What an instance or a socket that is at `known` does with the event `seq` of the same chat."""
    if seq == known + 1:
        return Step.DELIVER
    return Step.DROP if seq <= known else Step.PULL


class Reset(Enum):
    """Why a cursor is void; the value is the `reason` of the `reset` frame."""

    EPOCH = "epoch"  # of another history
    AHEAD = "ahead"  # newer than the chat: also another history
    FLOOR = "floor"  # what follows it was pruned
    BEHIND = "behind"  # more was missed than is replayed


def void(cursor: int, head: int, floor: int, limit: int, same_epoch: bool = True) -> Reset | None:
    """Why a chat between `floor` and `head` cannot be continued from `cursor`, or None if it can."""
    if not same_epoch:
        return Reset.EPOCH
    if cursor > head:
        return Reset.AHEAD
    if cursor < floor:
        return Reset.FLOOR
    if head - cursor > limit:
        return Reset.BEHIND
    return None
