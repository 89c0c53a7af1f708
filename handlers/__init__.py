"""HTTP and WebSocket translated to calls of chat/ and realtime/, one file a noun. No rules live here."""
