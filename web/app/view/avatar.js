import { h } from "../dom.js";

/**
 * An avatar for a name: its initials on a colour, and over them a picture if there is one.
 * @param {string} name
 * @param {string} [size] "small"
 * @param {string} [picture] its name
 */
export function avatar(name, size = "", picture = "") {
  const face = h("span", { class: `face ${size}`, "aria-hidden": "true" }, initials(name));
  face.dataset["hue"] = String(hue(name));
  if (picture) face.append(h("img", { src: `/pictures/${encodeURIComponent(picture)}`, alt: "", onerror: (/** @type {Event} */ event) => /** @type {Element} */ (event.target).remove() }));
  return face;
}

/** Tells a flag or a letter with its marks as one. */
const symbols = new Intl.Segmenter();
/** What can stand for a word: a letter, a digit or an emoji. */
const sign = /[\p{L}\p{N}\p{RI}\p{Extended_Pictographic}]/u;

/**
 * The first letters of the first and the last word, in brackets or not.
 * @param {string} name
 */
export function initials(name) {
  const all = name.trim().split(/\s+/).filter(Boolean);
  const named = all.filter((word) => sign.test(word));
  const words = named.length > 0 ? named : all;
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word = "") => first(word)).join("") || "?";
}

/** @param {string} word */
function first(word) {
  const all = [...symbols.segment(word)].map(({ segment }) => segment);
  return (all.find((s) => sign.test(s)) ?? all[0] ?? "").toLocaleUpperCase();
}

/**
 * One of twelve colours; a name always has the same.
 * @param {string} name
 */
function hue(name) {
  let sum = 0x811c9dc5; // FNV-1a
  for (const letter of name) sum = Math.imul(sum ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return sum % 12;
}
