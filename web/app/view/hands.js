import { apply, h, reconcile, say } from "../dom.js";
import { number, t } from "../language.js";
import { avatar } from "./avatar.js";
import { icon } from "./icon.js";
import { remove } from "./member.js";

/** @typedef {import("../types.js").Hand} Hand */

/**
 * The queue of raised hands, for those on stage; hosts can answer them.
 * @param {import("../call.js").Call} call
 */
export function hands(call) {
  const list = h("ol", { class: "hands" });
  const summary = h("p", { class: "quiet" });
  const element = h("div", { class: "hands-panel" }, summary, list);
  /** @param {Hand} hand */
  const make = ({ member, name }) =>
    h(
      "li",
      { class: "hand" },
      h("span", { class: "hand-place", "aria-hidden": "true" }),
      avatar(name, "small"),
      h("span", { class: "hand-name", dir: "auto" }, name),
      h(
        "span",
        { class: "hand-actions" },
        h("button", { type: "button", class: "small primary", onclick: () => call.request({ type: "invite-to-stage", member }) }, icon("up"), h("span", { class: "hand-invite" })),
        h("button", { type: "button", class: "small ghost", onclick: () => call.request({ type: "lower-hand", member }), "aria-label": t("hands.lower", { name }), title: t("hands.lower", { name }) }, icon("close")),
        h("button", { type: "button", class: "small ghost danger", onclick: () => remove(call, member, name), "aria-label": t("hands.remove", { name }), title: t("hands.remove", { name }) }, icon("out")),
      ),
    );
  return {
    element,
    update() {
      const { hands: up, handCount, hosting } = call.roster;
      reconcile(list, up, (hand) => hand.member, make, (item, { member, name }) => {
        say(/** @type {Element} */ (item.querySelector(".hand-place")), number(up.findIndex((hand) => hand.member === member) + 1));
        const asked = call.asked.has(member);
        const what = t(asked ? "hands.invited" : "hands.invite");
        say(/** @type {Element} */ (item.querySelector(".hand-invite")), what);
        apply(/** @type {HTMLButtonElement} */ (item.querySelector(".primary")), { disabled: asked, "aria-label": t("hands.invite.name", { what, name }) });
        /** @type {HTMLElement} */ (item.querySelector(".hand-actions")).hidden = !hosting;
      });
      const more = handCount - up.length;
      say(summary, handCount === 0 ? t("hands.none") : more > 0 ? t("hands.more", { n: more }) : "");
      summary.hidden = summary.textContent === "";
    },
  };
}
