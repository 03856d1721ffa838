import { h, reconcile, say } from "../dom.js";
import { reach, talks } from "../voices.js";
import { avatar } from "./avatar.js";
import { icon } from "./icon.js";

/**
 * @typedef {import("../call.js").Call} Call
 * @typedef {import("../types.js").StageMember} StageMember
 */

/**
 * The stage: a face each, with a ring that follows the voice.
 * @param {Call} call
 * @param {(member: StageMember) => void} onPick a host has picked somebody
 */
export function stage(call, onPick) {
  const list = h("ul", { class: "stage", "aria-label": "On stage" });
  const nobody = h("p", { class: "quiet", hidden: true }, "Nobody is on stage yet. Stay: it starts when a host arrives.");
  const element = h("section", { class: "stage-card" }, list, nobody);

  /** @param {StageMember} member */
  const make = ({ member, name }) => {
    const face = h("span", { class: "seat-face" }, h("span", { class: "ring", "aria-hidden": "true" }), avatar(name));
    return h(
      "li",
      { class: "seat" },
      h(
        "button",
        { type: "button", class: "seat-button", onclick: () => pick(member) },
        face,
        h("span", { class: "seat-name" }),
        h("span", { class: "seat-role" }),
      ),
    );
  };
  /** @param {string} id */
  const pick = (id) => {
    const member = call.roster.find(id);
    if (member && acts(call, member)) onPick(member);
  };
  /**
   * @param {HTMLElement} item
   * @param {StageMember} member
   */
  const update = (item, member) => {
    const own = member.member === call.roster.me;
    const muted = own ? call.speaking.silent : member.muted;
    say(part(item, "seat-name"), own ? `${member.name} (you)` : member.name);
    say(part(item, "seat-role"), member.away ? "Reconnecting" : member.role === "host" ? "Host" : "Speaker");
    item.classList.toggle("host", member.role === "host");
    item.classList.toggle("own", own);
    item.classList.toggle("away", member.away ?? false);
    const button = /** @type {HTMLButtonElement} */ (part(item, "seat-button"));
    const can = acts(call, member);
    button.classList.toggle("plain", !can);
    if (can) button.removeAttribute("aria-disabled");
    else button.setAttribute("aria-disabled", "true");
    badge(part(item, "seat-face"), muted);
    item.dataset["talker"] = String(member.talker);
    item.classList.toggle("muted", muted);
    label(item, member, own, muted);
  };

  return {
    element,
    update() {
      reconcile(list, call.roster.stage, (m) => m.member, make, update);
      nobody.hidden = call.roster.stage.length > 0;
    },
    /** Lets the rings follow the voices. */
    levels() {
      for (const child of list.children) {
        const item = /** @type {HTMLElement} */ (child);
        const level = call.levels.get(Number(item.dataset["talker"])) ?? 0;
        const talking = talks(level);
        item.style.setProperty("--reach", (talking ? reach(level) : 0).toFixed(2));
        if (item.classList.toggle("talking", talking) !== (item.dataset["talking"] === "yes")) {
          item.dataset["talking"] = talking ? "yes" : "no";
        }
      }
    },
  };
}

/**
 * Whether there is something one may do about somebody.
 * @param {Call} call
 * @param {StageMember} member
 */
function acts(call, member) {
  return call.roster.hosting || member.member === call.roster.me;
}

/**
 * @param {Element} item
 * @param {string} name of a class
 */
function part(item, name) {
  return /** @type {HTMLElement} */ (item.querySelector("." + name));
}

/**
 * @param {Element} face
 * @param {boolean} muted
 */
function badge(face, muted) {
  const present = face.querySelector(".badge");
  if (muted && !present) face.append(h("span", { class: "badge" }, icon("mic-off")));
  if (!muted) present?.remove();
}

/**
 * What a screen reader says of somebody.
 * @param {Element} item
 * @param {StageMember} member
 * @param {boolean} own
 * @param {boolean} muted
 */
function label(item, member, own, muted) {
  const words = [own ? `${member.name}, you` : member.name, member.role, muted ? "microphone off" : "microphone on"];
  if (member.away) words.push("reconnecting");
  const text = words.join(", ");
  const button = part(item, "seat-button");
  if (button.getAttribute("aria-label") !== text) button.setAttribute("aria-label", text);
}
