import { h } from "../dom.js";
import { count } from "../words.js";
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
    }, false, `Make ${to.name} host and leave`);
  const first = speakers[0];
  dialog(
    "You are the only host",
    h("p", {}, first ? `If you just leave, ${first.name} becomes host.` : `${count(call.roster.listeners, "person listens", "people listen")}. If you just leave, the room waits half a minute for a host, and then it ends.`),
    h(
      "div",
      { class: "menu" },
      ...speakers.slice(0, mostChoices).map(handOver),
      choice(() => call.leave(), false, "Just leave"),
      choice(() => call.request({ type: "end" }), true, "End the room for everybody"),
    ),
  );
}

/** @param {Call} call */
export async function endRoom(call) {
  if (await confirm("End the room for everybody?", "Everybody is sent home, and the room is gone.", "End the room")) await call.request({ type: "end" });
}
