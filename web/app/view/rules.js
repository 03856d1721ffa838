import { apply, h, say } from "../dom.js";
import { t } from "../language.js";
import { bundles } from "./bundles.js";

/**
 * The rules of the room, for hosts to change and speakers to read.
 * @param {import("../call.js").Call} call
 */
export function rules(call) {
  const hands = h(
    "select",
    { id: "rule-hands", onchange: () => call.request({ type: "set-rules", hands: hands.value }) },
    h("option", { value: "everyone" }, t("rules.hands.everyone")),
    h("option", { value: "invited" }, t("rules.hands.invited")),
    h("option", { value: "off" }, t("rules.hands.off")),
  );
  const unmute = h("input", { id: "rule-unmute", type: "checkbox", onchange: () => call.request({ type: "set-rules", self_unmute: unmute.checked }) });
  const sending = bundles("rule-bundles", (ms) => call.request({ type: "set-rules", audience_hold_ms: ms }));
  const note = h("p", { class: "quiet" });
  const element = h(
    "div",
    { class: "rules" },
    h("label", { for: "rule-hands" }, t("rules.hands")),
    hands,
    h("div", { class: "check" }, unmute, h("label", { for: "rule-unmute" }, t("rules.unmute"))),
    sending.label,
    sending.select,
    note,
  );
  return {
    element,
    update() {
      const { rules: now, hosting } = call.roster;
      hands.value = now.hands;
      unmute.checked = now.self_unmute;
      sending.show(now.audience_hold_ms ?? 0);
      for (const control of [hands, unmute, sending.select]) apply(control, { disabled: !hosting });
      say(note, hosting ? "" : t("rules.hosts"));
      note.hidden = hosting;
    },
  };
}
