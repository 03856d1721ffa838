import { h } from "../dom.js";
import { languages, pick, t } from "../language.js";
import { icon } from "./icon.js";

/**
 * Lets the visitor pick another language; nothing if there is only one.
 * @param {() => void} [picked] shows the page in it; without, it is loaded again
 */
export function languagePicker(picked = () => location.reload()) {
  const { names, current } = languages();
  const tags = Object.keys(names);
  if (tags.length < 2) return null;
  const select = h(
    "select",
    { id: "language", "aria-label": t("language.pick"), autocomplete: "off", onchange: () => void pick(select.value).then(picked) },
    ...tags.map((tag) => h("option", { value: tag, lang: tag, selected: tag === current }, names[tag])),
  );
  return h("footer", { class: "language" }, icon("globe"), select);
}
