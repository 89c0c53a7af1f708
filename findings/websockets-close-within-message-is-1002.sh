#!/usr/bin/env bash
# Guess: a close frame may come at any time, also after the first fragment of a message that the peer has given up, and
# its code is the one that the closing handshake echoes and that the log shows. From RFC 6455 section 5.4 (control
# frames may stand between the fragments of a message) and section 5.5.1 (a close frame is answered with a close frame,
# and typically echoes its code).
#
# What happens in websockets' Sans-I/O `Protocol`: a close frame within a fragmented message is a protocol error. The
# peer that says 1001, "going away", is answered 1002, `parser_exc` is set, and the frame is not among the events; only
# `close_rcvd` tells of it. After the message's last fragment the same frame is a regular close.
#
# For a server: a tab that is closed during a large upload looks like a peer that breaks the protocol. Before counting
# a `parser_exc` as one, look whether `close_rcvd` is set.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check websockets==17.4

"$work/venv/bin/python" - <<'PYTHON'
import sys

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import Protocol, Side
from websockets.version import version

CLOSE = Frame(Opcode.CLOSE, Close(1001, "going away").serialize())


def server_after(*frames):
    protocol = Protocol(Side.SERVER)
    for frame in frames:
        protocol.receive_data(frame.serialize(mask=True))
    return protocol


print("websockets", version)
after = server_after(Frame(Opcode.TEXT, b"whole"), CLOSE)
within = server_after(Frame(Opcode.TEXT, b"begun", fin=False), CLOSE)
as_found = True
for case, protocol, answer, last_event in [
    ("after a message", after, 1001, Opcode.CLOSE),
    ("within a message", within, 1002, Opcode.TEXT),
]:
    last = protocol.events_received()[-1].opcode
    print(f"close 1001 {case}")
    print(f"  received: {protocol.close_rcvd}; last event: {last.name}")
    print(f"  answered: {protocol.close_sent}; error: {protocol.parser_exc!r}")
    as_found &= (protocol.close_rcvd.code, protocol.close_sent.code, last) == (1001, answer, last_event)
    as_found &= (protocol.parser_exc is None) == (answer == 1001)
print("AS FOUND: a close within a message is a protocol error" if as_found else "CHANGED")
sys.exit(not as_found)
PYTHON
