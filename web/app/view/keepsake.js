import { h } from "../dom.js";
import { t } from "../language.js";
import { copyText } from "./copy.js";
import { icon, mark } from "./icon.js";
import { languagePicker } from "./language.js";

/**
 * Shows a new member their login key, once.
 * @param {string} key
 * @param {() => void} onward
 */
export function keepsake(key, onward) {
  const field = h("input", { id: "key", readonly: true, class: "link", dir: "ltr", value: key, onfocus: () => field.select() });
  return h(
    "main",
    { class: "gate" },
    h("p", { class: "brand" }, mark(), "earshot"),
    h(
      "section",
      { class: "card form" },
      h("h1", {}, t("keepsake.title")),
      h("p", {}, t("keepsake.text")),
      h("label", { for: "key" }, t("keepsake.key")),
      field,
      h("button", { type: "button", onclick: () => copyText(field) }, icon("copy"), t("action.copy")),
      h("button", { type: "button", class: "primary big", onclick: onward }, t("keepsake.done")),
    ),
    languagePicker(),
  );
}
