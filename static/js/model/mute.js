/** Mutes chats: at once here and in the other tabs of this browser. Other devices learn of it with their next snapshot. */
import { takeMuted } from "./snapshots.js";

/** Answers `mute(chatId, muted)`. */
export function mountMute({ store, operations, toast }) {
  const tabs = new BroadcastChannel(`parley.mute.${store.state.me.id}`);
  const take = (change) => store.update((state) => takeMuted(state, change));
  tabs.addEventListener("message", ({ data }) => take(data));

  const show = (change) => {
    take(change);
    tabs.postMessage(change);
  };

  return async (chatId, muted) => {
    show({ chatId, muted });
    try {
      await operations.muteChat(chatId, muted);
    } catch (error) {
      show({ chatId, muted: !muted });
      toast(`${muted ? "The chat was not muted." : "The chat is still muted."} ${error.message}`);
    }
  };
}
