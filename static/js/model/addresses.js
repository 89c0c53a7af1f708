/** The addresses of the page: chats, messages, and where to go after signing in. Pure. */

/** Where to go after signing in: a path of this site, `/` for anything else. */
export function nextPath(search, origin = location.origin) {
  const next = new URLSearchParams(search).get("next") ?? "/";
  if (!next.startsWith("/") || !URL.canParse(next, origin)) return "/";
  const url = new URL(next, origin);
  return url.origin === origin ? url.pathname + url.search : "/";
}

/** `/chats/1/messages/2` → `{chatId: "1", messageId: "2"}` */
export function parsePath(pathname) {
  const match = /^\/chats\/([^/]+)(?:\/messages\/([^/]+))?\/?$/.exec(pathname);
  return { chatId: match?.[1] ?? null, messageId: match?.[2] ?? null };
}

export const pathOf = ({ chatId, messageId }) => (chatId ? `/chats/${chatId}${messageId ? `/messages/${messageId}` : ""}` : "/");
