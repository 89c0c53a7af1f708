"""What to do with an event at a position, and with a cursor that a client brings back. Pure; all delivery rests on it."""

from enum import Enum


class Step(Enum):
    DELIVER = "deliver"  # it is the next one
    DROP = "drop"  # it was delivered before
    PULL = "pull"  # events before it are missing


def step(known: int, seq: int) -> Step:
    """What an instance or a client at the position `known` does with the event `seq` of the same chat."""
    if seq == known + 1:
        return Step.DELIVER
    return Step.DROP if seq <= known else Step.PULL


class Reset(Enum):
    """Why a cursor is void; the value is the `reason` of the `reset` frame."""

    EPOCH = "epoch"  # it is of another history
    AHEAD = "ahead"  # it is above the chat's head, so it is of another history too
    FLOOR = "floor"  # the events after it were pruned
    BEHIND = "behind"  # more events are missing than are replayed


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
