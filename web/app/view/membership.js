import * as api from "../api.js";
import { h, say } from "../dom.js";
import * as keyring from "../keyring.js";
import { t } from "../language.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { ending } from "../words.js";
import { confirm, dialog } from "./dialog.js";
import { icon } from "./icon.js";
import { editProfile } from "./profile.js";
import { clubInvite } from "./share.js";
import { toast } from "./toast.js";

/**
 * What members and the operator can do besides rooms.
 * @param {(name: string) => void} named a member has another name now
 */
export function membership(named) {
  const identity = vault.identity.get();
  const operator = identity?.kind === "operator";
  const you = (/** @type {string | undefined} */ name) => (name ? t("member.you.name", { name }) : t("member.you"));
  const line = h("p", { class: "quiet" }, operator ? t("member.operator") : you(identity?.name));
  const renamed = (/** @type {string} */ name) => {
    say(line, you(name));
    named(name);
  };
  return h(
    "section",
    { class: "card membership" },
    line,
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", onclick: () => clubInvite() }, icon("share"), t("member.invite")),
      operator && h("a", { class: "button", href: "/operator" }, icon("signal"), t("action.all_rooms")),
      !operator && h("button", { type: "button", onclick: () => editProfile(renamed).catch(complain) }, icon("people"), t("profile.title")),
      !operator && h("button", { type: "button", class: "ghost", onclick: stored }, t("member.stored")),
      h("button", { type: "button", class: "ghost", onclick: forget }, t("member.forget")),
      !operator && h("button", { type: "button", class: "ghost danger", onclick: remove }, t("member.delete")),
    ),
  );
}

async function forget() {
  const text = t(vault.identity.get()?.kind === "operator" ? "forget.text.operator" : "forget.text");
  if (!(await confirm(t("forget.title"), text, t("forget.yes")))) return;
  vault.forgetAll();
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
      t("stored.title"),
      h("p", {}, t("stored.text")),
      h("pre", { class: "export", dir: "ltr", tabindex: "0", "aria-label": t("stored.all") }, text),
      h("div", { class: "dialog-actions" }, h("a", { class: "button primary", href: file, download: "earshot-account.json" }, t("stored.save"))),
    ).addEventListener("close", () => URL.revokeObjectURL(file));
  } catch (problem) {
    complain(problem);
  }
}

async function remove() {
  const sure = await confirm(
    t("delete.title"),
    t("delete.text"),
    t("delete.yes"),
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
