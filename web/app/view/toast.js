import { h } from "../dom.js";

/** How long a toast stays, in milliseconds. */
const stays = 5000;

const polite = h("div", { class: "toasts", role: "status" });
const urgent = h("div", { class: "toasts urgent", role: "alert" });

/** The places for notes; they must be on the page before the first note. */
export function toasts() {
  return [polite, urgent];
}

/**
 * Shows a note for a few seconds. A screen reader reads it.
 * @param {string} text
 * @param {{error?: boolean, detail?: string}} [how]
 */
export function toast(text, { error = false, detail = "" } = {}) {
  const note = h("div", { class: "toast" }, h("strong", {}, text), detail && h("span", {}, detail));
  const place = error ? urgent : polite;
  while (place.children.length > 2) place.firstElementChild?.remove();
  place.append(note);
  setTimeout(() => note.remove(), error ? 2 * stays : stays);
}
