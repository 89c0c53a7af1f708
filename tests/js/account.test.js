import assert from "node:assert/strict";
import { test } from "node:test";
import { choices, worth } from "../../static/js/account/invitations.js";
import { inOrder, lastUsed } from "../../static/js/account/sessions.js";
import { deviceName, isPhone } from "../../static/js/account/user-agent.js";
import { takeUsers } from "../../static/js/model/snapshots.js";
import { createApi } from "../../static/js/net/api.js";
import { fault, sentence, waitText } from "../../static/js/ui/form.js";

const local = (day, hour, minute = 0) => new Date(2026, 10, day, hour, minute).toISOString();
const NOW = new Date(2026, 10, 23, 12);

test("a wait is told in seconds, and from a minute on in minutes", () => {
  assert.deepEqual([1, 59, 60, 272].map(waitText), ["1 second", "59 seconds", "1:00 minutes", "4:32 minutes"]);
});

test("what the server says about a field is said in the form's words", () => {
  assert.equal(sentence("newPassword must have at least 8 characters.", "newPassword", "New password"), "New password must have at least 8 characters.");
  assert.equal(sentence("the current password is wrong.", "currentPassword", "Current password"), "The current password is wrong.");
});

test("what is missing or too short is seen before it is sent", () => {
  assert.equal(fault({ value: " ", required: true, minLength: 8 }), "Please fill this in.");
  assert.equal(fault({ value: "short", required: true, minLength: 8 }), "At least 8 characters, please.");
  assert.equal(fault({ value: "long enough", required: true, minLength: 8 }), null);
  assert.equal(fault({ value: "", required: false, minLength: -1 }), null);
});

const AGENTS = {
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0": "Edge on Windows",
  "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0": "Firefox on Linux",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15": "Safari on macOS",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1": "Safari on iPhone",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
  "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36": "Chrome on Android",
  "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36": "Chrome on Linux",
  "curl/8.5.0": "curl",
  "python-requests/2.32": "python-requests",
  "Mozilla/5.0": "A browser",
  "": "A program",
};

for (const [agent, name] of Object.entries(AGENTS)) {
  test(`a session is called ${name}`, () => assert.equal(deviceName(agent), name));
}

test("what is carried around is a phone", () => {
  assert.deepEqual(Object.keys(AGENTS).filter(isPhone).length, 4);
});

test("this device is the first of the sessions, then those that were used last", () => {
  const session = (id, lastUsedAt, current = false) => ({ id, lastUsedAt, current });
  const sessions = [session(1, "2026-11-20"), session(2, "2026-11-22"), session(3, "2026-11-01", true), session(4, "2026-11-23")];
  assert.deepEqual(inOrder(sessions).map(({ id }) => id), [3, 4, 2, 1]);
});

test("use is told no more exactly than it is known", () => {
  assert.equal(lastUsed({ lastUsedAt: local(23, 11, 30) }, NOW), "Active within the last hour");
  assert.match(lastUsed({ lastUsedAt: local(22, 11, 30) }, NOW), /^Last active yesterday at /);
});

test("an invitation is valid until it is used up or its time is over", () => {
  const invitation = { expiresAt: local(30, 12), uses: 1, maxUses: 2 };
  assert.deepEqual(worth(invitation, NOW), { valid: true, text: "Valid until Monday 30 November · 1 of 2 joined" });
  assert.equal(worth({ ...invitation, expiresAt: local(23, 23) }, NOW).text, "Valid until today · 1 of 2 joined");
  assert.equal(worth({ ...invitation, expiresAt: local(24, 11) }, NOW).text, "Valid until tomorrow · 1 of 2 joined");
  assert.deepEqual(worth({ ...invitation, uses: 2 }, NOW), { valid: false, text: "Used up · 2 of 2 joined" });
  assert.deepEqual(worth({ ...invitation, expiresAt: local(23, 12) }, NOW), { valid: false, text: "Expired · 1 of 2 joined" });
});

test("an invitation is made for at most what the server allows", () => {
  assert.deepEqual(choices(14, [1, 3, 7, 30]), [14, 7, 3, 1]);
  assert.deepEqual(choices(1, [1, 3]), [1]);
});

test("who renames themselves is called so wherever they are shown", () => {
  const state = { me: { id: "1", username: "ada", displayName: "Ada" }, users: { 1: { id: "1", displayName: "Ada" } } };
  const next = takeUsers(state, [{ id: "1", username: "ada", displayName: "Countess" }]);
  assert.deepEqual([next.me.displayName, next.users[1].displayName, next.me.username], ["Countess", "Countess", "ada"]);
});

// The end of the session

const answer = (status, body) => ({ ok: status < 300, status, headers: new Headers(), json: async () => body });
const signedOutAnswer = () => answer(401, { error: { code: "not_signed_in", message: "Sign in first.", field: null } });

test("what was refused because the session had ended is repeated with its key once the user is signed in again", async () => {
  const keys = [];
  const answers = [signedOutAnswer(), answer(201, { id: 1 })];
  const fetch = async (path, { headers }) => (keys.push(headers["Idempotency-Key"]), answers.shift());
  let decide;
  const api = createApi({ fetch, xsrf: () => "", signedOut: () => new Promise((resolve) => (decide = resolve)) });
  const sending = api.post("/api/chats/1/messages", { content: "kept" });
  while (!decide) await null;
  assert.equal(keys.length, 1);
  decide(true);
  assert.deepEqual(await sending, { id: 1 });
  assert.equal(keys[0], keys[1]);
});

test("where nobody signs in again it is refused", async () => {
  const api = createApi({ fetch: async () => signedOutAnswer(), xsrf: () => "", signedOut: () => Promise.resolve(false) });
  await assert.rejects(api.get("/api/me"), { code: "not_signed_in" });
});

test("a wrong password is not the end of the session", async () => {
  const wrong = answer(401, { error: { code: "wrong_credentials", message: "", field: null } });
  const api = createApi({ fetch: async () => wrong, xsrf: () => "", signedOut: () => assert.fail("nothing has ended") });
  await assert.rejects(api.post("/api/sign-in", {}), { code: "wrong_credentials" });
});
