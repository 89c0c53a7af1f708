/** What can be done to one message: the toolbar and the menu are made from this one list. Their keys stand in shortcuts.js. */
import { showReads } from "./receipts.js";
import { pathOf } from "../model/addresses.js";
import { isDeleted } from "../model/message.js";
import { canDelete, nameOf } from "../model/state.js";
import { copyText } from "../ui/clipboard.js";
import { confirm } from "../ui/dialog.js";

/** Rows of `{name, label, icon, can(message), run(message)}`; nothing can be done to a deleted message. */
export function messageActions(services) {
  const { store, operations, attempt, toast } = services;
  const own = (message) => message.senderId === store.state.me.id;

  const copy = (text, what) => attempt(async () => {
    await copyText(text);
    toast(`${what} copied.`, { good: true });
  }, `${what} not copied.`);

  async function remove(message) {
    const sure = await confirm({ title: "Delete this message?", text: "It disappears for everybody in this chat. This cannot be undone.", yes: "Delete" });
    if (sure) attempt(() => operations.deleteMessage(message), "The message was not deleted.");
  }

  const all = [
    { name: "reply", label: "Reply with a quote", icon: "reply", run: (message) => services.composer.quote(nameOf(store.state, message.senderId) ?? "Somebody", message.content) },
    { name: "edit", label: "Edit", icon: "edit", can: own, run: (message) => store.update((state) => ({ ...state, editing: message.id })) },
    { name: "copy", label: "Copy text", icon: "copy", run: (message) => copy(message.content, "Text") },
    { name: "link", label: "Copy link", icon: "link", run: (message) => copy(location.origin + pathOf({ chatId: message.chatId, messageId: message.id }), "Link") },
    { name: "reads", label: "Who has read it", icon: "checks", run: (message) => showReads(message, services) },
    { name: "delete", label: "Delete", icon: "trash", danger: true, can: (message) => canDelete(store.state, message), run: remove },
  ];

  const allowed = (action, message) => Boolean(message?.id) && !isDeleted(message) && (action.can?.(message) ?? true);
  return {
    /** The actions that this user may take on `message`. */
    of: (message) => all.filter((action) => allowed(action, message)),
    /** Runs the action with this name, if it may be taken; answers whether it was. */
    run(name, message) {
      const action = all.find((one) => one.name === name);
      if (!action || !allowed(action, message)) return false;
      action.run(message);
      return true;
    },
  };
}
