/** Who is meant by an `@username` in a message, and who may be meant by one that is being typed. Pure. */
import { parse } from "./markdown.js";

const MOST = 8;
const HALF = /(?:^|[^\p{L}\p{N}_.@/])@([\p{L}\p{N}._-]{0,40}(?: [\p{L}\p{N}._-]{1,40})?)$/u;

const parsed = new WeakMap();
const byName = new WeakMap();

/** Mentions in quotes do not count: they addressed somebody in an earlier message. */
function namesIn(blocks, found = new Set()) {
  for (const block of blocks) {
    if (block.type === "quote") continue;
    if (block.type === "mention") found.add(block.name.toLowerCase());
    for (const inside of [block.children, ...(block.items ?? [])]) if (inside) namesIn(inside, found);
  }
  return found;
}

/** The usernames that a message mentions, in lower case. Each message is read once. */
export function mentionsOf(message) {
  if (!message.content.includes("@")) return [];
  if (!parsed.has(message)) parsed.set(message, [...namesIn(parse(message.content))]);
  return parsed.get(message);
}

export const mentionsMe = (state, message) => message.senderId !== state.me.id && mentionsOf(message).includes(state.me.username.toLowerCase());

/** The user with this name, if known. */
export function userNamed(state, username) {
  if (!byName.has(state.users)) byName.set(state.users, new Map(Object.values(state.users).map((user) => [user.username.toLowerCase(), user])));
  return byName.get(state.users).get(username.toLowerCase()) ?? null;
}

/** `username → {displayName, me}` for those who are in the chat. */
export const personIn = (state, chat) => (username) => {
  const user = userNamed(state, username);
  return user && chat?.participantIds.includes(user.id) ? { displayName: user.displayName, me: user.id === state.me.id } : null;
};

/** The `@…` that ends at the caret: `{start, query}`, or null. A query has one space at most: “@ann lov”. */
export function mentionAt(text, caret) {
  const match = HALF.exec(text.slice(Math.max(0, caret - 90), caret));
  return match && { start: caret - match[1].length - 1, query: match[1] };
}

/** The others in the chat with a word in their name or username that begins like `query`, best first; none once a name is complete and the text goes on. */
export function candidates(state, chat, query) {
  const wanted = query.toLocaleLowerCase();
  const [word, rest] = wanted.split(" ");
  if (rest && personIn(state, chat)(word)) return [];
  const rank = (user) => {
    const name = user.displayName.toLocaleLowerCase();
    const username = user.username.toLowerCase();
    if (username === wanted) return 0;
    if (name.startsWith(wanted)) return 1;
    if (username.startsWith(wanted)) return 2;
    return name.split(/[\s.-]+/).some((word) => word.startsWith(wanted)) ? 3 : 9;
  };
  return chat.participantIds.map((id) => state.users[id]).filter((user) => user?.username && user.id !== state.me.id)
    .map((user) => [rank(user), user]).filter(([order]) => order < 9)
    .sort(([a, one], [b, other]) => a - b || one.displayName.localeCompare(other.displayName)).slice(0, MOST).map(([, user]) => user);
}
