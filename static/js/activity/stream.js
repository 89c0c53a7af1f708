/** The socket of `/ws/activity`: reopened for ever, unless this user may not watch. It does not know what the frames mean. */
import { backoff } from "../net/backoff.js";

const SILENCE_MS = 6_000; // the instance at the other end reports every second
const FORBIDDEN = [4401, 4403];
const PENALTY_MS = 30_000;

/** `take(frame)` gets every frame; `report(phase)` is told `connecting`, `live`, `lost`, `signedOut` or `forbidden`. */
export function watchActivity({ take, report }) {
  let socket = null;
  let attempt = 0;
  let timer = null;

  function dial() {
    clearTimeout(timer);
    const url = new URL("/ws/activity", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const mine = (socket = new WebSocket(url));
    hear();
    mine.onmessage = ({ data }) => {
      hear();
      attempt = 0;
      take(JSON.parse(data));
      report("live");
    };
    mine.onclose = ({ code }) => socket === mine && lost(code);
  }

  function hear() {
    clearTimeout(timer);
    timer = setTimeout(() => lost(1006), SILENCE_MS);
  }

  function lost(code) {
    clearTimeout(timer);
    const old = socket;
    socket = null;
    old?.close();
    if (FORBIDDEN.includes(code)) return report(code === 4401 ? "signedOut" : "forbidden");
    report("lost");
    timer = setTimeout(dial, code === 4409 ? PENALTY_MS : backoff(attempt++));
  }

  function wake() {
    if (socket || document.visibilityState !== "visible") return;
    attempt = 0;
    dial();
  }

  addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  report("connecting");
  dial();
}
