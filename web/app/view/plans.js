import * as api from "../api.js";
import { h } from "../dom.js";
import * as keyring from "../keyring.js";
import { list, t, when } from "../language.js";
import { refusalOf } from "../types.js";
import { localOf, soon, withOffset, zone } from "../when.js";
import { ending } from "../words.js";
import { dialog } from "./dialog.js";
import { titleField } from "./field.js";
import { icon } from "./icon.js";
import { isMember } from "./profile.js";

/**
 * @typedef {import("../api.js").Plan} Plan
 * @typedef {(route: import("../route.js").Route) => void} Go
 */

/**
 * The planned rooms, and a button to plan one; nothing if there is neither.
 * @param {Plan[]} plans
 * @param {Go} go
 */
export function planned(plans, go) {
  const member = isMember();
  if (plans.length === 0 && !member) return null;
  const items = plans.map((p) =>
    h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "room-item", "data-to": p.plan, onclick: () => go({ at: "plan", plan: p.plan }) },
        h("span", { class: "room-item-text" }, h("strong", { dir: "auto" }, p.name), h("time", { class: "quiet", datetime: p.starts_at }, when(new Date(p.starts_at))), h("span", { class: "quiet" }, t("plan.with", { names: list(p.hosts) }))),
      ),
    ),
  );
  return h(
    "section",
    { class: "card rooms", "aria-labelledby": "plans-title" },
    h("h2", { id: "plans-title" }, t("plans.title")),
    items.length ? h("ul", {}, ...items) : h("p", { class: "quiet" }, t("plans.none")),
    member && h("button", { type: "button", class: "plan-button", "data-to": "", onclick: () => plan(go) }, icon("calendar"), t("plans.new")),
  );
}

/**
 * The form that plans a room.
 * @param {Go} go
 */
function plan(go) {
  const problem = h("p", { class: "problem", role: "alert" });
  const title = titleField("plan-title");
  const start = h("input", { id: "plan-start", type: "datetime-local", required: true, value: localOf(soon()), min: localOf(new Date()) });
  const minutes = h(
    "select",
    { id: "plan-minutes" },
    ...[30, 60, 90, 120, 180, 240].map((n) => h("option", { value: n, selected: n === 60 }, n < 60 ? t("plan.minutes", { n }) : t("plan.hours", { n: n / 60 }))),
  );
  const who = h(
    "select",
    { id: "plan-visibility" },
    h("option", { value: "open" }, t("visibility.open")),
    h("option", { value: "members" }, t("visibility.members")),
    h("option", { value: "closed" }, t("visibility.closed")),
  );
  const submit = h("button", { class: "primary big" }, t("plan.submit"));
  const box = dialog(
    t("plan.title"),
    h(
      "form",
      {
        class: "form",
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          submit.disabled = true;
          problem.textContent = "";
          try {
            const body = { name: title.value.trim(), starts_at: withOffset(start.value), minutes: Number(minutes.value), visibility: who.value };
            const made = await api.createPlan(body, await keyring.houseToken());
            box.close();
            go({ at: "plan", plan: made.plan });
          } catch (e) {
            const { code, message } = refusalOf(e);
            problem.textContent = ending(code, message).text;
          } finally {
            submit.disabled = false;
          }
        },
      },
      h("label", { for: "plan-title" }, t("plan.about")),
      title,
      h("label", { for: "plan-start" }, t("plan.starts", { zone: zone() })),
      start,
      h("label", { for: "plan-minutes" }, t("plan.length")),
      minutes,
      h("label", { for: "plan-visibility" }, t("visibility.label")),
      who,
      problem,
      submit,
    ),
  );
}
