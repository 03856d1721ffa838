import * as api from "../api.js";
import { h } from "../dom.js";
import * as keyring from "../keyring.js";
import { t } from "../language.js";
import { link } from "../route.js";
import { refusalOf } from "../types.js";
import { ending } from "../words.js";
import { copyText } from "./copy.js";
import { dialog } from "./dialog.js";
import { icon } from "./icon.js";

/** @typedef {import("../types.js").Role} Role */

/**
 * Shows a link to give away.
 * @param {string} title
 * @param {string} text
 * @param {(role: Role) => Promise<string>} make the link, for a role
 * @param {Role[]} roles to choose from; with a single one there is no choice
 */
function share(title, text, make, roles) {
  const problem = h("p", { class: "problem", role: "alert" });
  const field = h("input", { id: "link", readonly: true, class: "link", dir: "ltr", onfocus: () => field.select() });
  const copy = h("button", { type: "button", class: "primary", disabled: true, onclick: () => copyText(field) }, icon("copy"), t("share.copy"));
  const send = h("button", { type: "button", onclick: () => navigator.share({ url: field.value }).catch(() => {}) }, icon("share"), t("share.send"));
  const fill = async (/** @type {Role} */ role) => {
    copy.disabled = true;
    problem.textContent = "";
    try {
      field.value = await make(role);
      copy.disabled = false;
    } catch (e) {
      const { code, message } = refusalOf(e);
      problem.textContent = code === "forbidden" ? t("share.hosts") : ending(code, message).text;
    }
  };
  const choice = h(
    "select",
    { id: "role", onchange: () => fill(/** @type {Role} */ (choice.value)) },
    ...roles.map((role) => h("option", { value: role }, t(`share.as.${role}`))),
  );
  dialog(
    title,
    h("p", {}, text),
    roles.length > 1 && h("label", { for: "role" }, t("share.as")),
    roles.length > 1 ? choice : "",
    h("label", { for: "link", class: "sr-only" }, t("share.link")),
    field,
    problem,
    h("div", { class: "dialog-actions" }, typeof navigator.share === "function" ? send : "", copy),
  );
  void fill(roles[0] ?? "listener");
}

/**
 * Invites to a room.
 * @param {string} room
 * @param {boolean} open whether the server is: then the room's own link will do
 */
export function roomInvite(room, open) {
  if (open) {
    share(t("bar.invite"), t("share.open"), async () => link({ at: "room", room }), ["listener"]);
    return;
  }
  /** @type {Map<Role, string>} */
  const made = new Map(); // one link a role is enough, however often one looks
  const make = async (/** @type {Role} */ role) => {
    const url = made.get(role) ?? (await api.inviteToRoom(room, { role, uses: role === "listener" ? 100 : 1 }, await keyring.roomToken(room))).url;
    made.set(role, url);
    return url;
  };
  share(t("bar.invite"), t("share.room"), make, ["listener", "speaker", "host"]);
}

/**
 * Asks a member to host a planned room too.
 * @param {string} plan
 */
export function hostInvite(plan) {
  share(t("share.host"), t("share.host.text"), async () => (await api.inviteToHost(plan, await keyring.houseToken())).url, ["host"]);
}

/**
 * Gives a link away that is there already.
 * @param {string} url
 */
export function shareLink(url) {
  share(t("share.plan"), t("share.plan.text"), async () => url, ["listener"]);
}

/** Invites to the club. */
export function clubInvite() {
  share(
    t("member.invite"),
    t("share.club.text"),
    async () => (await api.inviteToClub(await keyring.houseToken())).url,
    ["listener"],
  );
}
