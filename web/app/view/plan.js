import { lookAgain } from "../again.js";
import * as api from "../api.js";
import { h } from "../dom.js";
import * as keyring from "../keyring.js";
import { languages, list, t, when } from "../language.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { ending } from "../words.js";
import { avatar } from "./avatar.js";
import { confirm } from "./dialog.js";
import { icon, mark } from "./icon.js";
import { languagePicker } from "./language.js";
import { isMember } from "./profile.js";
import { hostInvite, shareLink } from "./share.js";

/**
 * @typedef {import("../api.js").Plan} Plan
 * @typedef {(route: import("../route.js").Route) => void} Go
 */

/**
 * The page of a planned room: what, when, with whom; and for its hosts, what they can do.
 * @param {Plan} plan
 * @param {Go} go
 */
export function planPage(plan, go) {
  const problem = h("p", { class: "problem", role: "alert" });
  const file = `/planned/${encodeURIComponent(plan.plan)}`;
  const act = (/** @type {(token: string) => Promise<void>} */ what) => async () => {
    problem.textContent = "";
    try {
      await what(await keyring.houseToken());
    } catch (e) {
      const { code, message } = refusalOf(e);
      problem.textContent = ending(code, message).text;
    }
  };
  const enter = () => {
    if (plan.host) vault.role.set(plan.plan, "host");
    go({ at: "room", room: plan.plan });
  };
  const open = act(async (token) => {
    await openRoom(plan.plan, token);
    enter();
  });
  const cancel = act(async (token) => {
    if (!(await confirm(t("plan.cancel.title"), t("plan.cancel.text"), t("plan.cancel")))) return;
    await api.cancelPlan(plan.plan, token);
    go({ at: "home" });
  });
  const back = act(async (token) => {
    if (!(await confirm(t("plan.step_back.title"), t("plan.step_back.text"), t("plan.step_back")))) return;
    await api.stepBack(plan.plan, token);
    go({ at: "home" });
  });
  const page = h(
    "main",
    { class: "gate" },
    h("p", { class: "brand" }, mark(), "earshot"),
    h(
      "section",
      { class: "card form" },
      h("p", { class: "over" }, t(plan.open ? "rooms.title" : "plans.title")),
      h("h1", { dir: "auto" }, plan.name),
      h("p", {}, h("time", { datetime: plan.starts_at }, when(new Date(plan.starts_at)))),
      hosts(plan),
      plan.open && h("button", { type: "button", class: "primary big", onclick: enter }, icon("ear"), t("gate.go_in")),
      !plan.open && plan.host && h("button", { type: "button", class: "primary big", onclick: open }, icon("mic"), t("plan.open")),
      !plan.open && !plan.host && h("p", {}, t("plan.waits")),
      problem,
      h(
        "div",
        { class: "row plan-actions" },
        h("a", { class: "button", href: `${file}/calendar.ics?lang=${languages().current}` }, icon("calendar"), t("plan.calendar")),
        h("button", { type: "button", onclick: () => shareLink(plan.url) }, icon("share"), t("plan.share")),
      ),
      plan.owner && !plan.open && h("button", { type: "button", onclick: () => hostInvite(plan.plan) }, icon("star"), t("plan.ask")),
      plan.owner && h("button", { type: "button", class: "ghost danger", onclick: cancel }, t("plan.cancel")),
      plan.host && !plan.owner && h("button", { type: "button", class: "ghost", onclick: back }, t("plan.step_back")),
      h("figure", { class: "qr" }, h("img", { src: `${file}/qr.svg`, alt: t("plan.qr"), width: 160, height: 160 }), h("figcaption", { class: "quiet" }, t("plan.qr.note"))),
      h("button", { type: "button", class: "ghost", onclick: () => go({ at: "home" }) }, t("action.all_rooms")),
    ),
    languagePicker(),
  );
  // Whoever waits is let in when it opens.
  lookAgain(page, async () => {
    const now = await api.showPlan(plan.plan, await keyring.houseToken()).catch((problem) => (refusalOf(problem).code === "not_found" ? undefined : plan));
    if (JSON.stringify(now) !== JSON.stringify(plan)) go({ at: "plan", plan: plan.plan });
  });
  return page;
}

/** @param {Plan} plan */
function hosts(plan) {
  return h(
    "div",
    { class: "gate-stage" },
    h("span", { class: "faces" }, ...plan.hosts.slice(0, 5).map((name) => avatar(name, "small"))),
    h("span", { class: "quiet" }, t("plan.with", { names: list(plan.hosts) })),
  );
}

/**
 * Opens the room, unless another host was first, and takes the host's seat in it.
 * @param {string} id
 * @param {string} token
 */
async function openRoom(id, token) {
  try {
    const { host_token, expires_at, refresh_token } = await api.openPlan(id, token);
    vault.seat.set(id, { token: host_token, expires_at, refresh_token, role: "host" });
  } catch (problem) {
    if (refusalOf(problem).code !== "conflict") throw problem;
  }
}

/**
 * The page on which a member agrees to host another's planned room.
 * @param {Plan} plan
 * @param {string} code
 * @param {Go} go
 */
export function cohostPage(plan, code, go) {
  const problem = h("p", { class: "problem", role: "alert" });
  const member = isMember();
  const agree = async () => {
    try {
      await api.hostPlan(plan.plan, code, await keyring.houseToken());
      go({ at: "plan", plan: plan.plan });
    } catch (e) {
      const refusal = refusalOf(e);
      problem.textContent = ending(refusal.code, refusal.message).text;
    }
  };
  return h(
    "main",
    { class: "gate" },
    h("p", { class: "brand" }, mark(), "earshot"),
    h(
      "section",
      { class: "card form" },
      h("p", { class: "over" }, plan.hosts[0] ? t("cohost.by", { name: plan.hosts[0] }) : t("cohost.by_somebody")),
      h("h1", { dir: "auto" }, plan.name),
      h("p", {}, h("time", { datetime: plan.starts_at }, when(new Date(plan.starts_at)))),
      hosts(plan),
      h("p", {}, t(member ? "cohost.text" : "cohost.members")),
      problem,
      member && h("button", { type: "button", class: "primary big", onclick: agree }, icon("star"), t("cohost.yes")),
      h("button", { type: "button", class: "ghost", onclick: () => go({ at: "home" }) }, t("action.all_rooms")),
    ),
    languagePicker(),
  );
}
