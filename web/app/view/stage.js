import { apply, h, reconcile, say } from "../dom.js";
import { t } from "../language.js";
import { Seating } from "../seating.js";
import { reach, talks } from "../voices.js";
import { avatar } from "./avatar.js";
import { icon } from "./icon.js";

/**
 * @typedef {import("../call.js").Call} Call
 * @typedef {import("../types.js").StageMember} StageMember
 */

/**
 * The stage: an avatar for each person, with a ring that follows the voice.
 * @param {Call} call
 * @param {import("../followed.js").Followed} followed
 * @param {(member: StageMember) => void} onPick the user has picked somebody
 */
export function stage(call, followed, onPick) {
  const list = h("ul", { class: "stage", "aria-label": t("stage.name") });
  const nobody = h("p", { class: "quiet", hidden: true });
  const element = h("section", { class: "stage-card" }, list, nobody);
  const seating = new Seating();

  /** @param {StageMember} member */
  const make = (member) => {
    const content = [
      h("span", { class: "seat-face" }, h("span", { class: "ring", "aria-hidden": "true" }), avatar(member.name, "", member.picture)),
      h("span", { class: "seat-name" }),
      h("span", { class: "seat-role" }),
      h("span", { class: "seat-mic sr-only" }),
    ];
    const seat = acts(call, member)
      ? h("button", { type: "button", class: "seat-person", "aria-haspopup": "dialog", onclick: () => pick(member.member) }, ...content)
      : h("div", { class: "seat-person" }, ...content);
    return h("li", { class: "seat" }, seat);
  };
  /** @param {string} id */
  const pick = (id) => {
    const member = call.roster.find(id);
    if (member) onPick(member);
  };
  /**
   * @param {HTMLElement} item
   * @param {StageMember} member
   */
  const update = (item, member) => {
    const own = member.member === call.roster.me;
    const muted = own ? call.speaking.silent : member.muted;
    apply(part(item, "seat-name"), { dir: own ? null : "auto" });
    say(part(item, "seat-name"), own ? t("stage.you", { name: member.name }) : member.name);
    const role = t(member.role === "host" ? "role.host" : "role.speaker");
    say(part(item, "seat-role"), member.away ? t("stage.away") : followed.has(member.profile) ? t("stage.followed", { role }) : role);
    item.classList.toggle("host", member.role === "host");
    item.classList.toggle("own", own);
    item.classList.toggle("away", member.away ?? false);
    badge(part(item, "seat-face"), muted);
    item.dataset["talker"] = String(member.talker);
    item.classList.toggle("muted", muted);
    say(part(item, "seat-mic"), t(muted ? "stage.mic.off" : "stage.mic.on"));
  };

  const seated = () => seating.arrange(call.roster.stage, narrow.matches);
  // People you can act on are buttons; others are not.
  const seat = () => reconcile(list, seated(), (m) => (acts(call, m) ? "button " : "") + m.member + (m.picture ?? ""), make, update);

  /** Lets a microphone flash, as people do who applaud. @param {string} id of a member */
  const applaud = (id) => {
    const at = seated().findIndex((m) => m.member === id);
    const face = list.children[at]?.querySelector(".seat-face");
    if (!face || face.querySelector(".clap")) return;
    const clap = h("span", { class: "badge clap", role: "img", "aria-label": t("stage.applauds") }, icon("mic"));
    face.append(clap);
    setTimeout(() => clap.remove(), applauseMs);
  };

  return {
    element,
    update() {
      seat();
      call.roster.applause.splice(0).forEach(applaud);
      const { lastHost } = call.roster;
      say(nobody, lastHost ? t("stage.no_host", { name: lastHost }) : t("stage.nobody"));
      nobody.hidden = call.roster.stage.length > 0;
    },
    /** Updates the rings to the voice levels. */
    levels() {
      // Somebody who is at a seat with the keyboard is not moved away from it.
      const moved = narrow.matches && seating.heard(seated(), (m) => talks(call.levels.get(m.talker) ?? 0), performance.now());
      if (moved && !list.contains(document.activeElement)) seat();
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
 * Whether there is something to see of a member, or something to do about them.
 * @param {Call} call
 * @param {StageMember} member
 */
function acts(call, member) {
  return call.roster.hosting || member.member === call.roster.me || Boolean(member.profile);
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
  const present = face.querySelector(".badge:not(.clap)");
  if (muted && !present) face.append(h("span", { class: "badge" }, icon("mic-off")));
  if (!muted) present?.remove();
}

/** How long a microphone flashes, in milliseconds. */
const applauseMs = 2400;

/** Whether a full stage does not fit on the screen. */
const narrow = matchMedia("(max-width: 32rem)");
