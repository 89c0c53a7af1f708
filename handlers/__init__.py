"""HTTP and WebSocket translated to calls of chat/ and realtime/, and their errors to the one error shape.

No rules live here.
"""

VERSION = "1.0.0"
