/** Ties the connection to the page: the browser's events in, frames to the reducers, phases to the state. */
import { wantedChannels } from "../model/channel-reducers.js";
import { applyFrame } from "../model/frame-reducers.js";
import { takePhase } from "../model/state.js";
import { Connection } from "../net/connection.js";
import { openSocket } from "../net/socket.js";
import { onWake } from "../net/wake.js";

export function createStream({ store, api, signedOut }) {
  const resume = () => {
    const { epoch, cursors, since } = store.state;
    return { epoch, cursors, ...(since ? { since } : {}) };
  };

  const apply = (frame) => {
    store.update((state) => applyFrame(state, frame));
    return store.state.gap === null;
  };

  const report = (phase, heardAt) => {
    const shown = phase === "reconnecting" && !navigator.onLine ? "offline" : phase;
    store.update((state) => takePhase(state, shown, Date.now(), heardAt));
  };

  const sync = async (body) => (await api.post("/api/sync", body)).items;
  const connection = new Connection({ openSocket, sync, resume, apply, report, signedOut, wishes: { channels: wantedChannels, presence: true } });

  addEventListener("online", () => connection.wake());
  addEventListener("offline", () => connection.offline());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && connection.wake());
  addEventListener("pageshow", (event) => event.persisted && connection.wake());
  onWake(() => connection.wake());
  connection.start();
  return connection;
}
