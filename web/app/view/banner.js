import { h, say } from "../dom.js";
import { t } from "../language.js";

/**
 * The current problem: a lost network, UDP that does not
 * get through, a browser that waits for a tap.
 * @param {import("../call.js").Call} call
 */
export function banner(call) {
  const title = h("strong", {});
  const text = h("span", {});
  const tap = h("button", { type: "button", class: "primary", onclick: () => call.resume() }, t("banner.tap.yes"));
  const accept = h("button", { type: "button", class: "primary", onclick: () => call.request({ type: "accept-stage" }) }, t("banner.accept"));
  const decline = h("button", { type: "button", onclick: () => call.request({ type: "decline-stage" }) }, t("banner.decline"));
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
      ? { kind: "lost", title: t("banner.lost"), text: t("banner.lost.text") }
      : { kind: "lost", title: t("banner.offline"), text: t("banner.offline.text") };
  }
  if (call.hearing.state === "blocked") {
    return {
      kind: "blocked",
      title: t("banner.blocked"),
      text: call.hearing.untried ? t("banner.loopback.text") : t("banner.blocked.text"),
    };
  }
  if (call.invitation) {
    const { by } = call.invitation;
    return { kind: "invitation", title: by ? t("banner.invited_by", { name: by }) : t("banner.invited"), text: t("banner.invited.text") };
  }
  if (call.hearing.needsTap) return { kind: "tap", title: t("banner.tap"), text: t("banner.tap.text") };
  return undefined;
}
