import { h } from "../dom.js";
import { t } from "../language.js";
import { bundling } from "../words.js";

/** What a host can choose from, in milliseconds. */
const choices = [0, 40, 100, 200];

/**
 * The choice whether the audience's packets may wait for one another.
 * @param {string} id of the control
 * @param {(ms: number) => void} [onchange]
 */
export function bundles(id, onchange) {
  const select = h("select", { id, name: id, onchange: () => onchange?.(Number(select.value)) }, ...choices.map(option));
  return {
    label: h("label", { for: id }, t("bundles.label")),
    select,
    value: () => Number(select.value),
    /**
     * Shows a value, which need not be one of the choices: a room made elsewhere may
     * have any.
     * @param {number} ms
     */
    show(ms) {
      const value = String(ms);
      if (![...select.options].some((o) => o.value === value)) {
        const after = [...select.options].find((o) => Number(o.value) > ms);
        select.insertBefore(option(ms), after ?? null);
      }
      select.value = value;
    },
  };
}

/** @param {number} ms */
function option(ms) {
  return h("option", { value: ms }, bundling(ms));
}
