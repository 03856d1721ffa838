import { h } from "../dom.js";
import { apart, t } from "../language.js";
import { avatar } from "./avatar.js";
import { choice, confirm, dialog } from "./dialog.js";
import { icon } from "./icon.js";
import { stepDown } from "./leave.js";
import { profileNote } from "./profile.js";
import { soundSettings } from "./sound.js";

/**
 * @typedef {import("../call.js").Call} Call
 * @typedef {import("../types.js").StageMember} StageMember
 * @typedef {import("../types.js").AudienceMember} AudienceMember
 */

/**
 * What is asked before something that can't be taken back on the page.
 * @typedef {{title: string, text: string, yes: string, danger: boolean}} Sure
 */

/**
 * Sends a request, if need be once the user is sure.
 * @param {Call} call
 * @param {{type: string, [field: string]: any}} request
 * @param {Sure} [sure]
 */
async function ask(call, request, sure) {
  if (!sure || (await confirm(sure.title, sure.text, sure.yes, sure.danger))) await call.request(request);
}

const passing = (/** @type {string} */ name) => ({
  title: t("person.pass.title", { name }),
  text: t("person.pass.text"),
  yes: t("person.pass.yes"),
  danger: false,
});

const removal = (/** @type {string} */ name) => ({
  title: t("person.remove.title", { name }),
  text: t("person.remove.text"),
  yes: t("person.remove.yes"),
  danger: true,
});

const banning = (/** @type {string} */ name) => ({
  title: t("person.ban.title", { name }),
  text: t("person.ban.text"),
  yes: t("person.ban.yes"),
  danger: true,
});

/**
 * Removes somebody, once the user is sure.
 * @param {Call} call
 * @param {string} member
 * @param {string} name
 */
export const remove = (call, member, name) => ask(call, { type: "remove", member }, removal(name));

/**
 * Somebody in the audience: what they show of themselves, and what a host can do.
 * @param {Call} call
 * @param {AudienceMember} who
 * @param {import("../followed.js").Followed} followed
 * @param {() => void} change what is shown of whom the user follows
 */
export function listenerMenu(call, { member, name, profile, picture }, followed, change) {
  /** @type {[import("./icon.js").IconName, string, {type: string, [field: string]: any}, Sure?][]} */
  const actions = [
    ["up", t("person.invite"), { type: "invite-to-stage", member }],
    ["star", t("person.invite.host"), { type: "invite-to-stage", member, role: "host" }],
    ["out", t("person.remove"), { type: "remove", member }, removal(name)],
    ["stop", t("person.ban"), { type: "ban", member }, banning(name)],
  ];
  const items = call.roster.hosting ? actions.map(([sign, label, request, sure]) => choice(() => ask(call, request, sure), sure?.danger ?? false, icon(sign), label)) : [];
  dialog(
    apart(name),
    h("div", { class: "menu-face" }, avatar(name, "", picture), h("span", { class: "quiet" }, t(call.asked.has(member) ? "person.invited" : "role.listener"))),
    profileNote(profile, call.roster.room, followed, change),
    h("div", { class: "menu" }, ...items),
  );
}

/**
 * Somebody on stage: what they show of themselves, and what the user can do.
 * @param {Call} call
 * @param {StageMember} who
 * @param {import("../followed.js").Followed} followed
 * @param {() => void} change what is shown of whom the user follows
 */
export function memberMenu(call, who, followed, change) {
  const { member, name } = who;
  const own = member === call.roster.me;
  /**
   * @param {import("./icon.js").IconName} picture
   * @param {string} label
   * @param {{type: string, [field: string]: any}} request
   * @param {Sure} [sure] what is asked before
   */
  const action = (picture, label, request, sure) => choice(() => ask(call, request, sure), sure?.danger ?? false, icon(picture), label);
  const items = own
    ? [action("applause", t("bar.applaud"), { type: "applaud" }), choice(() => soundSettings(call), false, icon("mic"), t("sound.open")), choice(() => stepDown(call), false, icon("down"), t("person.back"))]
    : !call.roster.hosting
      ? []
      : [
        action(who.muted ? "mic" : "mic-off", t(who.muted ? "person.unmute" : "person.mute"), { type: "mute", member, muted: !who.muted }),
        action("down", t("person.demote"), { type: "demote", member }),
        ...(who.role === "host" ? [] : [action("star", t("person.promote"), { type: "promote", member, role: "host" })]),
        ...(who.role === "host" ? [] : [action("pass", t("person.pass"), { type: "pass-host", member }, passing(name))]),
        action("out", t("person.remove"), { type: "remove", member }, removal(name)),
        action("stop", t("person.ban"), { type: "ban", member }, banning(name)),
      ];
  dialog(
    apart(name),
    h("div", { class: "menu-face" }, avatar(name, "", who.picture), h("span", { class: "quiet" }, t(who.role === "host" ? "role.host" : "role.speaker"))),
    profileNote(who.profile, call.roster.room, followed, change),
    h("div", { class: "menu" }, ...items),
  );
}
