/** The pages to sign in, to sign up and to join by an invitation. */
import { nextPath } from "./model/addresses.js";
import { createApi } from "./net/api.js";
import { tellTabs } from "./net/tabs.js";
import { wireForm } from "./ui/form.js";

const form = document.querySelector("#account-form");
const api = createApi();

wireForm(form, {
  send: (body) => api.post(form.getAttribute("action"), body),
  done: ({ user }) => {
    form.querySelector("button[type=submit]").disabled = true; // the next page is on its way
    tellTabs({ signedIn: user.id });
    try {
      if ("first" in form.dataset) sessionStorage.setItem("parley.first", "true");
    } catch {
      // Without storage the first page only offers to make an invitation.
    }
    location.assign(nextPath(location.search));
  },
});

for (const link of document.querySelectorAll("[data-keep-next]")) link.search = location.search;
