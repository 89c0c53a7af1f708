#!/usr/bin/env bash
# Guess: `max_size` bounds a message, that is, the sum of its data fragments, and a ping sent between two of them is
# answered and counts for nothing. From the documentation of websockets' Sans-I/O `Protocol` (parameter `max_size`), a
# maintainer's words in python-websockets/websockets issue 1602, and RFC 6455 section 5.4, which lets control frames
# stand between the fragments of a message.
#
# What happens: while a fragmented message is being received, every frame is held against the bytes that the message
# has left, control frames too. A ping of 100 bytes with 50 bytes left fails the connection with 1009, though the
# message would have fitted. The same ping between two messages is answered. Likewise a `max_size` below 125 forbids
# pings and close frames that the RFC allows.
#
# For a server on this layer: a client whose heartbeat carries a payload can be thrown out in the middle of a valid
# upload, and the 1009 in the log blames the message. Allow 125 bytes more than the largest message, and check the
# message itself.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check websockets==17.4

"$work/venv/bin/python" - <<'PYTHON'
import sys

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side
from websockets.version import version

MAX_SIZE = 1000
FIRST, LAST = Frame(Opcode.TEXT, b"a" * 950, fin=False), Frame(Opcode.CONT, b"b" * 50)
PING = Frame(Opcode.PING, b"p" * 100)


def received(*frames, max_size=MAX_SIZE):
    """What a server makes of these frames: the code it closes with, or the names of what it received."""
    protocol = Protocol(Side.SERVER, max_size=max_size)
    for frame in frames:
        protocol.receive_data(frame.serialize(mask=True))
    if protocol.parser_exc is not None:
        return f"fails with {protocol.close_sent.code}: {protocol.parser_exc}"
    return "receives " + " ".join(frame.opcode.name for frame in protocol.events_received())


print("websockets", version)
cases = {
    "a message of 1000 bytes in two fragments": received(FIRST, LAST),
    "the same, with a ping before it": received(PING, FIRST, LAST),
    "the same, with the ping between its fragments": received(FIRST, PING, LAST),
    "that ping alone, with max_size=50": received(PING, max_size=50),
}
for case, result in cases.items():
    print(f"{case}: {result}")
plain, before, between, alone = cases.values()
as_found = (
    plain == "receives TEXT CONT"
    and before == "receives PING TEXT CONT"
    and between.startswith("fails with 1009")
    and alone.startswith("fails with 1009")
)
print("AS FOUND: a ping is held against the bytes left to the message" if as_found else "CHANGED")
sys.exit(not as_found)
PYTHON
