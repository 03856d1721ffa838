import { h, say } from "../dom.js";
import { bundling } from "../words.js";
import { plot } from "./plot.js";

/** @typedef {import("../meter.js").Reading} Reading */

/** Names for the states of a connection. */
const states = {
  joining: "Coming in…",
  live: "Connected",
  lost: "Reconnecting…",
  over: "Gone",
};
const ears = {
  off: "No audio",
  connecting: "Audio is connecting…",
  connected: "Connected",
  blocked: "No audio gets through",
};

/**
 * The user's connection: its state, and the last minute.
 * @param {import("../call.js").Call} call
 */
export function connection(call) {
  /** @type {{[name: string]: HTMLElement}} */
  const values = {};
  const rows = [
    ["state", "State"],
    ["loss", "Lost packets"],
    ["jitter", "Jitter"],
    ["latency", "Round trip"],
    ["buffer", "Buffered"],
    ["bitrate", "Receiving"],
    ["sending", "Sending"],
    ["cipher", "Encrypted with"],
    ["bundles", "Sent to you"],
  ].map(([name = "", label = ""]) => {
    const value = (values[name] = h("dd", {}, "–"));
    return h("div", { class: "fact" }, h("dt", {}, label), value);
  });
  const flow = plot("Kilobits a second received over the last minute");
  const waits = plot("Milliseconds of jitter over the last minute");
  const element = h(
    "div",
    { class: "connection" },
    h("dl", { class: "facts" }, ...rows),
    h("figure", { class: "chart" }, h("figcaption", {}, "Received, kbit/s"), flow.element),
    h("figure", { class: "chart" }, h("figcaption", {}, "Jitter, ms"), waits.element),
  );
  /**
   * @param {string} name
   * @param {string} text
   */
  const set = (name, text) => say(/** @type {HTMLElement} */ (values[name]), text);
  return {
    element,
    update() {
      set("state", call.state === "live" ? ears[call.hearing.state] : states[call.state]);
      // Nobody on stage waits: they talk to one another.
      set("bundles", bundling(call.roster.onStage ? 0 : call.roster.rules.audience_hold_ms ?? 0));
    },
    /** @param {Reading[]} readings a second apart, oldest first */
    readings(readings) {
      const now = readings[readings.length - 1];
      if (!now) return;
      set("loss", `${(100 * now.loss).toFixed(1)} %` + (now.resent > 0 ? `, ${now.resent} asked again` : ""));
      set("jitter", `${now.jitter.toFixed(0)} ms`);
      set("latency", Number.isNaN(now.roundTrip) ? "–" : `${now.roundTrip.toFixed(0)} ms`);
      set("buffer", `${now.buffer.toFixed(0)} ms`);
      set("bitrate", `${now.down.toFixed(0)} kbit/s, ${now.voices === 1 ? "1 voice" : `${now.voices} voices`}`);
      set("sending", call.speaking.mic ? `${now.up.toFixed(0)} kbit/s` : "–");
      set("cipher", now.cipher.replace(/^SRTP_/, "").replaceAll("_", " ") || "–");
      flow.update(readings.map((r) => r.down), 60, 40);
      waits.update(readings.map((r) => r.jitter), 60, 10);
    },
  };
}
