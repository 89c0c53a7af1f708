/** What can be done to a message. The toolbar beside it, its menu, the sheet of a phone, its keys and the list of all keys are
 * made from the rows of one table: a new entry is a new row.
 */
import { showReads } from "./receipts.js";
import { pathOf } from "../model/addresses.js";
import { isDeleted, textOf } from "../model/message.js";
import { canDelete, nameOf } from "../model/state.js";
import { copyText } from "../ui/clipboard.js";
import { confirm } from "../ui/dialog.js";
import { shortcutOf } from "../ui/shortcuts.js";

const isOwn = (message, state) => message.senderId === state.me.id;

const copy = (text, what, { attempt, toast }) => attempt(async () => {
  await copyText(text);
  toast(`${what} copied.`, { good: true });
}, `${what} not copied.`);

async function remove(message, { operations, attempt }) {
  const sure = await confirm({ title: "Delete this message?", text: "It disappears for everybody in this chat. This cannot be undone.", yes: "Delete" });
  if (sure) attempt(() => operations.deleteMessage(message), "The message was not deleted.");
}

/** In the order of the menu. `keys`: as in shortcuts.js, while the message has the focus; `when(message, state)`: whether the entry is
 * there, always where it is missing; `inToolbar`: also beside the message; `danger`: in red. Nothing can be done to a deleted message.
 */
export const MESSAGE_ACTIONS = [
  {
    name: "reply", label: "Reply with a quote", icon: "reply", keys: ["r"], inToolbar: true,
    run: (message, { store, composer }) => composer.quote(nameOf(store.state, message.senderId) ?? "Somebody", textOf(message)),
  },
  {
    name: "edit", label: "Edit", icon: "edit", keys: ["e"], inToolbar: true,
    when: (message, state) => isOwn(message, state) && message.content !== "",
    run: (message, { store }) => store.update((state) => ({ ...state, editing: message.id })),
  },
  {
    name: "copy", label: "Copy text", icon: "copy", keys: ["c"],
    when: (message) => message.content !== "",
    run: (message, services) => copy(message.content, "Text", services),
  },
  {
    name: "link", label: "Copy link", icon: "link", keys: ["l"],
    run: (message, services) => copy(location.origin + pathOf({ chatId: message.chatId, messageId: message.id }), "Link", services),
  },
  { name: "reads", label: "Who has read it", icon: "checks", keys: ["w"], run: showReads },
  {
    name: "delete", label: "Delete", icon: "trash", keys: ["Delete", "Backspace"], danger: true,
    when: (message, state) => canDelete(state, message),
    run: remove,
  },
];

/** The table for this page's `services`; `rows` are the table's own but in tests. */
export function messageActions(services, rows = MESSAGE_ACTIONS) {
  const isThere = (action, message) => Boolean(message?.id) && !isDeleted(message) && (action.when?.(message, services.store.state) ?? true);
  return {
    /** The actions that this user may take on `message`. */
    of: (message) => rows.filter((action) => isThere(action, message)),
    /** The name of the action whose key this is, or undefined. */
    pressed: (event) => shortcutOf(event, rows)?.name,
    /** Runs the action with this name, if it may be taken; answers whether it was. */
    run(name, message) {
      const action = rows.find((one) => one.name === name);
      if (!action || !isThere(action, message)) return false;
      action.run(message, services);
      return true;
    },
  };
}
