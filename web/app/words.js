import { languages, maybe, t } from "./language.js";

/**
 * @typedef {object} Words
 * @property {string} title
 * @property {string} text what it means and what to do
 */

/**
 * Words for a refusal or a goodbye. What has none of its own is told by its code, in English by the
 * server's words: they say more.
 * @param {string} code a refusal's code or a goodbye's reason
 * @param {string} [message] the server's own words
 * @returns {Words}
 */
export function ending(code, message) {
  const title = maybe(`ending.${code}`);
  const text = maybe(`ending.${code}.text`);
  if (title && text) return { title, text };
  const own = message && sentence(message);
  const meaning = maybe(`code.${code}`);
  return { title: t("ending.other"), text: (languages().current === "en" ? own || meaning : meaning || own) || t("ending.other.text", { code }) };
}

/**
 * A short note.
 * @param {string} key
 * @param {{[name: string]: string}} [values]
 */
export function aside(key, values = {}) {
  return maybe(`note.${key}`, values) ?? key;
}

/**
 * Whether the audience's packets wait for one another, in words that fit on a phone.
 * @param {number} ms for how long at most
 */
export function bundling(ms) {
  return ms > 0 ? t("bundles.some", { n: ms }) : t("bundles.none");
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
