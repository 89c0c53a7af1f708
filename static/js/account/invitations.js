/** Invitations: the settings' section of the server's owner, and the link that stands on the page of a server that is new. */
import { query } from "../net/api.js";
import { uuid } from "../net/ids.js";
import { copyText } from "../ui/clipboard.js";
import { confirm } from "../ui/dialog.js";
import { fill, h } from "../ui/dom.js";
import { icon } from "../ui/icons.js";
import { remoteList } from "../ui/remote-list.js";
import { dayKey, dayWithin, plural } from "../ui/time.js";

const DAY_MS = 86_400_000;
const untilDay = (at, now) => (dayKey(at) === dayKey(now.getTime() + DAY_MS) ? "tomorrow" : dayWithin(at, now));

/** The state of an invitation: `Valid until Monday 7 December · 3 of 50 joined`, or why it is over. */
export function worth({ expiresAt, uses, maxUses }, now = new Date()) {
  const joined = `${uses} of ${maxUses} joined`;
  if (uses >= maxUses) return { valid: false, text: `Used up · ${joined}` };
  if (new Date(expiresAt) <= now) return { valid: false, text: `Expired · ${joined}` };
  return { valid: true, text: `Valid until ${untilDay(expiresAt, now)} · ${joined}` };
}

/** A link to share: a click selects it and a button copies it. */
function sharedLink(link) {
  const shown = h("input", { type: "text", class: "shared-link", readonly: true, value: link, "aria-label": "Link to share", on: { focus: ({ target }) => target.select() } });
  const label = h("span", {}, "Copy");
  const button = h("button", { type: "button", class: "button button-primary", data: { copy: link }, on: { click: copy } }, icon("copy"), label);

  async function copy() {
    try {
      await copyText(link);
      label.textContent = "Copied";
    } catch {
      shown.select();
      label.textContent = "Select and copy";
    }
    setTimeout(() => (label.textContent = "Copy"), 2500);
  }

  return h("div", { class: "share" }, shown, button);
}

/** The choices up to the server's limit, which comes first. */
export const choices = (most, steps) => [most, ...steps.filter((step) => step < most).reverse()];

const openLink = () => `${location.origin}/sign-up`;

const create = ({ api }, limits = {}) => api.post("/api/invitations", limits, { key: uuid() });

const select = (label, name, options) => h("select", { name, "aria-label": label }, options.map(([value, text]) => h("option", { value }, text)));

export function invitationsSection(services) {
  const { api, toast, signUp, invitationDays, invitationUses } = services;
  const uses = select("For how many", "uses", choices(invitationUses, [1, 5, 10, 25]).map((count) => [count, `for ${plural(count, "person", "people")}`]));
  const days = select("Valid for", "days", choices(invitationDays, [1, 3, 7, 30]).map((count) => [count, `for ${plural(count, "day")}`]));
  const make = h("button", { type: "button", class: "button button-small", id: "create-invitation", on: { click: createOne } }, icon("plus"), "Create invitation link");

  async function createOne() {
    make.disabled = true;
    try {
      await create(services, { uses: Number(uses.value), days: Number(days.value) });
      await list.load();
      list.element.querySelector("[data-copy]")?.focus();
    } catch (error) {
      toast(`No invitation was made. ${error.message}`);
    }
    make.disabled = false;
  }

  async function revoke(invitation) {
    if (!(await confirm({ title: "Withdraw this invitation?", text: "Nobody can join with its link any more. Those who have joined stay.", yes: "Withdraw" }))) return;
    try {
      await api.delete(`/api/invitations/${invitation.id}`);
    } catch (error) {
      toast(`The invitation was not withdrawn. ${error.message}`);
    }
    await list.load();
    make.focus();
  }

  function row(invitation) {
    const { valid, text } = worth(invitation);
    return h("li", { class: "invitation", data: { invitationId: invitation.id } },
      valid ? sharedLink(invitation.link) : null,
      h("p", { class: "remote-under" }, text, " · ",
        h("button", { type: "button", class: "link-button", data: { revoke: "" }, on: { click: () => revoke(invitation) } }, valid ? "Withdraw" : "Remove")));
  }

  const list = remoteList({
    label: "Invitations", skeletons: 1, row, empty: "There is no invitation now.",
    fetchItems: async () => (await api.get(query("/api/invitations", { limit: 100 }))).items,
  });
  list.load();
  const note = signUp === "open" ? "Anybody may sign up on this server, so nobody needs an invitation. Share its address:" : "Whoever has a link can join this server, as long as the link is valid.";
  return [h("p", { class: "settings-note" }, note), signUp === "open" ? sharedLink(openLink()) : null, list.element, h("div", { class: "new-invitation" }, uses, days, make)];
}

/** For the owner of a server that is new: the link to share. Made at once after the first sign-up, and offered after that. */
export function inviteCard(services) {
  const { api, sessionStore, signUp } = services;
  const place = h("div", { class: "invite-place", "aria-live": "polite" });
  const card = h("section", { class: "invite-card", id: "invite-card", "aria-label": "Invite people" },
    h("h3", {}, "Invite your people"), h("p", {}, "This server is yours. Send this link to those you want to talk to:"), place);
  const again = (text, label, run) => fill(place, text ? h("p", { class: "field-error" }, text) : null, h("button", { type: "button", class: "button", on: { click: run } }, label));

  async function load(making) {
    fill(place, h("span", { class: "skeleton share-skeleton" }));
    try {
      const { items } = await api.get("/api/invitations");
      const invitation = items.find((one) => worth(one).valid) ?? (making ? await create(services) : null);
      sessionStore.remove("parley.first");
      if (!invitation) return again(null, "Create invitation link", () => load(true));
      fill(place, sharedLink(invitation.link), h("p", { class: "remote-under" }, worth(invitation).text));
    } catch (error) {
      again(`The link is not here yet. ${error.message}`, "Try again", () => load(making));
    }
  }

  if (signUp === "open") fill(place, sharedLink(openLink()));
  else load(Boolean(sessionStore.get("parley.first")));
  return card;
}
