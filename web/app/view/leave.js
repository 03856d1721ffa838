import { h } from "../dom.js";
import { t } from "../language.js";
import { choice, closeDialogs, confirm, dialog } from "./dialog.js";
import { icon } from "./icon.js";

/**
 * @typedef {import("../call.js").Call} Call
 * @typedef {import("../types.js").StageMember} StageMember
 */

/** How many speakers a host who leaves can choose from. */
const mostChoices = 5;

/**
 * Whether a room has no other host, and people who depend on one.
 * @param {Call} call
 */
export function isOnlyHost({ state, roster }) {
  const others = roster.stage.filter((m) => m.member !== roster.me);
  const alone = others.length + roster.listeners === 0;
  return state === "live" && roster.hosting && !alone && !others.some((m) => m.role === "host" && !m.away);
}

/**
 * Leaves the room. The only host is asked first what is to become of it.
 * @param {Call} call
 */
export function leaveRoom(call) {
  if (!isOnlyHost(call)) return void call.leave();
  askOnlyHost(call, "leave", () => call.leave());
}

/**
 * Goes from the stage to the audience. The only host is asked first, as one who leaves.
 * @param {Call} call
 */
export function stepDown(call) {
  const go = () => call.request({ type: "demote" });
  if (!isOnlyHost(call)) return void go();
  askOnlyHost(call, "step_down", go);
}

/**
 * @param {Call} call
 * @param {"leave" | "step_down"} what they are about to do
 * @param {() => Promise<unknown>} go does it
 */
function askOnlyHost(call, what, go) {
  const speakers = call.roster.stage.filter((m) => m.member !== call.roster.me && !m.away); // those longest on stage first
  const handOver = (/** @type {StageMember} */ to) =>
    choice(async () => {
      if (await call.request({ type: "pass-host", member: to.member })) await go();
    }, false, icon("pass"), t(`${what}.hand_over`, { name: to.name }));
  const first = speakers[0];
  closeDialogs();
  dialog(
    t("leave.title"),
    h("p", {}, first ? t(`${what}.next`, { name: first.name }) : t(`${what}.alone`, { n: call.roster.listeners })),
    h(
      "div",
      { class: "menu" },
      ...speakers.slice(0, mostChoices).map(handOver),
      choice(go, false, icon("leave"), t(`${what}.just`)),
      choice(() => call.request({ type: "end" }), true, icon("stop"), t("leave.end")),
    ),
  );
}

/** @param {Call} call */
export async function endRoom(call) {
  if (await confirm(t("end.title"), t("end.text"), t("end.yes"))) await call.request({ type: "end" });
}
