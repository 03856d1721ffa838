import * as api from "../api.js";
import { h } from "../dom.js";
import * as keyring from "../keyring.js";
import { link } from "../route.js";
import { refusalOf } from "../types.js";
import { aside, ending } from "../words.js";
import { dialog } from "./dialog.js";
import { icon } from "./icon.js";
import { toast } from "./toast.js";

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
  const field = h("input", { id: "link", readonly: true, class: "link", onfocus: () => field.select() });
  const copy = h("button", { type: "button", class: "primary", disabled: true, onclick: () => copyText(field) }, icon("copy"), "Copy link");
  const send = h("button", { type: "button", onclick: () => navigator.share({ url: field.value }).catch(() => {}) }, icon("share"), "Send");
  const fill = async (/** @type {Role} */ role) => {
    copy.disabled = true;
    problem.textContent = "";
    try {
      field.value = await make(role);
      copy.disabled = false;
    } catch (e) {
      const { code, message } = refusalOf(e);
      problem.textContent = code === "forbidden" ? "Only hosts can invite to this room." : ending(code, message).text;
    }
  };
  const choice = h(
    "select",
    { id: "role", onchange: () => fill(/** @type {Role} */ (choice.value)) },
    ...roles.map((role) => h("option", { value: role }, { listener: "Listener", speaker: "Speaker, on stage", host: "Host, with all rights" }[role])),
  );
  dialog(
    title,
    h("p", {}, text),
    roles.length > 1 && h("label", { for: "role" }, "They come in as"),
    roles.length > 1 ? choice : "",
    h("label", { for: "link", class: "sr-only" }, "Invite link"),
    field,
    problem,
    h("div", { class: "dialog-actions" }, typeof navigator.share === "function" ? send : "", copy),
  );
  void fill(roles[0] ?? "listener");
}

/** @param {HTMLInputElement} field */
async function copyText(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    toast(aside("copied"));
  } catch {
    field.select();
    const { title, text } = ending("insecure_clipboard");
    toast(title, { detail: text });
  }
}

/**
 * Invites to a room.
 * @param {string} room
 * @param {boolean} open whether the server is: then the room's own link will do
 */
export function roomInvite(room, open) {
  if (open) {
    share("Invite people", "Whoever opens this link can come in and listen.", async () => link({ at: "room", room }), ["listener"]);
    return;
  }
  /** @type {Map<Role, string>} */
  const made = new Map(); // one link a role is enough, however often one looks
  const make = async (/** @type {Role} */ role) => {
    const url = made.get(role) ?? (await api.inviteToRoom(room, { role, uses: role === "listener" ? 100 : 1 }, await keyring.roomToken(room))).url;
    made.set(role, url);
    return url;
  };
  share("Invite people", "A link for listeners works a hundred times; one to the stage works once. Either is good for a day.", make, ["listener", "speaker", "host"]);
}

/**
 * Asks a member to host a planned room too.
 * @param {string} plan
 */
export function hostInvite(plan) {
  share("Host together", "A member who opens this link can agree to host with you. A new link ends the last one.", async () => (await api.inviteToHost(plan, await keyring.houseToken())).url, ["host"]);
}

/**
 * Gives a link away that is there already.
 * @param {string} url
 */
export function shareLink(url) {
  share("Share this room", "Whoever opens this link sees what is planned. Where you paste it, it shows a preview.", async () => url, ["listener"]);
}

/** Invites to the club. */
export function clubInvite() {
  share(
    "Invite to the club",
    "The link works once, for a week. Whoever uses it becomes a member, by your invitation.",
    async () => (await api.inviteToClub(await keyring.houseToken())).url,
    ["listener"],
  );
}
