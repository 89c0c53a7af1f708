"""One order, the same for everybody, without gaps and doubles."""

from collections import defaultdict

from faults.evidence import LOGGED, Evidence
from faults.invariants.once import LOGGED_KINDS
from faults.invariants.streams import walk


def seq_is_contiguous(evidence: Evidence) -> str | None:
    """3. Per client and chat, seq is contiguous except after a reset."""
    for history in evidence.histories:
        for step in walk(history):
            if step.position is None:
                return f"{history.client} got seq {step.seq} of chat {step.chat}, in which it had no position ({_where(step)})"
            if step.seq > step.position + 1:
                return (
                    f"{history.client} got seq {step.seq} of chat {step.chat} after {step.position}: "
                    f"{step.seq - step.position - 1} missing ({_where(step)})"
                )
    return _history_is_whole(evidence)


def _history_is_whole(evidence):
    seqs = defaultdict(set)
    for event in evidence.final.events:
        seqs[event.chat].add(event.seq)
    for chat, found in seqs.items():
        if missing := set(range(min(found), max(found) + 1)) - found:
            return f"the final history of chat {chat} has no seq {min(missing)}"


def nothing_twice(evidence: Evidence) -> str | None:
    """4. No (chat, seq) comes twice to a logical client, across reconnects."""
    for history in evidence.histories:
        seen = {}
        for step in walk(history):
            place = (step.epoch, step.chat, step.seq, step.life)
            if place in seen:
                return (
                    f"{history.client} got seq {step.seq} of chat {step.chat} twice: on socket {seen[place].socket} at "
                    f"{seen[place].at:.2f} s, and {_where(step)}"
                )
            seen[place] = step


def all_agree(evidence: Evidence) -> str | None:
    """5. All clients agree which event each (chat, seq) is, and the final history says the same."""
    first = {}
    texts, taken_back = _texts(evidence), _taken_back(evidence)
    for history in evidence.histories:
        for step in walk(history):
            if step.channel not in LOGGED:
                if problem := _of_a_later_release(evidence, step):
                    return f"{history.client} got {problem}"
                continue
            if step.data is None:
                return f"{history.client} got {_place(step)} without its object, though every release knows the kind"
            identity = step.data["id"]
            other = first.setdefault((step.epoch, step.chat, step.seq), (step.channel, identity, history.client))
            if other[1] != identity or not _same_kind(other[0], step.channel):
                return (
                    f"seq {step.seq} of chat {step.chat} is {step.channel} of {identity} to {history.client}, and "
                    f"{other[0]} of {other[1]} to {other[2]}"
                )
            content = step.data.get("content")
            if (
                content
                and identity in texts
                and content not in texts[identity]
                and (step.chat, content) not in taken_back
            ):
                return f"{history.client} got message {identity} with a text that nobody wrote into it: {content!r} ({_where(step)})"
    for (epoch, chat, seq), (channel, identity, client) in first.items():
        if epoch != evidence.final.epoch:
            continue
        event = evidence.by_place.get((chat, seq))
        if event is None:
            return f"{client} got seq {seq} of chat {chat} ({channel} of {identity}), which is not in the final history"
        if identity != (event.message or event.chat) or not _same_kind(event.kind, channel):
            return (
                f"seq {seq} of chat {chat} is {event.kind} of {event.message or event.chat} in the final history, and "
                f"{channel} of {identity} to {client}"
            )


def _of_a_later_release(evidence, step):
    """It stands in the place of an event of its kind: with its object from an instance that knows the kind, with nothing from any other."""
    event = evidence.by_place.get((step.chat, step.seq))
    if step.epoch == evidence.final.epoch and (event is None or event.kind != step.channel):
        return f"{_place(step)}; in the final history it is {event.kind if event else 'nothing'}"
    if step.known is not None and (step.channel in step.known) != (step.data is not None):
        what = "knows the kind, without its" if step.channel in step.known else "does not know the kind, with an"
        return f"{_place(step)} from an instance that {what} object"


def _place(step):
    return f"seq {step.seq} of chat {step.chat} as {step.channel}"


def _same_kind(one, other):
    # A replay shows the present: where an edit is replayed of a message since deleted, messageDeleted stands in its place.
    return one == other or {one, other} == {"messageUpdated", "messageDeleted"}


def _texts(evidence):
    """Message → the texts that its sender gave it, those that a restore took back included."""
    found = defaultdict(set)
    for operation in evidence.operations:
        message = operation.message or operation.success and (operation.success.body or {}).get("id")
        if operation.text and message:
            found[message].add(operation.text)
    for event in evidence.final.events:
        operation = evidence.operation_of.get((event.actor, event.key))
        if operation and operation.text and event.message:
            found[event.message].add(operation.text)
    return found


def _taken_back(evidence):
    """`(chat, text)` of messages that a restore may have taken back before their senders knew which they were: sent anew, they are others."""
    return {
        (operation.chat, operation.text)
        for operation in evidence.operations
        if operation.kind == "send" and evidence.was_lost(operation)
    }


def real_time_order(evidence: Evidence) -> str | None:
    """6. What was answered before the next was sent has the smaller seq; createdAt never decreases along seq."""
    chats = defaultdict(list)
    for operation in evidence.operations:
        if operation.kind in LOGGED_KINDS:
            for event in evidence.by_key.get((operation.user, operation.key), []):
                chats[event.chat].append((event.seq, operation))
    for chat, placed in chats.items():
        earliest = None  # answered first, of those with a greater seq
        for seq, operation in sorted(placed, key=lambda pair: pair[0], reverse=True):
            if earliest and operation.first_sent > earliest[1].success.ended:
                return (
                    f"in chat {chat}, {earliest[1]} was answered at {earliest[1].success.ended:.3f} s with seq {earliest[0]}, "
                    f"and {operation}, sent at {operation.first_sent:.3f} s, has seq {seq}"
                )
            if (
                operation.success
                and operation.success.seq is not None
                and (earliest is None or operation.success.ended < earliest[1].success.ended)
            ):
                earliest = (seq, operation)
    return _times(evidence)


def _times(evidence):
    last = {}
    for thing in sorted([*evidence.final.events, *evidence.final.messages], key=lambda thing: thing.seq):
        before = last.get(thing.chat)
        if before and thing.at < before.at - 0.0005:
            return f"in chat {thing.chat} seq {thing.seq} is {before.at - thing.at:.3f} s older than seq {before.seq}"
        last[thing.chat] = thing


def _where(step):
    return f"socket {step.socket}, at {step.at:.2f} s"
