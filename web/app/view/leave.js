import { h } from "../dom.js";
import { t } from "../language.js";
import { choice, confirm, dialog } from "./dialog.js";

/**
 * @typedef {import("../call.js").Call} Call
 * @typedef {import("../types.js").StageMember} StageMember
 */

/** How many speakers a host who leaves can choose from. */
const mostChoices = 5;

/**
 * Leaves the room. A host whom others depend on is asked first what is to become of it.
 * @param {Call} call
 */
export function leaveRoom(call) {
  const { roster } = call;
  const others = roster.stage.filter((m) => m.member !== roster.me);
  const alone = others.length + roster.listeners === 0;
  if (call.state !== "live" || !roster.hosting || alone || others.some((m) => m.role === "host" && !m.away)) {
    void call.leave();
    return;
  }
  askHost(call, others.filter((m) => !m.away));
}

/**
 * @param {Call} call
 * @param {StageMember[]} speakers those longest on stage first
 */
function askHost(call, speakers) {
  const handOver = (/** @type {StageMember} */ to) =>
    choice(async () => {
      if (await call.request({ type: "pass-host", member: to.member })) await call.leave();
    }, false, t("leave.hand_over", { name: to.name }));
  const first = speakers[0];
  dialog(
    t("leave.title"),
    h("p", {}, first ? t("leave.next", { name: first.name }) : t("leave.alone", { n: call.roster.listeners })),
    h(
      "div",
      { class: "menu" },
      ...speakers.slice(0, mostChoices).map(handOver),
      choice(() => call.leave(), false, t("leave.just")),
      choice(() => call.request({ type: "end" }), true, t("leave.end")),
    ),
  );
}

/** @param {Call} call */
export async function endRoom(call) {
  if (await confirm(t("end.title"), t("end.text"), t("end.yes"))) await call.request({ type: "end" });
}
