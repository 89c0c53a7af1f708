/** What the tabs of one browser tell each other about the session that they share: `{signedIn: userId}` or `{leaving: userId}`. */
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("parley.session") : null;

export const tellTabs = (message) => channel?.postMessage(message);
export const hearTabs = (listener) => channel?.addEventListener("message", ({ data }) => listener(data));
