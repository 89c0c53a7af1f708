"""It goes on: every request is answered, chats that the fault does not touch proceed, memory stays bounded."""

from collections import defaultdict

from faults.evidence import Evidence

WAITING = 3  # operations that must be waiting for a standstill to be one


def answered_in_time(evidence: Evidence) -> str | None:
    """12. Every HTTP request is answered within 7 s, chats not touched by the fault go on, memory stays bounded."""
    for operation in evidence.operations:
        for attempt in operation.attempts:
            if attempt.ended is None:
                continue
            seconds = attempt.ended - attempt.sent
            if seconds > evidence.limits.answer and not evidence.hurt(
                "client", operation.client, attempt.sent - 1, attempt.ended
            ):
                answer = "not answered" if attempt.status is None else f"answered with {attempt.status}"
                return f"{operation}, sent at {attempt.sent:.2f} s, was {answer} after {seconds:.1f} s"
    return _standstill(evidence) or _memory(evidence)


def _standstill(evidence):
    sent, succeeded = defaultdict(list), defaultdict(list)
    for operation in evidence.operations:
        if (
            operation.chat
            and operation.kind in ("send", "edit")
            and not evidence.hurt("client", operation.client, 0, 1e18)
        ):
            sent[operation.chat].append(operation.first_sent)
            if operation.success:
                succeeded[operation.chat].append(operation.success.ended)
    for chat, times in sent.items():
        moments = [evidence.began_at, *sorted(succeeded[chat]), max(evidence.healed_at, evidence.began_at)]
        for start, end in zip(moments, moments[1:], strict=False):
            waiting = sum(start <= at <= end - evidence.limits.standstill for at in times)
            if waiting >= WAITING and not evidence.hurt("all", None, start, end):
                return (
                    f"chat {chat} stood still from {start:.2f} s to {end:.2f} s, with {waiting} operations waiting, while the "
                    "fault should not have stopped it"
                )


def _memory(evidence):
    for instance, mib in evidence.memory.items():
        if mib > evidence.limits.memory_mib:
            return f"{instance} took {mib:.0f} MiB of memory"
