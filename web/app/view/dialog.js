import { h } from "../dom.js";
import { t } from "../language.js";
import { icon } from "./icon.js";

/**
 * Opens a dialog. The browser keeps the focus inside, closes on Escape, and gives
 * the focus back.
 * @param {string} title
 * @param {...import("../dom.js").Child} content
 * @returns {HTMLDialogElement}
 */
export function dialog(title, ...content) {
  const heading = h("h2", { id: "dialog-title" }, title);
  const element = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title" },
    h(
      "div",
      { class: "dialog-head" },
      heading,
      h("button", { type: "button", class: "round ghost", "aria-label": t("action.close"), onclick: () => element.close() }, icon("close")),
    ),
    ...content,
  );
  element.addEventListener("click", (event) => {
    if (event.target === element) element.close(); // beside it
  });
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}

/** Closes what is open: another page is shown, or another question asked. */
export function closeDialogs() {
  for (const element of document.querySelectorAll("dialog")) element.close();
}

/**
 * A choice in a dialog, which closes it.
 * @param {() => unknown} act
 * @param {boolean} danger whether somebody loses something
 * @param {...import("../dom.js").Child} content
 */
export function choice(act, danger, ...content) {
  return h(
    "button",
    {
      type: "button",
      class: `menu-item ${danger ? "danger" : ""}`,
      onclick: (/** @type {MouseEvent} */ { currentTarget }) => {
        /** @type {HTMLElement} */ (currentTarget).closest("dialog")?.close();
        void act();
      },
    },
    ...content,
  );
}

/**
 * Asks before an action that cannot be undone.
 * @param {string} title
 * @param {string} text
 * @param {string} yes the words on the button
 * @param {boolean} [danger] whether somebody loses something
 * @returns {Promise<boolean>}
 */
export function confirm(title, text, yes, danger = true) {
  return new Promise((resolve) => {
    const answer = (/** @type {boolean} */ value) => {
      resolve(value);
      box.close();
    };
    const box = dialog(
      title,
      h("p", {}, text),
      h(
        "div",
        { class: "dialog-actions" },
        h("button", { type: "button", onclick: () => answer(false) }, t("action.cancel")),
        h("button", { type: "button", class: danger ? "danger solid" : "primary", onclick: () => answer(true) }, yes),
      ),
    );
    box.addEventListener("close", () => resolve(false));
  });
}
