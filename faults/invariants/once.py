"""Once and only once: what became of each operation."""

from collections import Counter, defaultdict

from faults.evidence import Evidence, Operation

# What takes a seq; the others (read, look, pry, sign-out) leave no event.
LOGGED_KINDS = ("send", "edit", "delete", "rename", "add", "remove", "create")


def acknowledged_exactly_once(evidence: Evidence) -> str | None:
    """1. Every acknowledged operation is in the final history exactly once."""
    message_of = {message.id: message for message in evidence.final.messages}
    for operation in evidence.operations:
        if operation.success is None or evidence.was_lost(operation):
            continue
        if operation.kind in LOGGED_KINDS:
            problem = _event_of(evidence, operation) or operation.kind == "send" and _message_of(message_of, operation)
        else:
            problem = operation.kind == "read" and _watermark_of(evidence, message_of, operation)
        if problem:
            return f"{operation} was acknowledged, but {problem}"
    return _contents(evidence)


def _event_of(evidence, operation):
    events, seq = evidence.by_key.get((operation.user, operation.key), []), operation.success.seq
    if seq is None:
        # It changed nothing (who was to be added was there), and such an answer is not kept under the key: an earlier attempt
        # that was under way may arrive later and change something after all.
        return (
            events
            and not operation.ambiguous
            and f"although it was answered without a seq, it is in the history at {events[0].seq}"
        )
    if not events:
        return f"nothing of it is in the final history (it was answered with seq {seq})"
    if len(events) > 1:
        return f"it is in the final history {len(events)} times: seqs {[event.seq for event in events]}"
    if events[0].seq != seq:
        return f"it is at seq {events[0].seq}, not {seq} as answered"


def _message_of(message_of, operation):
    answer = operation.success.body
    if answer["id"] not in message_of:
        return f"its message {answer['id']} does not exist"


def _watermark_of(evidence, message_of, operation):
    message = message_of.get(operation.message)
    watermark = evidence.final.watermarks.get((operation.chat, operation.user))
    removed = any(event.user == operation.user and event.chat == operation.chat for event in evidence.final.events)
    if message and watermark is not None and not removed and watermark < message.seq:
        return f"the watermark is {watermark}, below the message read, {message.seq}"


def _contents(evidence):
    """A message reads as the newest of its operations in the history made it."""
    expected = {}
    for event in sorted(evidence.final.events, key=lambda event: event.seq):
        if event.kind in ("messageAdded", "messageUpdated"):
            operation = evidence.operation_of.get((event.actor, event.key))
            expected[event.message] = operation and operation.text
        elif event.kind == "messageDeleted":
            expected[event.message] = ""
    for message in evidence.final.messages:
        wanted = expected.get(message.id)
        if wanted is not None and message.content != wanted:
            return f"message {message.id} of chat {message.chat} reads {message.content!r} in the end; the history says {wanted!r}"


def unacknowledged_at_most_once(evidence: Evidence) -> str | None:
    """2. An unacknowledged operation happened zero or one time; one repeated with its key until answered, exactly once."""
    copies = Counter(message.content for message in evidence.final.messages if message.content)
    for operation in evidence.operations:
        events = evidence.by_key.get((operation.user, operation.key), [])
        if len(events) > 1:
            return f"{operation} happened {len(events)} times: seqs {[event.seq for event in events]}"
        if operation.kind == "send" and copies[operation.text] > 1:
            return f"{operation} was sent once by its person, and its text is in {copies[operation.text]} messages"
        if operation.success is None and not operation.ambiguous and events:
            return f"{operation} was refused with {operation.attempts[-1].status}, and yet it is at seq {events[0].seq}"
        if problem := _answers_differ(operation):
            return f"{operation} {problem}"
    return _strangers(evidence)


def _answers_differ(operation: Operation):
    said = defaultdict(set)
    for attempt in operation.attempts:
        if attempt.status is not None and attempt.status < 300 and operation.kind in LOGGED_KINDS:
            said["seq"].add(attempt.seq)
            said["id"].add((attempt.body or {}).get("id"))
    for what, values in said.items():
        if len(values) > 1:
            return f"was repeated with the same key and answered with different {what}s: {sorted(map(str, values))}"


def _strangers(evidence):
    """Nothing is in the history that no client asked for."""
    users = {history.user for history in evidence.histories}
    for event in evidence.final.events:
        if (
            event.actor in users
            and evidence.rig_time(event) > evidence.began_at
            and (event.actor, event.key) not in evidence.operation_of
        ):
            return (
                f"chat {event.chat} has a {event.kind} at seq {event.seq} under the key {event.key}, which nobody sent"
            )
