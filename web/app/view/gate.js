import { h } from "../dom.js";
import { t, together } from "../language.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { ending } from "../words.js";
import { avatar } from "./avatar.js";
import { nameField } from "./field.js";
import { icon, mark } from "./icon.js";
import { languagePicker } from "./language.js";

/**
 * What is shown of a room before joining.
 * @typedef {object} Sight
 * @property {string} over a line above the title
 * @property {string} title
 * @property {string} text
 * @property {import("../types.js").StageMember[]} [stage]
 * @property {number} [audience]
 * @property {string} yes the words on the button
 * @property {string} [name] whom an invite is for
 */

/**
 * The page before a room: who is there, a field for the name, and one tap to join. The tap is
 * also what a browser wants before it plays.
 * @param {Sight} sight
 * @param {(name: string) => Promise<void>} enter
 */
export function gate(sight, enter) {
  const problem = h("p", { class: "problem", role: "alert" });
  const name = nameField("name", vault.name.get() || (sight.name ?? ""));
  const button = h("button", { class: "primary big" }, icon("ear"), sight.yes);
  const { stage = [], audience = 0 } = sight;
  return h(
    "main",
    { class: "gate" },
    h("p", { class: "brand" }, mark(), "earshot"),
    h(
      "form",
      {
        class: "card form",
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          button.disabled = true;
          problem.textContent = "";
          vault.name.set(name.value.trim());
          try {
            await enter(name.value.trim());
          } catch (e) {
            const { code, message } = refusalOf(e);
            const { title, text } = ending(code, message);
            problem.textContent = `${title}. ${text}`;
            button.disabled = false;
          }
        },
      },
      h("p", { class: "over" }, sight.over),
      h("h1", { dir: "auto" }, sight.title),
      stage.length > 0 &&
        h(
          "div",
          { class: "gate-stage" },
          h("span", { class: "faces" }, ...stage.slice(0, 5).map((m) => avatar(m.name, "small", m.picture))),
          h("span", { class: "quiet" }, t("gate.stage", { names: names(stage.map((m) => m.name)), listeners: t("listeners", { n: audience }) })),
        ),
      h("p", {}, sight.text),
      h("label", { for: "name" }, t("name.label")),
      name,
      problem,
      button,
    ),
    languagePicker(),
  );
}

/** @param {string[]} all */
function names(all) {
  if (all.length <= 2) return together(all);
  return t("gate.names", { first: all[0], second: all[1], n: all.length - 2 });
}

/**
 * A page with text only: what happened and what to do.
 * @param {string} code a goodbye's reason or a refusal's code
 * @param {{label: string, act: () => void, first?: boolean}[]} choices
 * @param {string} [message]
 */
export function farewell(code, choices, message) {
  const { title, text } = ending(code, message);
  const heading = h("h1", { tabindex: "-1" }, title);
  queueMicrotask(() => heading.focus());
  return h(
    "main",
    { class: "gate" },
    h("p", { class: "brand" }, mark(), "earshot"),
    h(
      "section",
      { class: "card form" },
      heading,
      h("p", {}, text),
      ...choices.map(({ label, act, first }) => h("button", { type: "button", class: first ? "primary big" : "big", onclick: act }, label)),
    ),
    languagePicker(),
  );
}
