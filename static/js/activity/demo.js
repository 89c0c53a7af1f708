/** The buttons that break things, and one that sends messages meanwhile. Only where the server is a demonstration. */
import { h } from "../ui/dom.js";

const TRIAL = "Trial run";
const MESSAGES = 20;
const PAUSE_MS = 150;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export function mountDemo({ api, userId }) {
  const panel = document.querySelector("#demo");
  const note = document.querySelector("#demo-note");
  if (!panel) return { kill: null };

  const say = (text) => (note.textContent = text);
  async function attempt(work, done) {
    try {
      await work();
      say(done);
    } catch (error) {
      say(`That did not work. ${error.message}`);
    }
  }
  const order = (body) => api.post("/api/demo/break", body);

  /** The id of the user's own group for the trial, which is created where it is missing. */
  async function trialChat() {
    for (let after = null; ; ) {
      const page = await api.get(`/api/chats?limit=200${after ? `&after=${after}` : ""}`);
      const found = page.items.find((chat) => chat.name === TRIAL && chat.ownerId === userId && chat.participantIds.length === 1);
      if (found) return found.id;
      if (!page.next) return (await api.post("/api/chats", { chatType: "group", name: TRIAL, participantIds: [] })).id;
      after = page.next;
    }
  }

  async function send() {
    const chatId = await trialChat();
    for (let number = 1; number <= MESSAGES; number += 1) {
      await api.post(`/api/chats/${chatId}/messages`, { content: `Trial message ${number}` });
      await wait(PAUSE_MS);
    }
  }

  const ACTIONS = {
    send: [`Send ${MESSAGES} messages`, () => attempt(send, `${MESSAGES} messages are in the chat “${TRIAL}”, which is yours alone.`)],
    dropSockets: ["Drop my sockets", () => attempt(() => order({ what: "dropSockets" }), "Your sockets were closed. They come back with their cursors.")],
    pauseRedis: ["Pause Redis 5\u00a0s", () => attempt(() => order({ what: "pauseRedis" }), "Redis answers nobody for 5 seconds. Messages are committed and found without it.")],
    disorder: ["Disorder Redis 10\u00a0s", () => attempt(() => order({ what: "disorder" }), "For 10 seconds every instance loses, doubles and reorders what it publishes.")],
  };
  for (const [what, [label, run]] of Object.entries(ACTIONS)) {
    const button = h("button", { type: "button", class: `button button-small${what === "send" ? " button-primary" : ""}`, data: { break: what } }, label);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await run();
      button.disabled = false;
    });
    panel.querySelector(".demo-buttons").append(button);
  }
  for (const button of document.querySelectorAll("[data-send-trial]")) button.addEventListener("click", () => panel.querySelector('[data-break="send"]').click());

  return { kill: (instance) => attempt(() => order({ what: "kill", instance }), `${instance} was killed. Its sockets go elsewhere, and it is started again.`) };
}
