import { h, say } from "../dom.js";

/**
 * The current problem: a lost network, UDP that does not
 * get through, a browser that waits for a tap.
 * @param {import("../call.js").Call} call
 */
export function banner(call) {
  const title = h("strong", {});
  const text = h("span", {});
  const tap = h("button", { type: "button", class: "primary", onclick: () => call.resume() }, "Tap to listen");
  const accept = h("button", { type: "button", class: "primary", onclick: () => call.request({ type: "accept-stage" }) }, "Come on stage");
  const decline = h("button", { type: "button", onclick: () => call.request({ type: "decline-stage" }) }, "Stay in the audience");
  const actions = h("div", { class: "row" });
  // The words are announced, the buttons are found beside them.
  const element = h("div", { class: "banner", hidden: true }, h("div", { class: "banner-text", role: "status" }, title, text), actions);
  return {
    element,
    update() {
      const what = obstacle(call);
      element.hidden = what === undefined;
      say(title, what?.title ?? "");
      say(text, what?.text ?? "");
      element.className = `banner ${what?.kind ?? ""}`;
      const buttons = what?.kind === "tap" ? [tap] : what?.kind === "invitation" ? [accept, decline] : [];
      if (actions.children.length !== buttons.length || actions.firstElementChild !== (buttons[0] ?? null)) actions.replaceChildren(...buttons);
    },
  };
}

/**
 * @param {import("../call.js").Call} call
 * @returns {{kind: "lost" | "blocked" | "tap" | "invitation", title: string, text: string} | undefined}
 */
function obstacle(call) {
  if (call.state === "lost") {
    return navigator.onLine
      ? { kind: "lost", title: "Reconnecting…", text: "The connection to the server was lost. You keep your place for a moment." }
      : { kind: "lost", title: "You are offline", text: "You come back by yourself as soon as the network does." };
  }
  if (call.hearing.state === "blocked") {
    return {
      kind: "blocked",
      title: "No audio gets through",
      text: "The page reaches the server, but its audio does not reach you. It travels by UDP, which your network seems to block: try another network or switch a VPN off. The page keeps trying.",
    };
  }
  if (call.invitation) {
    const by = call.invitation.by ? `${call.invitation.by} invites you` : "You are invited";
    return { kind: "invitation", title: `${by} to the stage`, text: "Your microphone stays off until you turn it on." };
  }
  if (call.hearing.needsTap) return { kind: "tap", title: "Ready when you are", text: "Your browser waits for a tap before it plays." };
  return undefined;
}
