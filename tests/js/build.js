/** Small things that the tests are made of: messages, chats, frames, and a clock that is moved by hand. */
import { initialState } from "../../static/js/model/state.js";

export const ME = { id: "me", username: "me", displayName: "Me" };
export const at = (seq) => `2026-11-23T10:00:${String(seq).padStart(2, "0")}.000Z`;

export function message(seq, fields = {}) {
  return { id: `m${seq}`, content: `text ${seq}`, senderId: "ada", chatId: "c", createdAt: at(seq), isEdited: false, editedAt: null, deletedAt: null, seq, ...fields };
}

export function chat(fields = {}) {
  return {
    id: "c", name: null, description: null, chatType: "group", participantIds: ["ada", "bob", "me"], createdAt: at(0), updatedAt: at(0),
    ownerId: "ada", head: 0, unreadCount: 0, muted: false, lastMessage: null, ...fields,
  };
}

/** A chat as the channels carry it. */
export function chatObject(fields) {
  const { ownerId, head, unreadCount, muted, lastMessage, ...object } = chat(fields);
  return object;
}

export const event = (channel, seq, data, chatId = "c") => ({ type: "event", channel, chatId, seq, data });
export const stateFrame = (channel, seq, data, chatId = "c") => ({ type: "state", channel, chatId, seq, data });
export const added = (seq, fields) => event("messageAdded", seq, (({ seq: _, ...rest }) => rest)(message(seq, fields)));
export const start = (fields = {}) => ({ ...initialState(ME), ...fields });

export class Clock {
  #timers = new Map();
  #next = 1;
  time = 1_000_000;

  now = () => this.time;
  set = (run, ms) => {
    this.#timers.set(this.#next, { run, due: this.time + ms });
    return this.#next++;
  };
  clear = (id) => this.#timers.delete(id);

  /** Moves on, running what falls due in order; promises settle in between. */
  async pass(ms) {
    const end = this.time + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].filter(([, timer]) => timer.due <= end).sort((a, b) => a[1].due - b[1].due)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].due);
      due[1].run();
    }
    this.time = end;
    await settle();
  }
}

export const settle = () => new Promise((resolve) => setImmediate(resolve));
