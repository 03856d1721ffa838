import { h } from "../dom.js";
import { avatar } from "./avatar.js";
import { confirm, dialog } from "./dialog.js";
import { icon } from "./icon.js";

/**
 * @typedef {import("../call.js").Call} Call
 * @typedef {import("../types.js").StageMember} StageMember
 */

/**
 * The actions on somebody on stage.
 * @param {Call} call
 * @param {StageMember} who
 */
export function memberMenu(call, who) {
  const { member, name } = who;
  const own = member === call.roster.me;
  /**
   * @param {import("./icon.js").IconName} picture
   * @param {string} label
   * @param {{type: string, [field: string]: any}} request
   * @param {string} [kind]
   */
  const action = (picture, label, request, kind = "") =>
    h(
      "button",
      {
        type: "button",
        class: `menu-item ${kind}`,
        onclick: () => {
          box.close();
          void call.request(request);
        },
      },
      icon(picture),
      label,
    );
  const ban = h(
    "button",
    {
      type: "button",
      class: "menu-item danger",
      onclick: async () => {
        box.close();
        if (await confirm(`Ban ${name}?`, "They are put out and can’t come back into this room.", "Ban")) await call.request({ type: "ban", member });
      },
    },
    icon("stop"),
    "Ban from the room",
  );
  const items = own
    ? [action("down", "Go back to the audience", { type: "demote" })]
    : [
        action(who.muted ? "mic" : "mic-off", who.muted ? "Unmute" : "Mute", { type: "mute", member, muted: !who.muted }),
        action("down", "Move to the audience", { type: "demote", member }),
        ...(who.role === "host" ? [] : [action("star", "Make a host too", { type: "promote", member, role: "host" })]),
        ...(who.role === "host" ? [] : [action("star", "Pass the host role on", { type: "pass-host", member })]),
        action("out", "Remove from the room", { type: "remove", member }, "danger"),
        ban,
      ];
  const box = dialog(
    name,
    h("div", { class: "menu-face" }, avatar(name), h("span", { class: "quiet" }, who.role === "host" ? "Host" : "Speaker")),
    h("div", { class: "menu" }, ...items),
  );
}

/** @param {Call} call */
export async function endRoom(call) {
  if (await confirm("End the room for everybody?", "Everybody is sent home, and the room is gone.", "End the room")) await call.request({ type: "end" });
}
