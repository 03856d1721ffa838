import { readFileSync } from "node:fs";
import { speak } from "../app/language.js";

/** @param {string} tag */
export const texts = (tag) => JSON.parse(readFileSync(new URL(`../app/lang/${tag}.json`, import.meta.url), "utf8"));

speak("en", texts("en"));
