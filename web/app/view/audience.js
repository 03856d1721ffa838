import { h, say } from "../dom.js";
import { count } from "../words.js";

/** How many seats are drawn; the number beside them says the rest. */
const drawn = 60;

/**
 * The audience: a number, and seats that fill. The server does not say who they are.
 * @param {import("../call.js").Call} call
 */
export function audience(call) {
  const number = h("h2", {});
  const note = h("p", { class: "quiet" });
  const seats = h("div", { class: "seats", "aria-hidden": "true" });
  const element = h("section", { class: "audience", "aria-label": "Audience" }, h("div", { class: "audience-head" }, number, note), seats);
  return {
    element,
    update() {
      const n = call.roster.listeners;
      say(number, n === 0 ? "Nobody is listening yet" : `${count(n, "person", "people")} listening`);
      say(note, call.roster.onStage ? "" : (n > 1 ? "You are one of them" : "That is you") + (call.roster.hall > 0 ? `, in overflow hall ${call.roster.hall}` : ""));
      while (seats.children.length > Math.min(n, drawn)) seats.lastElementChild?.remove();
      while (seats.children.length < Math.min(n, drawn)) seats.append(h("span", { class: "dot" }));
      seats.firstElementChild?.classList.toggle("own", !call.roster.onStage);
    },
  };
}
