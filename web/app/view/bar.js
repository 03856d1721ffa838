import { apply, h, say } from "../dom.js";
import { icon } from "./icon.js";

/** @typedef {import("../call.js").Call} Call */

/**
 * The bar with the user's own actions.
 * @param {Call} call
 * @param {{leave: () => void, share: () => void, hands: () => void, end: () => void}} on
 */
export function bar(call, on) {
  const leave = h("button", { type: "button", class: "leave", onclick: on.leave }, icon("leave"), h("span", {}, "Leave", h("span", { class: "spare" }, " quietly")));
  const end = h("button", { type: "button", class: "ghost danger end", onclick: able(on.end) }, icon("stop"), h("span", { class: "spare" }, "End"));
  const share = h("button", { type: "button", class: "round", "aria-label": "Invite people", onclick: on.share }, icon("share"));
  const number = h("span", { class: "count" });
  const hands = h("button", { type: "button", class: "round", "aria-controls": "hands", onclick: on.hands }, icon("people"), number);
  const hand = h("button", { type: "button", class: "round", onclick: able(() => call.request({ type: call.roster.handUp ? "lower-hand" : "raise-hand" })) }, icon("hand"));
  const applaud = h("button", { type: "button", class: "round applaud", "aria-label": "Applaud", title: "Applaud", onclick: able(() => call.request({ type: "applaud" })) }, icon("applause"));
  const mic = h("button", { type: "button", class: "round mic", onclick: able(() => call.speaking.toggle()) });
  return {
    element: h("nav", { class: "bar", "aria-label": "You" }, leave, end, h("span", { class: "bar-gap" }), share, hands, hand, applaud, mic),
    /** @param {boolean} handsOpen whether the queue is shown */
    update(handsOpen) {
      const { roster } = call;
      const live = call.state === "live";
      end.hidden = !roster.hosting;
      hands.hidden = applaud.hidden = !roster.onStage;
      say(number, roster.handCount > 0 ? String(roster.handCount) : "");
      apply(hands, { "aria-expanded": String(handsOpen), "aria-label": `Raised hands: ${roster.handCount}` });
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
  apply(button, { "aria-pressed": String(roster.handUp), "aria-label": "Raise your hand" });
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
  const label = barred ? "A host muted you" : speaking.silent ? "Turn your microphone on" : "Mute your microphone";
  apply(button, { "aria-label": label, title: barred ? label : `${label} (M)`, "aria-keyshortcuts": "m" });
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
