/** This page as an ordinary client of `/ws`: counts what reached it, and whether any of it was lost, doubled or out of order. */
import { Connection } from "../net/connection.js";
import { openSocket } from "../net/socket.js";

const COMPARE_MS = 3_000;

/** Compares the frames of the stream with the cursors. Pure. */
export class Witness {
  epoch = null;
  cursors = {};
  received = 0;
  replayed = 0; // of them, after a reconnection
  lost = 0;
  doubled = 0;
  behind = 0; // events that PostgreSQL had and this page had not, when they were last compared
  #inSync = false;

  /** Events count whatever their channel; frames of other types say nothing of what was lost. */
  apply(frame) {
    const take = { welcome: this.#welcome, event: this.#event, joined: this.#joined, left: this.#left, reset: this.#reset, synced: this.#synced };
    if (Object.hasOwn(take, frame.type)) take[frame.type].call(this, frame);
    return true;
  }

  /** A new socket begins. */
  resume() {
    this.#inSync = false;
    return { epoch: this.epoch, cursors: this.cursors };
  }

  /** `heads`: chat → the newest seq that PostgreSQL has. */
  compare(heads) {
    this.behind = Object.entries(heads).reduce((sum, [chatId, head]) => sum + Math.max(0, head - (this.cursors[chatId] ?? head)), 0);
  }

  #welcome({ epoch, heads }) {
    this.epoch = epoch;
    for (const [chatId, head] of Object.entries(heads)) this.cursors[chatId] ??= head;
  }

  #event({ chatId, seq }) {
    const expected = (this.cursors[chatId] ?? seq - 1) + 1;
    if (seq < expected) {
      this.doubled += 1;
      return;
    }
    this.lost += seq - expected;
    this.received += 1;
    this.replayed += this.#inSync ? 0 : 1;
    this.cursors[chatId] = seq;
  }

  #joined({ chatId, seq }) {
    this.cursors[chatId] = seq;
  }

  #left({ chatId }) {
    delete this.cursors[chatId];
  }

  #reset({ chatId, head }) {
    this.cursors[chatId] = head;
  }

  #synced({ heads }) {
    this.#inSync = true;
    for (const [chatId, head] of Object.entries(heads)) {
      this.lost += Math.max(0, head - (this.cursors[chatId] ?? head));
      this.cursors[chatId] = head;
    }
  }
}

/** Connects a witness; `changed({witness, phase, comparedAt})` is called whenever one of them has changed. */
export function startWitness({ api, signedOut, changed }) {
  const witness = new Witness();
  let phase = "connecting";
  let comparedAt = null;
  const tell = () => changed({ witness, phase, comparedAt });

  const sync = async (body) => (await api.post("/api/sync", body)).items;
  const connection = new Connection({
    openSocket, sync, signedOut,
    wishes: { channels: [] }, // the log is enough
    resume: () => witness.resume(),
    apply: (frame) => (witness.apply(frame), tell(), true),
    report: (next) => ((phase = next), tell()),
  });

  /** Asks PostgreSQL for the heads and shows what is missing. An event that is under way just now will be there the next time. */
  async function compare() {
    setTimeout(compare, COMPARE_MS);
    if (document.visibilityState !== "visible" || phase === "connecting") return;
    try {
      const [welcome] = await sync({ epoch: witness.epoch, cursors: witness.cursors, channels: [] });
      witness.compare(welcome.heads);
      comparedAt = Date.now();
      tell();
    } catch {
      // The connection's phase says what there is to say.
    }
  }

  addEventListener("online", () => connection.wake());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && connection.wake());
  connection.start();
  setTimeout(compare, COMPARE_MS);
  return witness;
}
