"""Who must not hear: people outside a chat, the removed, the signed out; and what was deleted."""

from collections import defaultdict
from dataclasses import dataclass

from faults.evidence import Evidence
from faults.history import Closed, Opened, Saw
from faults.invariants.streams import walk

END = float("inf")


@dataclass
class Stay:
    """Somebody's time in a chat, by seqs; `asked` is when the rig first asked for it, `over` when its end was answered."""

    first: int
    last: float = END
    asked: float = 0.0
    over: float = END


def stays(evidence: Evidence) -> dict:
    """(chat, user) → their stays, from the final history and what the clients asked for."""
    found = defaultdict(list)
    for chat, users in evidence.initial.items():
        for user in users:
            found[chat, user].append(Stay(0))
    for event in sorted(evidence.final.events, key=lambda event: event.seq):
        operation = evidence.operation_of.get((event.actor, event.key))
        if event.kind == "chatUpdated" and event.user:
            for stay in found[event.chat, event.user][-1:]:
                stay.last = min(stay.last, event.seq)
                stay.over = operation.success.ended if operation and operation.success else END
        elif operation and operation.kind in ("add", "create"):
            for user in {*operation.users, *([operation.user] if operation.kind == "create" else [])}:
                known = found[event.chat, user]
                if not known or known[-1].last < event.seq:
                    known.append(Stay(event.seq, asked=operation.first_sent))
    return found


def only_participants_hear(evidence: Evidence) -> str | None:
    """10. Who is not in a chat receives nothing of it; the removed nothing that was committed after; deleted text never comes again."""
    known = stays(evidence)
    return _streams(evidence, known) or _answers(evidence, known) or _deleted(evidence)


def _streams(evidence, known):
    for history in evidence.histories:
        for step in walk(history):
            # A chat's whole history is open to whoever is in it now, so a later stay covers what was before it.
            if step.epoch == evidence.final.epoch and not any(
                stay.first <= step.seq <= stay.last or stay.first > step.seq and stay.asked < step.at
                for stay in known[step.chat, history.user]
            ):
                return (
                    f"{history.client} got seq {step.seq} of chat {step.chat} ({step.channel}) at {step.at:.2f} s, "
                    f"{_about(known[step.chat, history.user])}"
                )
        for record in history.of(Saw):
            frame = record.frame
            if (
                frame["type"] == "state"
                and frame["channel"] == "unreadCountUpdated"
                and frame["data"]["userId"] != history.user
            ):
                return f"{history.client} was told the unread count of {frame['data']['userId']}"
            if frame["type"] == "state" and evidence.lost is None and not known[frame["chatId"], history.user]:
                return (
                    f"{history.client} was told a {frame['channel']} of chat {frame['chatId']}, in which it never was"
                )


def _about(found):
    return f"but was in it only for seqs {[(s.first, s.last) for s in found]}" if found else "but never was in it"


def _answers(evidence, known):
    for operation in evidence.operations:
        if operation.kind not in ("look", "pry") or evidence.lost:
            continue
        for attempt in operation.attempts:
            if attempt.status == 200 and not any(
                stay.asked < attempt.ended and stay.over > attempt.sent
                for stay in known[operation.chat, operation.user]
            ):
                return f"{operation} was shown chat {operation.chat}, {_about(known[operation.chat, operation.user])}"


def _deleted(evidence):
    gone = {}
    for operation in evidence.operations:
        if operation.kind == "delete" and operation.success and not evidence.was_lost(operation):
            gone[operation.message] = min(operation.success.ended, gone.get(operation.message, END))
    for message in evidence.final.messages:
        if message.id in gone and message.content:
            return f"message {message.id} was deleted, and its text is still in the database"
    for operation in evidence.operations:
        for attempt in operation.attempts:
            for message in (attempt.body or {}).get("items") or [attempt.body or {}]:
                if message.get("content") and gone.get(message.get("id"), END) < attempt.sent:
                    return f"{operation}, sent at {attempt.sent:.2f} s, was shown the text of message {message['id']}, deleted before"
    for history in evidence.histories:
        for step in walk(history):
            if step.data and step.data.get("content") and gone.get(step.data["id"], END) < step.opened:
                return (
                    f"{history.client} was replayed the text of message {step.data['id']} on socket {step.socket}, opened at "
                    f"{step.opened:.2f} s; it was deleted before"
                )


def signed_out_hear_nothing(evidence: Evidence) -> str | None:
    """11. After sign-out the sockets of that session close within 2 s (5 s where something is down), and nothing follows."""
    for history in evidence.histories:
        tokens, instance = {}, {}
        closed = {record.socket: record.at for record in history.of(Closed)}
        for record in history.records:
            if isinstance(record, Opened):
                tokens[record.socket] = record.token
            elif isinstance(record, Saw):
                if record.frame["type"] == "welcome":
                    instance[record.socket] = record.frame["instance"]
                deadline = _deadline(evidence, history.client, tokens.get(record.socket), instance.get(record.socket))
                if record.at > deadline:
                    return (
                        f"{history.client} got a {record.frame['type']} at {record.at:.2f} s on socket {record.socket}, whose "
                        f"session was signed out; it had to be closed by {deadline:.2f} s"
                    )
        for socket, token in tokens.items():
            deadline = _deadline(evidence, history.client, token, instance.get(socket))
            if socket in instance and deadline < END and closed.get(socket, END) > deadline + 0.5:
                return f"{history.client}'s socket {socket} was still open at {deadline:.2f} s, though its session was signed out"


def _deadline(evidence, client, token, instance):
    """When a socket of this session has to be closed."""
    signed_out = evidence.sign_outs.get(token)
    if signed_out is None:
        return END
    limits = evidence.limits
    last = signed_out + limits.sign_out_without_redis
    anything = any(window.start <= last and window.end >= signed_out - 5 for window in evidence.windows)
    deadline = last if anything else signed_out + limits.sign_out
    for window in evidence.windows:
        # A frozen instance closes nothing, and over a hurt link no close arrives.
        mine = window.name in (instance, client) or window.part in ("database", "all", "nginx")
        if mine and window.start <= deadline and window.end >= signed_out - 1:
            deadline = max(deadline, window.end + limits.sign_out_without_redis)
    return deadline
