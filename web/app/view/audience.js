import { h, reconcile, say } from "../dom.js";
import { t } from "../language.js";
import { Listeners } from "../listeners.js";
import { avatar } from "./avatar.js";
import { icon } from "./icon.js";

/** @typedef {import("../types.js").AudienceMember} AudienceMember */

/** How many faces are drawn; the number after them says the rest. */
const drawn = 60;

/**
 * The audience: how many there are, and the faces of the first of them, those whom the user follows
 * before all others.
 * @param {import("../call.js").Call} call
 * @param {import("../followed.js").Followed} followed
 * @param {{pick: (who: AudienceMember) => void, search: () => void}} on search is for hosts
 */
export function audience(call, followed, on) {
  const number = h("h2", {});
  const note = h("p", { class: "quiet" });
  const search = h("button", { type: "button", class: "small", onclick: on.search }, icon("people"), t("audience.find"));
  const dots = h("div", { class: "seats", "aria-hidden": "true" });
  const list = h("ul", { class: "listeners", "aria-label": t("audience.list") });
  const element = h("section", { class: "audience", "aria-label": t("audience.name") }, h("div", { class: "audience-head" }, number, note, search), dots, list);
  const listeners = new Listeners(ask, update);
  let seen = false;
  const watcher = new IntersectionObserver((entries) => {
    seen = entries.at(-1)?.isIntersecting ?? false;
    update();
  });
  watcher.observe(element);
  document.addEventListener("visibilitychange", update);

  async function ask() {
    const [first, known] = await Promise.all([call.audience(), followed.any ? call.audience({ followed: true }) : { people: [] }]);
    const ids = new Set(known.people.map((who) => who.member));
    return { people: [...known.people, ...first.people.filter((who) => !ids.has(who.member))] };
  }

  function update() {
    const { listeners: n, onStage, hosting, hall, me } = call.roster;
    say(number, n === 0 ? t("audience.nobody") : t("audience.count", { n }));
    say(note, onStage ? "" : own(n, hall));
    search.hidden = !hosting;
    if (n > 0 && call.state === "live" && seen && document.visibilityState === "visible") listeners.look([n, hall, onStage, followed.any].join(), n);
    const known = n > 0 ? listeners.people ?? [] : [];
    const waiting = known.length > 0 ? 0 : Math.min(n, drawn);
    while (dots.children.length > waiting) dots.lastElementChild?.remove();
    while (dots.children.length < waiting) dots.append(h("span", { class: "dot" }));
    dots.hidden = waiting === 0;
    list.hidden = known.length === 0;
    /** @type {(AudienceMember & {rest?: number})[]} */
    const shown = known.slice(0, drawn);
    if (known.length > 0 && n > shown.length) shown.push({ member: "", name: "", rest: n - shown.length });
    /** Whether there is something to see of somebody, or something to do about them. @param {AudienceMember} who */
    const acts = (who) => hosting || Boolean(who.profile);
    const key = (/** @type {AudienceMember & {rest?: number}} */ who) => (who.rest ? `+${who.rest}` : [acts(who), who.hand, who.picture, who.member].join(" "));
    reconcile(list, shown, key, (who) => (who.rest ? more(who.rest) : face(who, acts(who) ? on.pick : undefined)), (item, who) => {
      item.classList.toggle("own", who.member === me);
      item.classList.toggle("away", who.away ?? false);
      item.classList.toggle("followed", followed.has(who.profile));
      const note = item.querySelector(".listener-note");
      if (note) say(note, followed.has(who.profile) ? t("profile.following") : "");
    });
  }
  return {
    element,
    update,
    /** Stops asking who is there. */
    close() {
      watcher.disconnect();
      listeners.close();
      document.removeEventListener("visibilitychange", update);
    },
  };
}

/**
 * @param {AudienceMember} who
 * @param {((who: AudienceMember) => void) | undefined} pick
 */
function face(who, pick) {
  const content = [h("span", { class: "listener-face" }, avatar(who.name, "", who.picture), who.hand && h("span", { class: "badge" }, icon("hand"))), h("span", { class: "listener-name", title: who.name, dir: "auto" }, who.name), h("span", { class: "listener-note" })];
  const person = pick
    ? h("button", { type: "button", class: "listener-person", "aria-haspopup": "dialog", onclick: () => pick(who) }, ...content)
    : h("div", { class: "listener-person" }, ...content);
  return h("li", { class: "listener" }, person);
}

/**
 * Says that the user is in the audience too.
 * @param {number} n how many listen
 * @param {number} hall the user's overflow hall; 0 is the room itself
 */
function own(n, hall) {
  if (hall > 0) return t(n > 1 ? "audience.you_too.hall" : "audience.you.hall", { hall });
  return t(n > 1 ? "audience.you_too" : "audience.you");
}

/** @param {number} rest how many more there are */
function more(rest) {
  return h("li", { class: "listener listener-more" }, h("div", { class: "listener-person" }, h("span", { class: "face" }, t("audience.rest", { n: rest })), h("span", { class: "listener-name" }, t("audience.rest.name"))));
}
