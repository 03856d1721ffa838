import { h } from "../dom.js";
import { languages, t } from "../language.js";
import * as vault from "../vault.js";
import { icon } from "./icon.js";

/** Lets the visitor pick another language; nothing if there is only one. */
export function languagePicker() {
  const { names, current } = languages();
  const tags = Object.keys(names);
  if (tags.length < 2) return null;
  const select = h(
    "select",
    { id: "language", "aria-label": t("language.pick"), autocomplete: "off", onchange: () => pick(select.value) },
    ...tags.map((tag) => h("option", { value: tag, lang: tag, selected: tag === current }, names[tag])),
  );
  return h("footer", { class: "language" }, icon("globe"), select);
}

/** @param {string} tag */
function pick(tag) {
  vault.language.set(tag);
  const address = new URL(location.href);
  address.searchParams.delete("lang"); // it would win
  history.replaceState(null, "", address);
  location.reload();
}
