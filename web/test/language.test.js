import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { choose, list, number, speak, t, together, when } from "../app/language.js";
import { ending } from "../app/words.js";
import { texts } from "./english.js";

const english = texts("en");
const tags = readdirSync(new URL("../app/lang", import.meta.url)).map((name) => name.replace(/\.json$/, ""));

/** The names in braces of a text. */
const values = (/** @type {string} */ text) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort();

/**
 * The texts that somebody could have the page show by calling themselves something: "{name} invites
 * you to" is "The operator invites you to" for whoever is called "The operator".
 * @param {{[key: string]: any}} table
 */
function mistakable(table) {
  const plain = Object.entries(table).filter(([, text]) => typeof text === "string" && !text.includes("{"));
  return Object.entries(table).flatMap(([key, text]) => {
    if (typeof text !== "string" || values(text).join() !== "name") return [];
    const [before, after] = text.split("{name}");
    return plain.filter(([, other]) => other.length > text.length - "{name}".length && other.startsWith(before) && other.endsWith(after)).map(([other]) => `${key} with a name reads as ${other}`);
  });
}

/**
 * What is wrong with a language.
 * @param {string} tag
 * @param {{[key: string]: any}} table
 */
function faults(tag, table) {
  const found = [];
  const categories = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.toSorted();
  for (const [key, model] of Object.entries(english)) {
    const text = table[key];
    if (text === undefined) {
      found.push(`${key} is missing`);
      continue;
    }
    if (typeof text !== typeof model) found.push(`${key} has plural forms in one language only`);
    if (typeof text === "object" && Object.keys(text).toSorted().join() !== categories.join()) found.push(`${key} needs the forms ${categories.join()}`);
    const want = values(typeof model === "object" ? model.other : model).join();
    for (const form of typeof text === "object" ? Object.values(text) : [text]) {
      if (!form.trim()) found.push(`${key} is empty`);
      if (values(form).join() !== want) found.push(`${key} has the values ${values(form).join()} and not ${want}`);
    }
  }
  found.push(...mistakable(table));
  for (const key of Object.keys(table)) if (!(key in english)) found.push(`${key} is unknown`);
  if (!["ltr", "rtl"].includes(table["language.direction"])) found.push("language.direction is ltr or rtl");
  if (Intl.DateTimeFormat.supportedLocalesOf(table["language.formats"] ?? "").length === 0) found.push("language.formats is unknown");
  return found;
}

