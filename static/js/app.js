/** The entry of the signed-in page: makes the services, mounts the parts of the screen, begins the stream. */
import { inviteCard } from "./account/invitations.js";
import { SessionEnd } from "./account/session-end.js";
import { mountComposer } from "./conversation/composer.js";
import { mountConversation } from "./conversation/conversation.js";
import { mountDetails } from "./conversation/details.js";
import { mountMessages } from "./conversation/messages.js";
import { Reading } from "./conversation/reading.js";
import { mountChats } from "./list/chat-list.js";
import { mountSearch } from "./list/search.js";
import { Drafts } from "./model/drafts.js";
import { Loading } from "./model/loading.js";
import { mountMute } from "./model/mute.js";
import { Operations } from "./model/operations.js";
import { Outbox } from "./model/outbox.js";
import { keepPresence } from "./model/presence.js";
import { initialState } from "./model/state.js";
import { createStorage } from "./model/storage.js";
import { createStore } from "./model/store.js";
import { keepNames, Users } from "./model/users.js";
import { createApi } from "./net/api.js";
import { mountPill } from "./shell/connection-pill.js";
import { mountKeyboard } from "./shell/keyboard.js";
import { Navigation } from "./shell/navigation.js";
import { mountNotifications } from "./shell/notifications.js";
import { mountSettings } from "./shell/settings.js";
import { createStream } from "./shell/stream.js";
import { mountSharing } from "./shell/tab-sync.js";
import { mountTitle } from "./shell/tab-title.js";
import { mountToasts } from "./shell/toasts.js";
import { mountUserMenu } from "./shell/user-menu.js";
import { placeIcons } from "./ui/icons.js";

const { userId, username, displayName, maxMessageChars, maxNameChars, minPasswordChars, maxPasswordChars, isOwner, signUp, invitationDays, invitationUses, version } = document.body.dataset;
const me = { id: userId, username, displayName };
const backing = (name) => {
  try {
    return window[name];
  } catch {
    return null;
  }
};

const wideScreen = matchMedia("(min-width: 960px)");
const store = createStore({ ...initialState(me), users: { [me.id]: me } });
const storage = createStorage(backing("localStorage"));
const sessionStore = createStorage(backing("sessionStorage"));
const services = {
  store, storage, sessionStore, version, maxMessageChars: Number(maxMessageChars), maxNameChars: Number(maxNameChars), wide: () => wideScreen.matches,
  minPasswordChars: Number(minPasswordChars), maxPasswordChars: Number(maxPasswordChars), isOwner: Boolean(isOwner), signUp,
  invitationDays: Number(invitationDays), invitationUses: Number(invitationUses),
};
services.session = new SessionEnd({ ...services, me, leave: () => services.navigation.signIn(), resumed });
services.api = createApi({ signedOut: () => services.session.ended() });
services.users = new Users({ ...services, storage: sessionStore });
keepNames(services); // before notifications.js, which empties `heard`
services.drafts = new Drafts({ ...services, userId });
services.loading = new Loading(services);
services.outbox = new Outbox({ ...services, userId });
services.operations = new Operations(services);
services.reading = new Reading(services);
services.navigation = new Navigation(services);
services.toast = mountToasts(services);
/** Runs `work`; when it fails, says so in a toast. */
services.attempt = (work, failure) => work().catch((error) => services.toast(`${failure} ${error.message}`));
services.mute = mountMute(services);
let invitation = null;
/** The card with a link to share, for a new server's owner; the same element each time. Null for others. */
services.invite = () => services.isOwner ? (invitation ??= inviteCard(services)) : null;

function attend() {
  const attentive = document.visibilityState === "visible" && document.hasFocus();
  store.update((state) => (state.attentive === attentive ? state : { ...state, attentive }));
}
for (const type of ["focus", "blur", "pageshow"]) addEventListener(type, attend);
document.addEventListener("visibilitychange", attend);
attend();

/** After signing in again: the new stream brings what was missed. */
function resumed() {
  services.stream.stop();
  services.stream.start();
  services.outbox.revive();
}

placeIcons(document);
services.stream = createStream({ ...services, signedOut: () => services.session.ended() });
services.messages = mountMessages(services);
services.composer = mountComposer(services);
mountChats(services);
services.search = mountSearch(services);
mountConversation(services);
mountDetails(services);
mountPill(services);
keepPresence(services);
mountTitle(services);
mountNotifications(services);
services.settings = mountSettings(services);
mountUserMenu(services);
mountKeyboard(services);

services.navigation.start();
services.loading.chats();
services.outbox.restore();
mountSharing(services);

// Back in sync: what failed for want of a connection is tried again, and the chat list too if it never came.
store.watch((state) => [state.connection.phase], ({ connection: { phase }, chatsStatus, timelines, open }) => {
  if (phase !== "live" && phase !== "polling") return;
  services.outbox.revive();
  if (chatsStatus === "error") services.loading.chats();
  if (timelines[open.chatId]?.error) services.loading.retry(open.chatId);
});

// With a keyboard at hand, opening a chat means writing in it; on a phone the on-screen keyboard stays away.
let before = null;
store.watch((state) => [state.open.chatId], ({ open }) => {
  const target = open.chatId ? document.querySelector("#chat-header h1") : document.querySelector(`#chats [data-chat-id="${before}"]`);
  const searching = wideScreen.matches && document.activeElement?.closest("#search"); // walking through the results
  if (open.chatId && !searching && matchMedia("(hover: hover)").matches) services.composer.focus();
  else if (!searching) target?.focus({ preventScroll: true });
  before = open.chatId;
});
