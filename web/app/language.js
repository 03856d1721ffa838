import * as vault from "./vault.js";

/**
 * The page's texts, in the visitor's language. A language is one file of lang/, which has a text
 * for each key. A text has its values in braces ("{name} left"); one that depends on a number n is
 * several, by the plural category of n (Intl.PluralRules).
 *
 * @typedef {keyof typeof import("./lang/en.json")} Key
 * @typedef {{[key: string]: string | {[category: string]: string}}} Table
 * @typedef {{[name: string]: string | number | undefined}} Values a number is written as the language writes it
 */

/** The texts. @type {Table} */
let table = {};
/** The languages that there are: their names, by tag (RFC 5646). @type {{[tag: string]: string}} */
let names = {};
let current = "";
let rightToLeft = false;
let plural = new Intl.PluralRules("en");
/** How dates, numbers and lists are written. */
let formats = "en-GB";
let enumeration = new Intl.ListFormat(formats, { type: "unit", style: "short" });
/** Number formats, by how many digits follow the point. @type {Map<number | undefined, Intl.NumberFormat>} */
const numbers = new Map();

/** Loads the visitor's language: the one that the address asks for, else that which they picked, else the browser's. */
export async function load() {
  names = await read("/app/languages.json");
  const asked = new URLSearchParams(location.search).get("lang") ?? "";
  await use(choose([asked, vault.language.get(), ...navigator.languages], Object.keys(names)));
}

/**
 * Takes another language, which the visitor has picked, and keeps it. What is shown stays as it is:
 * the caller draws it anew.
 * @param {string} tag
 */
export async function pick(tag) {
  vault.language.set(tag);
  const address = new URL(location.href);
  address.searchParams.delete("lang"); // it would win
  history.replaceState(null, "", address);
  await use(tag);
}

/** @param {string} tag */
async function use(tag) {
  speak(tag, await read(`/app/lang/${tag}.json`));
  document.documentElement.lang = tag;
  document.documentElement.dir = rightToLeft ? "rtl" : "ltr";
  // The server knows what the browser wants, and not what the visitor has picked.
  const manifest = /** @type {HTMLLinkElement | null} */ (document.querySelector("link[rel=manifest]"));
  if (manifest) manifest.href = `/app/manifest.webmanifest?lang=${tag}`;
}

/**
 * The first language wished for that there is, or a relative of it; else English.
 * @param {string[]} wishes tags
 * @param {string[]} known tags
 */
export function choose(wishes, known) {
  for (const wish of wishes.map((w) => w.toLowerCase())) {
    const parts = wish.split("-");
    for (let n = parts.length; n > 0; n--) {
      const found = known.find((tag) => tag.toLowerCase() === parts.slice(0, n).join("-"));
      if (found) return found;
    }
    const relative = known.find((tag) => tag.toLowerCase().split("-")[0] === parts[0]);
    if (relative) return relative;
  }
  return "en";
}

/**
 * Speaks a language from now on.
 * @param {string} tag
 * @param {Table} texts
 */
export function speak(tag, texts) {
  current = tag;
  table = texts;
  rightToLeft = texts["language.direction"] === "rtl";
  formats = String(texts["language.formats"]);
  plural = new Intl.PluralRules(tag);
  enumeration = new Intl.ListFormat(formats, { type: "unit", style: "short" });
  numbers.clear();
}

/** The languages to choose from, and the current one. */
export const languages = () => ({ names, current });

/**
 * A text.
 * @param {Key} key
 * @param {Values} [values]
 */
export function t(key, values = {}) {
  return fill(table[key] ?? key, values);
}

/**
 * A text whose key is made at run time; undefined if there is none.
 * @param {string} key
 * @param {Values} [values]
 */
export function maybe(key, values = {}) {
  const text = table[key];
  return text === undefined ? undefined : fill(text, values);
}

/**
 * @param {string | {[category: string]: string}} text
 * @param {Values} values
 */
function fill(text, values) {
  const form = typeof text === "string" ? text : text[plural.select(Number(values["n"]))] ?? text["other"] ?? "";
  return form.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
}

/** Letters that are written from right to left. */
const arabicOrHebrew = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

/**
 * A value within a text.
 * @param {string | number | undefined} value
 */
function shown(value) {
  return typeof value === "number" ? number(value) : apart(value ?? "");
}

/**
 * What somebody wrote, kept apart from what stands beside it: it may run the other way.
 * @param {string} written
 */
export const apart = (written) => (written && (rightToLeft || arabicOrHebrew.test(written)) ? `\u2068${written}\u2069` : written);

/**
 * @param {number} n
 * @param {number} [digits] after the point; without, as many as it has
 */
export function number(n, digits) {
  let format = numbers.get(digits);
  if (!format) numbers.set(digits, (format = new Intl.NumberFormat(formats, { minimumFractionDigits: digits, maximumFractionDigits: digits })));
  return format.format(n);
}

/**
 * Names one after another: "Ada, Bo".
 * @param {string[]} all
 */
export const list = (all) => enumeration.format(all.map(apart));

/**
 * Names in a sentence: "Ada and Bo".
 * @param {string[]} all
 */
export const together = (all) => new Intl.ListFormat(formats).format(all.map(apart));

/**
 * A time with its day and its zone.
 * @param {Date} at
 * @param {string} [timeZone] another than the visitor's
 */
export function when(at, timeZone) {
  return new Intl.DateTimeFormat(formats, { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", timeZoneName: "short", timeZone }).format(at);
}

/**
 * Puts texts in the place of those of a document: data-text has the key of each, and further data-
 * attributes its values.
 * @param {ParentNode} root
 */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    const { text = "", ...values } = /** @type {HTMLElement} */ (element).dataset;
    element.textContent = maybe(text, Object.fromEntries(Object.entries(values).map(([name, v = ""]) => [name, /^\d+$/.test(v) ? Number(v) : v]))) ?? text;
  }
}

/** The first and the longest pause before a file is asked for again, in milliseconds. */
const pauses = [500, 8000];

/**
 * Reads a file of the server, if need be in several attempts: without it there is no page.
 * @param {string} path
 */
async function read(path) {
  for (let [pause = 0, longest = 0] = pauses; ; pause = Math.min(2 * pause, longest)) {
    const response = await fetch(path).catch(() => undefined);
    if (response?.ok) return response.json();
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
