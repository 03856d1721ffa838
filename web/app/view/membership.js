import * as api from "../api.js";
import { h } from "../dom.js";
import * as keyring from "../keyring.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { ending } from "../words.js";
import { confirm, dialog } from "./dialog.js";
import { icon } from "./icon.js";
import { editProfile } from "./profile.js";
import { clubInvite } from "./share.js";
import { toast } from "./toast.js";

/** What members and the operator can do besides rooms. */
export function membership() {
  const identity = vault.identity.get();
  const operator = identity?.kind === "operator";
  return h(
    "section",
    { class: "card membership" },
    h("p", { class: "quiet" }, operator ? "You are the operator." : `You are a member${identity?.name ? ", " + identity.name : ""}.`),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", onclick: () => clubInvite() }, icon("share"), "Invite to the club"),
      operator && h("a", { class: "button", href: "/operator" }, icon("signal"), "All rooms"),
      !operator && h("button", { type: "button", onclick: () => editProfile().catch(complain) }, icon("people"), "Your profile"),
      !operator && h("button", { type: "button", class: "ghost", onclick: stored }, "What is stored about me"),
      h("button", { type: "button", class: "ghost", onclick: forget }, "Forget me on this device"),
      !operator && h("button", { type: "button", class: "ghost danger", onclick: remove }, "Delete my account"),
    ),
  );
}

function forget() {
  vault.identity.set(null);
  location.reload();
}

/** @param {unknown} problem */
function complain(problem) {
  const { code, message } = refusalOf(problem);
  const { title, text } = ending(code, message);
  toast(title, { error: true, detail: text });
}

/** Shows a member all that the server holds about them, to look at and to keep. */
async function stored() {
  try {
    const text = JSON.stringify(await api.exportMe(await keyring.houseToken()), null, 2);
    const file = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    dialog(
      "What is stored about you",
      h("p", {}, "All that this server holds about your account. Audio is never stored."),
      h("pre", { class: "export", tabindex: "0", "aria-label": "All that is stored" }, text),
      h("div", { class: "dialog-actions" }, h("a", { class: "button primary", href: file, download: "earshot-account.json" }, "Save as a file")),
    ).addEventListener("close", () => URL.revokeObjectURL(file));
  } catch (problem) {
    complain(problem);
  }
}

async function remove() {
  const sure = await confirm(
    "Delete your account?",
    "Your name, your key, your invites and your rooms are gone at once, and nobody can bring them back. Rooms that you opened end for everybody in them.",
    "Delete it",
  );
  if (!sure) return;
  try {
    await api.deleteMe(await keyring.houseToken());
    vault.forgetAll();
    location.reload();
  } catch (problem) {
    complain(problem);
  }
}
