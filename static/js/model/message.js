/** A Message of the server, read in one place, and the questions that the page asks of it. Pure. */

const TIME_UNKNOWN = "unknown"; // in `deletedAt`: the message is deleted, and nobody said when

/** The message in `data`, as an answer of HTTP or an event carries it; an event's `seq` stands beside it. Fields that this page
 * does not know stay on it.
 *
 * Events carry `deletedAt` only where the message is deleted, and servers before 1.0 carry it nowhere: there a deleted message is one
 * without text and without anything else to show.
 */
export function readMessage(data, seq = data.seq) {
  const content = data.content ?? "";
  const { deletedAt = content === "" && !attachmentNames(data).length ? TIME_UNKNOWN : null } = data;
  return { ...data, content, deletedAt, seq };
}

export const isDeleted = (message) => Boolean(message.deletedAt);

/** What is left of a message that has been deleted. */
export function tombstone({ id, chatId, senderId, createdAt, seq }, deletedAt = TIME_UNKNOWN) {
  return { id, chatId, senderId, createdAt, seq, content: "", isEdited: false, editedAt: null, deletedAt };
}

const NAMELESS = "Attachment";

/** What a message carries besides its text, by name: all that this page shows of it, of whatever kind it is. */
export function attachmentNames({ attachments }) {
  if (!Array.isArray(attachments)) return [];
  return attachments.map((one) => (typeof one?.name === "string" && one.name.trim()) || NAMELESS);
}

/** A message in words, for places that show nothing else: its text, or what stands for one that has none. */
export const textOf = (message) => message.content || attachmentNames(message).join(", ") || "This page cannot show this message";
