import { h } from "../dom.js";
import { icon, mark } from "./icon.js";

/**
 * Shows a new member their login key, once.
 * @param {string} key
 * @param {() => void} onward
 */
export function keepsake(key, onward) {
  const field = h("input", { id: "key", readonly: true, class: "link", value: key, onfocus: () => field.select() });
  return h(
    "main",
    { class: "gate" },
    h("p", { class: "brand" }, mark(), "earshot"),
    h(
      "section",
      { class: "card form" },
      h("h1", {}, "Welcome to the club"),
      h("p", {}, "This is your login key. Keep it somewhere safe: it brings you in from other devices, and it is not shown again."),
      h("label", { for: "key" }, "Your login key"),
      field,
      h("button", { type: "button", onclick: () => navigator.clipboard?.writeText(key).catch(() => field.select()) }, icon("copy"), "Copy"),
      h("button", { type: "button", class: "primary big", onclick: onward }, "I have kept it"),
    ),
  );
}
