import assert from "node:assert/strict";
import { test } from "node:test";
import { candidates, mentionAt, mentionsMe, mentionsOf, personIn } from "../../static/js/text/mentions.js";
import { chat, message, start } from "./build.js";

const user = (id, displayName, username = id) => ({ id, username, displayName });
const users = Object.fromEntries([user("ada", "Ada Lovelace"), user("bob", "Robert Ann", "bob.b"), user("eve", "Eve"), user("me", "Me")].map((one) => [one.id, one]));
const state = start({ users, chats: { c: chat() } });

test("what is being typed after an @ is found at the caret, and nothing else", () => {
  const found = (text, caret = text.length) => mentionAt(text, caret);
  assert.deepEqual(found("hello @ad"), { start: 6, query: "ad" });
  assert.deepEqual(found("@"), { start: 0, query: "" });
  assert.deepEqual(found("(@ada lov"), { start: 1, query: "ada lov" });
  assert.deepEqual(found("@ad and more", 3), { start: 0, query: "ad" });
  assert.deepEqual(found("こんにちは @日"), { start: 6, query: "日" });
  for (const text of ["ann@example", "@ada love lace", "@ada ", "@@a", "no", "", "@ada\n"]) assert.equal(found(text), null, text);
});

test("the others in the chat are offered by name and username, who begins so first; nobody else is", () => {
  const names = (query) => candidates(state, chat({ participantIds: ["ada", "bob", "me", "unknown"] }), query).map((one) => one.id);
  assert.deepEqual(names(""), ["ada", "bob"]);
  assert.deepEqual(names("a"), ["ada", "bob"]); // Ann is Robert's second name
  assert.deepEqual(names("lov"), ["ada"]);
  assert.deepEqual(names("bob"), ["bob"]);
  assert.deepEqual(names("robert a"), ["bob"]);
  assert.deepEqual(names("ada lov"), []); // @ada is written already
  assert.deepEqual(names("e"), []);
});

test("only those in the chat are named, whatever the case", () => {
  const person = personIn(state, chat());
  assert.deepEqual(person("BOB.B"), { displayName: "Robert Ann", me: false });
  assert.equal(person("me").me, true);
  assert.equal(person("eve"), null);
  assert.equal(person("nobody"), null);
});

test("a message mentions me by my username, but not in code, in a quote, or in my own words", () => {
  const says = (content, fields) => mentionsMe(state, message(1, { content, ...fields }));
  assert.ok(says("hey @Me, **@ada**"));
  for (const content of ["`@me`", "```\n@me\n```", "> @me\n\nno", "me@me.example", "@mean"]) assert.ok(!says(content), content);
  assert.ok(!says("@me", { senderId: "me" }));
  assert.deepEqual(mentionsOf(message(1, { content: "- @ada\n- @ADA and @bob.b." })), ["ada", "bob.b"]);
});
