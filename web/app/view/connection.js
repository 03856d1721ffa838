import { h, say } from "../dom.js";
import { number, t } from "../language.js";
import { bundling } from "../words.js";
import { plot } from "./plot.js";

/**
 * @typedef {import("../meter.js").Reading} Reading
 * @typedef {import("../language.js").Key} Key
 */

/** What is shown, by name. @type {[string, Key][]} */
const facts = [
  ["state", "connection.state"],
  ["loss", "connection.loss"],
  ["jitter", "connection.jitter"],
  ["latency", "connection.latency"],
  ["buffer", "connection.buffer"],
  ["bitrate", "connection.receiving"],
  ["sending", "connection.sending"],
  ["cipher", "connection.cipher"],
  ["bundles", "connection.bundles"],
];

/**
 * The user's connection: its state, and the last minute.
 * @param {import("../call.js").Call} call
 */
export function connection(call) {
  /** @type {{[name: string]: HTMLElement}} */
  const values = {};
  const rows = facts.map(([name, key]) => {
    const value = (values[name] = h("dd", {}, "–"));
    return h("div", { class: "fact" }, h("dt", {}, t(key)), value);
  });
  const flow = plot(t("connection.plot.rate.name"));
  const waits = plot(t("connection.plot.jitter.name"));
  const element = h(
    "div",
    { class: "connection" },
    h("dl", { class: "facts" }, ...rows),
    h("figure", { class: "chart" }, h("figcaption", {}, t("connection.plot.rate")), flow.element),
    h("figure", { class: "chart" }, h("figcaption", {}, t("connection.plot.jitter")), waits.element),
  );
  /**
   * @param {string} name
   * @param {string} text
   */
  const set = (name, text) => say(/** @type {HTMLElement} */ (values[name]), text);
  return {
    element,
    update() {
      set("state", t(call.state === "live" ? `connection.ear.${call.hearing.state}` : `connection.${call.state}`));
      // Nobody on stage waits: they talk to one another.
      set("bundles", bundling(call.roster.onStage ? 0 : call.roster.rules.audience_hold_ms ?? 0));
    },
    /** @param {Reading[]} readings a second apart, oldest first */
    readings(readings) {
      const now = readings[readings.length - 1];
      if (!now) return;
      set("loss", t(now.resent > 0 ? "connection.loss.resent" : "connection.loss.value", { percent: number(100 * now.loss, 1), n: now.resent }));
      set("jitter", t("connection.ms", { n: Math.round(now.jitter) }));
      set("latency", Number.isNaN(now.roundTrip) ? "–" : t("connection.ms", { n: Math.round(now.roundTrip) }));
      set("buffer", t("connection.ms", { n: Math.round(now.buffer) }));
      set("bitrate", t("connection.receiving.value", { rate: Math.round(now.down), n: now.voices }));
      set("sending", call.speaking.mic ? t("connection.rate", { n: Math.round(now.up) }) : "–");
      set("cipher", now.cipher.replace(/^SRTP_/, "").replaceAll("_", " ") || "–");
      flow.update(readings.map((r) => r.down), 60, 40);
      waits.update(readings.map((r) => r.jitter), 60, 10);
    },
  };
}