for (const tag of tags) {
  // The server writes dates itself, where no browser does.
  test(`the language ${tag} calls days and months as browsers do`, () => {
    const table = texts(tag);
    const formats = String(table["language.formats"]);
    const part = (/** @type {Date} */ at, /** @type {"weekday" | "month"} */ type) =>
      new Intl.DateTimeFormat(formats, { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" }).formatToParts(at).find((p) => p.type === type)?.value;
    for (let day = 0; day < 7; day++) assert.equal(table[`date.weekday.${day}`], part(new Date(Date.UTC(2023, 0, 1 + day)), "weekday"));
    for (let month = 1; month <= 12; month++) assert.equal(table[`date.month.${month}`], part(new Date(Date.UTC(2023, month - 1, 15)), "month"));
  });

  test(`the language ${tag} has every text, with its values and its plural forms`, () => assert.deepEqual(faults(tag, texts(tag)), []));
}

test("a language with a fault is found out", () => {
  for (const [change, want] of [
    [{ "stage.you": undefined }, "stage.you is missing"],
    [{ "stage.me": "me" }, "stage.me is unknown"],
    [{ "stage.you": "you" }, "stage.you has the values  and not name"],
    [{ "stage.you": "{nome} (you)" }, "stage.you has the values nome and not name"],
    [{ "home.title": " " }, "home.title is empty"],
    [{ listeners: "{n} listeners" }, "listeners has plural forms in one language only"],
    [{ listeners: { other: "{n}" } }, "listeners needs the forms one,other"],
    [{ "gate.invited_by_operator": "The operator invites you to" }, "gate.invited_by with a name reads as gate.invited_by_operator"],
    [{ "language.direction": "up" }, "language.direction is ltr or rtl"],
  ]) {
    assert.deepEqual(faults("en", { ...english, .../** @type {object} */ (change) }), [want]);
  }
  assert.deepEqual(faults("pl", english).find((f) => f.startsWith("listeners")), "listeners needs the forms few,many,one,other");
});

test("every text is used", () => {
  const app = new URL("../app/", import.meta.url);
  const panel = ["view.go", "now.tmpl", "page.html", "panel.js"].map((name) => readFileSync(new URL(`../../signaling/panel/${name}`, import.meta.url), "utf8").replaceAll("'", '"')).join("\n");
  const server = ["internal/language/date.go", "signaling/api/planned.go"].map((name) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")).join("\n");
  const all = readdirSync(app, { recursive: true }).filter((name) => /\.(js|html|webmanifest)$/.test(String(name))).map((name) => readFileSync(new URL(String(name), app), "utf8")).join("\n") + panel + server;
  const used = all.replace(/\{\{([a-z_.]+)\}\}/g, '"$1"'); // the places that the server fills
  // These keys are made at run time, from a code, a role or a state.
  const made = /^(language|date\.|ending|code|note|connection\.ear|connection\.(joining|live|lost|over)$|(share|gate)\.as\.|(leave|step_down)\.(next|alone|hand_over|just)$|operator\.(seen_by|state)\.|operator\.[a-z_]+\.text$)/;
  assert.deepEqual(Object.keys(english).filter((key) => !made.test(key) && !used.includes(`"${key}"`)), []);
});

test("the first language that a visitor wishes for and that there is", () => {
  for (const [wishes, want] of [
    [["", "", "de-AT", "en"], "de"],
    [["xx", "", "fr", "de"], "de"],
    [["DE"], "de"],
    [["pt"], "pt-BR"],
    [["pt-PT", "de"], "pt-BR"],
    [["zh"], "en"],
    [[], "en"],
    [["en-US", "de"], "en"],
  ]) {
    assert.equal(choose(wishes, ["en", "de", "pt-BR"]), want, String(wishes));
  }
});

test("a German visitor's numbers, dates and lists are German", () => {
  speak("de", texts("de"));
  assert.equal(t("listeners", { n: 1 }), "1 hört zu");
  assert.equal(t("listeners", { n: 1200 }), "1.200 hören zu");
  assert.equal(t("connection.loss.value", { percent: number(1.25, 1) }), "1,3 %");
  assert.equal(together(["Ada", "Bo"]), "Ada und Bo");
  assert.equal(list(["Ada", "Bo", "Cy"]), "Ada, Bo und Cy");
  assert.match(when(new Date("2026-12-04T20:00:00+01:00"), "Europe/Berlin"), /^Freitag, 4\. Dezember um 20:00 (MEZ|GMT\+1)$/);
  assert.deepEqual(ending("bad_request", "the title is too long"), { title: "Das hat nicht geklappt", text: "Der Server versteht die Anfrage nicht. Prüf, was du eingegeben hast." });
  assert.equal(ending("new_code", "the moon is down").text, "The moon is down.", "there is no translation: the server's own words");
  speak("en", english);
  assert.equal(ending("bad_request", "the title is too long").text, "The title is too long.", "they say more");
});

test("values are written as the language writes them, and apart where they run the other way", () => {
  assert.equal(t("listeners", { n: 1200 }), "1,200 listeners");
  assert.equal(t("stage.you", { name: "Ada" }), "Ada (you)");
  assert.equal(t("stage.you", { name: "نور" }), "\u2068نور\u2069 (you)");
  assert.equal(list(["Ada", "Bo", "Cy"]), "Ada, Bo, Cy");
  assert.equal(together(["Ada", "Bo"]), "Ada and Bo");
  assert.equal(number(1.25, 1), "1.3");
  assert.equal(t("plan.hours", { n: 1.5 }), "1.5 hours");
  assert.equal(t(/** @type {any} */ ("no.such")), "no.such");
  speak("ar", { ...english, "language.direction": "rtl", "language.formats": "ar-EG", listeners: { few: "{n} few", other: "{n} other" } });
  assert.equal(t("listeners", { n: 3 }), "٣ few");
  assert.equal(t("listeners", { n: 0 }), "٠ other");
  assert.equal(t("stage.you", { name: "Ada" }), "\u2068Ada\u2069 (you)");
  speak("en", english);
});
