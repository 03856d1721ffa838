import { svg } from "../dom.js";

/** Strokes on a grid of 24 by 24. */
const strokes = {
  mic: "M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  "mic-off": "M9 9.2V12a3 3 0 0 0 4.6 2.5M15 11.5V6a3 3 0 0 0-5.7-1.3M5.5 11.5a6.5 6.5 0 0 0 10.6 5M18.5 11.5c0 1-.2 1.9-.6 2.7M12 18v3M4 4l16 16",
  hand: "M8 13.5V6.2a1.5 1.5 0 0 1 3 0V11M11 10.5V4.7a1.5 1.5 0 0 1 3 0V11M14 11V6.2a1.5 1.5 0 0 1 3 0v7.3c0 4.2-2.6 7.3-6.3 7.3-2.7 0-4.2-1.3-5.4-3.5L3.6 14a1.6 1.6 0 0 1 2.7-1.7L8 14.7",
  leave: "M10 4H6.5A1.5 1.5 0 0 0 5 5.5v13A1.5 1.5 0 0 0 6.5 20H10M14.5 16l4-4-4-4M18.5 12H10",
  share: "M12 14.5V4M8.5 7 12 3.5 15.5 7M6.5 11H6a1.5 1.5 0 0 0-1.5 1.5V19A1.5 1.5 0 0 0 6 20.5h12a1.5 1.5 0 0 0 1.5-1.5v-6.5A1.5 1.5 0 0 0 18 11h-.5",
  signal: "M4.5 19v-3M9.5 19v-6M14.5 19v-9.5M19.5 19V5.5",
  people: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 19.5c.5-3.3 3.2-5 6.5-5s6 1.7 6.5 5M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.9c1.9.7 3.2 2.2 3.5 4.6",
  star: "m12 3.5 2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8L12 3.5Z",
  pass: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 19.5c.5-3.3 3.2-5 6.5-5 1.5 0 2.9.4 4 1.1M15 18.5h6.5M18.5 15.5l3 3-3 3",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  close: "M6 6l12 12M18 6 6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  up: "M12 19V5M6 11l6-6 6 6",
  out: "M15.5 4.5 19.5 8.5M19.5 4.5l-4 4M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 19.5c.5-3.3 3.2-5 6.5-5s6 1.7 6.5 5",
  ear: "M7 9.5a5.5 5.5 0 0 1 11 0c0 2.5-1.3 3.7-2.6 4.9-1 1-1.4 1.8-1.4 3.1a3 3 0 0 1-5.5 1.7M10 9.5a2.5 2.5 0 0 1 5 0c0 1.3-.8 1.8-1.5 2.3",
  copy: "M9 9h9.5A1.5 1.5 0 0 1 20 10.5V19a1.5 1.5 0 0 1-1.5 1.5H10A1.5 1.5 0 0 1 8.5 19V9.5M15.5 9V5.5A1.5 1.5 0 0 0 14 4H5.5A1.5 1.5 0 0 0 4 5.5V14a1.5 1.5 0 0 0 1.5 1.5h3",
  stop: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM9 9l6 6M15 9l-6 6",
  applause: "M10.5 20.5c-2.8 0-4.6-1.2-5.6-3.4l-1.7-3.6a1.4 1.4 0 0 1 2.4-1.3l1 1.5V7.4a1.4 1.4 0 0 1 2.8 0v4.1V6a1.4 1.4 0 0 1 2.8 0v5.5-3.6a1.4 1.4 0 0 1 2.8 0v6.4c0 3.8-2 6.2-4.5 6.2ZM17.5 3.5v2M20.8 5.2l-1.5 1.4M21.5 9.5h-2",
  calendar: "M5.5 5.5h13A1.5 1.5 0 0 1 20 7v11.5a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 18.5V7a1.5 1.5 0 0 1 1.5-1.5ZM4 10h16M8.5 3.5v3.5M15.5 3.5v3.5",
  globe: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM3.5 12h17M12 3.5c2.4 2.4 3.5 5.2 3.5 8.5s-1.1 6.1-3.5 8.5c-2.4-2.4-3.5-5.2-3.5-8.5s1.1-6.1 3.5-8.5Z",
  key: "M14.5 14a5 5 0 1 0-4.6-3L3.5 17.4V20.5h3v-2.5H9v-2.5h1.5l1.4-1.7c.8.2 1.7.2 2.6.2ZM16 8h.01",
};

/** @typedef {keyof typeof strokes} IconName */

/** Those that point where reading goes. @type {IconName[]} */
const directed = ["leave", "pass"];

/**
 * An icon that screen readers skip: there is text beside it.
 * @param {IconName} name
 * @param {string} [kind] another class
 */
export function icon(name, kind = "") {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: `icon ${directed.includes(name) ? "directed" : ""} ${kind}`, "aria-hidden": "true", focusable: "false" },
    svg("path", { d: strokes[name] }),
  );
}

/** The mark: an ear's arcs, or a voice that spreads. */
export function mark() {
  return svg(
    "svg",
    { viewBox: "0 0 32 32", class: "mark", "aria-hidden": "true", focusable: "false" },
    svg("circle", { cx: 10, cy: 16, r: 3.5, class: "mark-dot" }),
    svg("path", { d: "M16 9.5a8.5 8.5 0 0 1 0 13", class: "mark-arc" }),
    svg("path", { d: "M20.5 5.5a14.5 14.5 0 0 1 0 21", class: "mark-arc" }),
  );
}
