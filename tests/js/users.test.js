import assert from "node:assert/strict";
import { test } from "node:test";
import { createStorage } from "../../static/js/model/storage.js";
import { createStore } from "../../static/js/model/store.js";
import { FRESH_MS, keepNames, onScreen, signsOfLife, Users } from "../../static/js/model/users.js";
import { at, chat, message, settle, start } from "./build.js";

const person = (id, displayName) => ({ id, username: id, displayName, createdAt: at(0) });

/** A page whose server calls everybody as `names` says; `asked` are the ids that it was asked for. */
function page(names, fields = {}) {
  const asked = [];
  const clock = { time: 1_000_000 };
  const store = createStore(start({ attentive: true, ...fields }), (run) => run());
  const api = { get: async (path) => (asked.push(path.split("/").pop()), person(asked.at(-1), names[asked.at(-1)])) };
  const users = new Users({ store, api, storage: createStorage(null), now: () => clock.time });
  const name = (id) => store.state.users[id]?.displayName;
  return { store, users, asked, clock, name };
}

test("each is asked for once, and again only when there is a reason and some time has passed", async () => {
  const names = { ada: "Ada" };
  const { users, asked, clock, name } = page(names);
  users.want(["ada"]);
  users.want(["ada", null]);
  await settle();
  names.ada = "Countess";
  users.again(["ada"]);
  clock.time += FRESH_MS;
  users.want(["ada"]);
  await settle();
  assert.deepEqual([asked, name("ada")], [["ada"], "Ada"]);
  users.again(["ada"]);
  users.again(["ada"]);
  await settle();
  assert.deepEqual([asked, name("ada")], [["ada", "ada"], "Countess"]);
});

test("whom a list has just told of is not asked for", async () => {
  const { users, asked, name } = page({});
  users.take([person("ada", "Ada")]);
  users.again(["ada"]);
  await settle();
  assert.deepEqual([asked, name("ada")], [[], "Ada"]);
});

test("one's own new name comes from another tab as well", async () => {
  const { store, users, clock } = page({ me: "Somebody else" });
  users.again(["me"]);
  await settle();
  assert.equal(store.state.me.displayName, "Me");
  clock.time += FRESH_MS;
  users.again(["me"]);
  await settle();
  assert.equal(store.state.me.displayName, "Somebody else");
});

test("names are looked up when a chat or the page is looked at, and when their owners write", async () => {
  const direct = chat({ chatType: "direct", participantIds: ["ada", "me"] });
  const other = chat({ id: "d", participantIds: ["bob", "me"] });
  const { store, users, asked, clock } = page({ ada: "Ada", bob: "Bob", me: "Me" }, { chats: { c: direct, d: other } });
  const since = async (change) => {
    asked.length = 0;
    clock.time += FRESH_MS;
    store.update((state) => ({ ...state, ...change }));
    await settle();
    return asked.toSorted();
  };
  keepNames({ store, users });
  await settle();
  assert.deepEqual(await since({ open: { chatId: "d", messageId: null, details: false } }), ["ada", "bob", "me"]);
  assert.deepEqual(await since({ attentive: false }), []);
  assert.deepEqual(await since({ heard: [message(1, { senderId: "ada" })] }), ["ada"]);
  assert.deepEqual(await since({ typing: { d: { bob: clock.time } } }), ["ada", "bob"]);
  assert.deepEqual(await since({ attentive: true }), ["ada", "bob", "me"]);
});

test("who writes in a chat of many is not asked for by everybody in it", () => {
  const ids = Array.from({ length: 51 }, (_, index) => `u${index}`);
  const heard = [message(1, { senderId: "u1" })];
  assert.deepEqual(signsOfLife(start({ chats: { c: chat({ participantIds: ids }) }, heard })), []);
  assert.deepEqual(signsOfLife(start({ chats: { c: chat({ participantIds: ids.slice(1) }) }, heard })), ["u1"]);
});

test("in a chat of many, those are on the screen who have written last; and never more than a few", () => {
  const ids = Array.from({ length: 200 }, (_, index) => `u${index}`);
  const timelines = { c: { items: [message(1, { senderId: "u1" }), message(2, { senderId: "u2" })] } };
  const state = start({ chats: { c: chat({ participantIds: ids }) }, open: { chatId: "c", messageId: null, details: false }, timelines });
  assert.deepEqual(onScreen(state), ["me", "u2", "u1"]);
  const chats = Object.fromEntries(ids.map((id) => [id, chat({ id, chatType: "direct", participantIds: [id, "me"] })]));
  assert.equal(onScreen({ ...state, chats }).length, 30);
});
