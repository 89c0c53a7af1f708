/** Opens the WebSocket of the stream: `/ws`, docs/protocol.md. */
export function openSocket() {
  const url = new URL("/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url, "parley.v1");
}
