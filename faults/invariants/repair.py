"""After healing: everybody at the head, and what they built is what there is."""

from collections import Counter

from faults.evidence import Evidence
from faults.history import SignedIn, SignedOut
from faults.invariants.streams import at, cursors, synced_at


def synced_at_head(evidence: Evidence) -> str | None:
    """7. Within 5 s of healing every client is synced at head, and from then on follows within 5 s."""
    signed_in = _signed_in(evidence)
    for history in evidence.histories:
        begin = max(evidence.healed_at, signed_in.get(history.user, 0.0))
        if begin == float("inf"):
            return f"{history.client} signed out and could not sign in again"
        if not synced_at(history, begin + evidence.limits.synced):
            return f"{history.client} was not synced {evidence.limits.synced:g} s after healing"
        timelines = cursors(history)
        for event in _to_reach(evidence, history.user):
            deadline = max(begin, evidence.rig_time(event)) + evidence.limits.synced
            cursor = at(timelines.get(event.chat, []), deadline)
            if cursor is None or cursor < event.seq:
                return (
                    f"{history.client} was at {cursor} in chat {event.chat} at {deadline:.2f} s; seq {event.seq} "
                    f"({event.kind}) was committed at {evidence.rig_time(event):.2f} s and healing was at {evidence.healed_at:.2f} s"
                )


def slowest_repair(evidence: Evidence) -> float:
    """Seconds from healing until the last client had what was committed before it."""
    slowest = 0.0
    for history in evidence.histories:
        timelines = cursors(history)
        for event in _to_reach(evidence, history.user):
            if evidence.rig_time(event) <= evidence.healed_at:
                reached = next(
                    (when for when, seq in timelines.get(event.chat, ()) if seq is not None and seq >= event.seq), 0.0
                )
                slowest = max(slowest, reached - evidence.healed_at)
    return slowest


def _signed_in(evidence):
    """User → when they last signed in; never, where they stayed signed out."""
    found = {}
    for history in evidence.histories:
        for record in history.records:
            if isinstance(record, (SignedIn, SignedOut)) and record.at >= found.get(history.user, (0.0,))[0]:
                found[history.user] = record.at, isinstance(record, SignedIn)
    return {user: at if signed_in else float("inf") for user, (at, signed_in) in found.items()}


def _to_reach(evidence, user):
    """Of each chat that the user is in: the newest event before healing, and all after it."""
    newest = {}
    for event in evidence.final.events:
        if (event.chat, user) not in evidence.final.watermarks:
            continue
        if evidence.rig_time(event) > evidence.healed_at:
            yield event
        elif event.chat not in newest or event.seq > newest[event.chat].seq:
            newest[event.chat] = event
    yield from newest.values()


def built_is_fresh(evidence: Evidence) -> str | None:
    """8. What a client built from snapshot plus events equals a fresh snapshot."""
    for snapshot in evidence.snapshots:
        for chat in snapshot.fresh.keys() | snapshot.built.keys():
            built, fresh = snapshot.built.get(chat), snapshot.fresh.get(chat)
            if built is None or fresh is None:
                return f"{snapshot.client} {'does not know of' if built is None else 'still believes in'} chat {chat}"
            if problem := _difference(built, fresh):
                return f"{snapshot.client} has another picture of chat {chat} than a fresh one: {problem}"


def _difference(built, fresh):
    for what in ("participants", "name", "unread"):
        if getattr(built, what) != getattr(fresh, what):
            return f"{what} {_short(getattr(built, what))}, not {_short(getattr(fresh, what))}"
    since = max(built.since, fresh.since)
    ours, theirs = ({key: m for key, m in view.messages.items() if m[0] >= since} for view in (built, fresh))
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            return f"message {key} is {ours.get(key)}, not {theirs.get(key)}"
    for user in fresh.participants:
        if built.watermarks.get(user, 0) < fresh.watermarks.get(user, 0):
            return f"the watermark of {user} is {built.watermarks.get(user)}, not {fresh.watermarks[user]}"


def _short(value):
    return f"{len(value)} entries" if isinstance(value, list) else repr(value)


def unread_is_derived(evidence: Evidence) -> str | None:
    """9. Unread = messages by others, not deleted, above the watermark."""
    for snapshot in evidence.snapshots:
        above = Counter()
        for message in evidence.final.messages:
            watermark = evidence.final.watermarks.get((message.chat, snapshot.user))
            if (
                watermark is not None
                and not message.deleted
                and message.sender != snapshot.user
                and message.seq > watermark
            ):
                above[message.chat] += 1
        for chat, view in snapshot.fresh.items():
            if view.unread != above[chat]:
                return (
                    f"{snapshot.client} is told {view.unread} unread in chat {chat}; counted, there are {above[chat]}"
                )
