/** Builds and updates elements. Text becomes text nodes only: nothing here parses HTML. */

/** `h("p", {class: "x", on: {click}, data: {id: 1}, "aria-label": "y"}, "text", child, null)` → element. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

/** Children may be lists of children, and null or false for none. */
const present = (children) => children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

export const fill = (element, ...children) => element.replaceChildren(...present(children));

/** Sets the text only where it differs, so as not to disturb selections and screen readers. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes a textarea as high as its text. `holder`, the element around it, keeps its height meanwhile: otherwise the messages beside it would move. */
export function growField(field, holder) {
  holder.style.minHeight = `${holder.offsetHeight}px`;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
  holder.style.minHeight = "";
}

const kept = new WeakMap();

/** Makes the children of `parent` follow `items`: an element for each key, moved and updated only where needed.
 *
 * `create(item)` answers an element; `update(element, item, before)` is called for a new one (`before` undefined)
 * and where `same(before, item)` is false.
 */
export function keyed(parent, items, { key, create, update, same = Object.is }) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  if (!kept.has(parent)) parent.replaceChildren();
  for (const item of items) {
    const id = key(item);
    const known = before.get(id);
    const element = known?.element ?? create(item);
    if (!known || !same(known.item, item)) update(element, item, known?.item);
    after.set(id, { element, item });
  }
  for (const [id, { element }] of before) if (!after.has(id)) element.remove();
  let next = parent.firstChild;
  for (const { element } of after.values()) {
    if (element === next) next = next.nextSibling;
    else parent.insertBefore(element, next);
  }
  kept.set(parent, after);
}

/** The element that `keyed` made for an item. */
export const elementOf = (parent, id) => kept.get(parent)?.get(id)?.element;
/** Forgets the elements, so that the next `keyed` begins with an empty parent. */
export const forget = (parent) => kept.delete(parent);
