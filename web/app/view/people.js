import { h, say } from "../dom.js";
import { t } from "../language.js";
import { refusalOf } from "../types.js";
import { ending } from "../words.js";
import { avatar } from "./avatar.js";
import { choice, dialog } from "./dialog.js";
import { icon } from "./icon.js";

/** How long a search waits for the next letter, in milliseconds. */
const pause = 250;

/**
 * Lets a host find anybody in the room, and act on them.
 * @param {import("../call.js").Call} call
 * @param {object} on
 * @param {(who: import("../types.js").StageMember) => void} on.stage somebody on stage is picked
 * @param {(who: import("../types.js").AudienceMember) => void} on.audience somebody in the audience is
 */
export function people(call, on) {
  const summary = h("p", { class: "quiet", role: "status" });
  const list = h("div", { class: "people" });
  const more = h("button", { type: "button", hidden: true, onclick: () => load(next) }, t("people.show_more"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let typing;
  const field = h("input", {
    id: "people-search",
    enterkeyhint: "search",
    autocomplete: "off",
    maxlength: 80,
    oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => load(0), pause);
    },
  });
  /** Where the next page begins; 0: there is none. */
  let next = 0;
  /** Counts requests, so that a slow answer does not replace a later one. */
  let turn = 0;
  let shown = 0;

  /** @param {number} from */
  async function load(from) {
    const mine = ++turn;
    const search = field.value.trim();
    try {
      const page = await call.audience({ search, ...(from > 0 && { from }) });
      if (mine !== turn) return;
      if (from === 0) {
        list.replaceChildren(...onStage(call, search, on.stage));
        shown = 0;
      }
      list.append(...page.people.map((who) => row(who, t(who.hand ? "people.hand" : "people.listening"), () => on.audience(who))));
      shown += page.people.length;
      next = page.next ?? 0;
      say(summary, list.children.length === 0 ? t("people.none") : page.count > shown ? t("people.more", { n: page.count - shown }) : "");
    } catch (problem) {
      if (mine !== turn) return;
      const { code, message } = refusalOf(problem);
      say(summary, ending(code, message).title);
      next = 0;
    }
    more.hidden = next === 0;
  }

  dialog(t("audience.find"), h("label", { for: "people-search" }, t("people.name")), field, list, summary, more).addEventListener("close", () => clearTimeout(typing));
  field.focus();
  void load(0);
}

/**
 * The people on stage whose name holds a text.
 * @param {import("../call.js").Call} call
 * @param {string} search
 * @param {(who: import("../types.js").StageMember) => void} onPick
 */
function onStage(call, search, onPick) {
  const found = call.roster.stage.filter(({ name }) => name.toLocaleLowerCase().includes(search.toLocaleLowerCase()));
  return found.map((who) => row(who, t(who.role === "host" ? "role.host" : "role.speaker"), () => onPick(who)));
}

/**
 * @param {{name: string, picture?: string}} who
 * @param {string} what they are
 * @param {() => void} act
 */
function row({ name, picture }, what, act) {
  return choice(act, false, avatar(name, "small", picture), h("span", { class: "people-name", dir: "auto" }, name), h("span", { class: "people-what" }, what), icon("more"));
}
