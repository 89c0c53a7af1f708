"""The checker: twelve invariants over what the clients wrote down and the database has in the end. It knows nothing of the code."""

from dataclasses import dataclass

from faults.evidence import Evidence
from faults.invariants.audience import only_participants_hear, signed_out_hear_nothing
from faults.invariants.once import acknowledged_exactly_once, unacknowledged_at_most_once
from faults.invariants.order import all_agree, nothing_twice, real_time_order, seq_is_contiguous
from faults.invariants.repair import built_is_fresh, synced_at_head, unread_is_derived
from faults.invariants.service import answered_in_time

INVARIANTS = (
    acknowledged_exactly_once,
    unacknowledged_at_most_once,
    seq_is_contiguous,
    nothing_twice,
    all_agree,
    real_time_order,
    synced_at_head,
    built_is_fresh,
    unread_is_derived,
    only_participants_hear,
    signed_out_hear_nothing,
    answered_in_time,
)


@dataclass
class Violation:
    number: int  # of the invariant, as in docs/reliability.md
    name: str
    report: str

    def __str__(self):
        return f"invariant {self.number}, {self.name.replace('_', ' ')}: {self.report}"


def check(evidence: Evidence) -> list[Violation]:
    """The first violation of each invariant that does not hold."""
    found = []
    for number, invariant in enumerate(INVARIANTS, 1):
        if report := invariant(evidence):
            found.append(Violation(number, invariant.__name__, report))
    return found
