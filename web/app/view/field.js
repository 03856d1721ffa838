import { h } from "../dom.js";
import { t } from "../language.js";

/** What cannot be seen, and comes along when a name is copied: marks of direction, and spaces without width. */
const unseen = /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu;

/**
 * What somebody has typed as a name or a title, without what cannot be seen in it.
 * @param {string} typed
 */
const plain = (typed) => typed.replace(unseen, "").trim();

/**
 * A field that must say something: spaces alone are nothing, and the browser asks for more.
 * @param {import("../dom.js").Props} props
 */
function field(props) {
  const tidy = () => (input.value = plain(input.value));
  const input = h("input", { required: true, dir: "auto", ...props, onchange: tidy });
  return input;
}

/**
 * The field for somebody's name.
 * @param {string} id
 * @param {string} value
 */
export const nameField = (id, value) => field({ id, name: "name", maxlength: 80, autocomplete: "nickname", placeholder: t("name.example"), value });

/**
 * The field for a room's title.
 * @param {string} id
 */
export const titleField = (id) => field({ id, name: "title", maxlength: 60, autocomplete: "off", placeholder: t("open.example") });
