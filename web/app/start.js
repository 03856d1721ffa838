import { load } from "./language.js";

/** The language is there. It is asked for before the rest of the page is loaded. */
export const spoken = load();
