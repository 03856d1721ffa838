import { apply, h, say } from "../dom.js";
import { number, t } from "../language.js";
import { icon } from "./icon.js";

/** @typedef {import("../call.js").Call} Call */

/**
 * The bar with the user's own actions.
 * @param {Call} call
 * @param {{leave: () => void, share: () => void, hands: () => void, end: () => void}} on
 * @param {boolean} open no invite is needed: otherwise hosts make them
 */
export function bar(call, on, open) {
  const leave = h("button", { type: "button", class: "leave", "aria-label": t("bar.leave"), onclick: on.leave }, icon("leave"), h("span", { class: "spare" }, t("bar.leave")), h("span", { class: "short" }, t("bar.leave.short")));
  const end = h("button", { type: "button", class: "ghost danger end", "aria-label": t("bar.end"), onclick: able(on.end) }, icon("stop"), h("span", { class: "spare" }, t("bar.end")));
  const share = h("button", { type: "button", class: "round", "aria-label": t("bar.invite"), title: t("bar.invite"), onclick: on.share }, icon("share"));
  const count = h("span", { class: "count" });
  const hands = h("button", { type: "button", class: "round", "aria-controls": "hands", onclick: on.hands }, icon("people"), count);
  const hand = h("button", { type: "button", class: "round", onclick: able(() => call.request({ type: call.roster.handUp ? "lower-hand" : "raise-hand" })) }, icon("hand"));
  const applaud = h("button", { type: "button", class: "round applaud", "aria-label": t("bar.applaud"), title: t("bar.applaud"), onclick: able(() => call.request({ type: "applaud" })) }, icon("applause"));
  const mic = h("button", { type: "button", class: "round mic", onclick: able(() => call.speaking.toggle()) });
  return {
    element: h("nav", { class: "bar", "aria-label": t("bar.name") }, leave, end, h("span", { class: "bar-gap" }), share, hands, hand, applaud, mic),
    /** @param {boolean} handsOpen whether the queue is shown */
    update(handsOpen) {
      const { roster } = call;
      const live = call.state === "live";
      end.hidden = !roster.hosting;
      share.hidden = !open && !roster.hosting;
      hands.hidden = applaud.hidden = !roster.onStage;
      say(count, roster.handCount > 0 ? number(roster.handCount) : "");
      apply(hands, { "aria-expanded": String(handsOpen), "aria-label": t("bar.hands", { n: roster.handCount }), title: t("bar.hands", { n: roster.handCount }) });
      updateHand(hand, call, live);
      updateMic(mic, call, live);
      enable(end, live);
      enable(applaud, live);
    },
  };
}

/**
 * @param {HTMLButtonElement} button
 * @param {Call} call
 * @param {boolean} live
 */
function updateHand(button, { roster }, live) {
  button.hidden = roster.onStage || roster.rules.hands === "off";
  enable(button, live);
  button.classList.toggle("on", roster.handUp);
  apply(button, { "aria-pressed": String(roster.handUp), "aria-label": t("bar.hand"), title: t("bar.hand") });
}

/**
 * Turns the microphone on or mutes it, if the user can do so now.
 * @param {Call} call
 */
export function toggleMic(call) {
  const { busy, barred } = micState(call);
  if (call.state === "live" && call.roster.onStage && !busy && !barred) void call.speaking.toggle();
}

/** @param {Call} call */
function micState({ speaking }) {
  return {
    busy: speaking.state === "asking" || speaking.state === "connecting",
    barred: speaking.state === "on" && speaking.muted && !speaking.mayUnmute,
  };
}

/**
 * @param {HTMLButtonElement} button
 * @param {Call} call
 * @param {boolean} live
 */
function updateMic(button, call, live) {
  const { roster, speaking } = call;
  button.hidden = !roster.onStage;
  const { busy, barred } = micState(call);
  enable(button, live && !busy && !barred);
  button.classList.toggle("on", !speaking.silent);
  button.classList.toggle("busy", busy);
  const name = speaking.silent ? "mic-off" : "mic";
  if (button.dataset["icon"] !== name) {
    button.dataset["icon"] = name;
    button.replaceChildren(icon(name));
  }
  const label = t(barred ? "bar.mic.barred" : speaking.silent ? "bar.mic.on" : "bar.mic.off");
  apply(button, { "aria-label": label, title: barred ? label : t("bar.mic.key", { what: label }), "aria-keyshortcuts": "m" });
}

/**
 * Says whether a button does anything right now. A button that is really disabled
 * would lose the focus.
 * @param {HTMLButtonElement} button
 * @param {boolean} enabled
 */
function enable(button, enabled) {
  apply(button, { "aria-disabled": enabled ? null : "true" });
}

/**
 * @param {() => void} act
 * @returns {(event: MouseEvent) => void}
 */
function able(act) {
  return ({ currentTarget }) => {
    if (/** @type {Element} */ (currentTarget).getAttribute("aria-disabled") !== "true") act();
  };
}
