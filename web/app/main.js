import { lookAgain } from "./again.js";
import * as api from "./api.js";
import { Call } from "./call.js";
import * as keyring from "./keyring.js";
import { t } from "./language.js";
import * as route from "./route.js";
import { spoken } from "./start.js";
import { refusalOf } from "./types.js";
import * as vault from "./vault.js";
import { closeDialogs } from "./view/dialog.js";
import { farewell, gate } from "./view/gate.js";
import { home } from "./view/home.js";
import { cohostPage, planPage } from "./view/plan.js";
import { isOnlyHost, leaveRoom } from "./view/leave.js";
import { room } from "./view/room.js";
import { toast, toasts } from "./view/toast.js";
import { aside, ending } from "./words.js";
import { keepsake } from "./view/keepsake.js";

/** @typedef {import("./route.js").Route} Route */

const place = /** @type {HTMLElement} */ (document.getElementById("page"));
/** The current call, if any. @type {Call | undefined} */
let current;
/** Counts navigations, so that a slow one does not appear late. */
let turn = 0;

/** @param {Route} to */
function go(to) {
  if (location.hash === route.write(to)) void arrive();
  else location.hash = route.write(to);
}

/** Goes there, without a way back to where one is. @param {Route} to */
function goInstead(to) {
  history.replaceState(null, "", route.write(to));
  void arrive();
}

/** The address is another. The only host of a room is asked before they leave it by the back button. */
function moved() {
  if (!current || !isOnlyHost(current)) return void arrive();
  history.pushState(null, "", route.write({ at: "room", room: current.ticket.room }));
  leaveRoom(current);
}

async function arrive() {
  const mine = ++turn;
  void current?.leave();
  current = undefined;
  const to = route.read(location.hash);
  let page;
  try {
    page = await { home: () => frontDoor(), room: () => roomDoor(to), invite: () => inviteDoor(to), plan: () => planDoor(to), cohost: () => cohostDoor(to), nowhere: () => farewell("not_found", [{ ...start(), first: true }]) }[to.at]();
  } catch (problem) {
    const { code, message } = refusalOf(problem);
    page = farewell(code, [retry(), start()], message);
    if (code === "unreachable") lookAgain(page, async () => (await fetch("/healthz")).ok && void arrive());
  }
  if (page && mine === turn) show(page);
}

const start = () => ({ label: t("action.start"), act: () => go({ at: "home" }) });
const retry = () => ({ label: t("action.retry"), act: () => void arrive(), first: true });

/** @param {HTMLElement} page */
function show(page) {
  const heading = page.matches(".home") ? undefined : page.querySelector("h1");
  document.title = heading ? `${heading.textContent} · earshot` : "earshot";
  closeDialogs();
  place.replaceChildren(page);
}

/** The first page, once a new member has kept their login key. */
async function frontDoor() {
  const key = vault.key.get();
  if (!key) return home(go);
  return keepsake(key, () => {
    vault.key.set(null);
    void arrive();
  });
}

/**
 * The page before a room. The person who just created the room goes straight in.
 * @param {Route} to
 */
async function roomDoor(to) {
  if (to.at !== "room") return undefined;
  const token = await keyring.roomToken(to.room);
  const about = await look(to.room, token);
  if (!about) return absentDoor(to.room);
  const title = about.name;
  const role = vault.role.get(to.room) ?? vault.seat.get(to.room)?.role ?? "listener";
  const host = role === "host";
  const name = vault.name.get();
  const enter = (/** @type {string} */ called) => comeIn(to.room, title, called, token === "");
  const empty = about.stage.length + about.audience === 0;
  if (host && name && empty) {
    await enter(name);
    return undefined;
  }
  return gate(
    {
      over: t(host ? "gate.own" : empty ? "gate.invited" : "rooms.title"),
      title,
      text: t(`gate.as.${role}`),
      stage: about.stage,
      audience: about.audience,
      yes: t(role === "listener" ? "gate.listen" : "gate.go_in"),
    },
    enter,
  );
}

/**
 * The door to a room that an open server would make when somebody comes in.
 * @param {string} id
 */
function absentDoor(id) {
  const { title, text } = ending("absent");
  return gate({ over: id, title, text, yes: t("gate.open") }, (name) => {
    vault.role.set(id, "host");
    return comeIn(id, id, name, true);
  });
}

/**
 * What there is to see of a room; undefined if an open server has none of that id.
 * @param {string} id
 * @param {string} token
 */
async function look(id, token) {
  try {
    return await api.showRoom(id, token);
  } catch (problem) {
    const { code } = refusalOf(problem);
    if (code === "not_found" && token === "" && (await api.listRooms("").catch(() => undefined))) return undefined;
    throw problem;
  }
}

/**
 * The door that an invite opens.
 * @param {Route} to
 */
async function inviteDoor(to) {
  if (to.at !== "invite") return undefined;
  const kept = vault.redeemed.get(to.code);
  if (kept?.room) {
    if (!vault.seat.get(kept.room)) vault.seat.set(kept.room, kept);
    goInstead({ at: "room", room: kept.room });
    return undefined;
  }
  const preview = await api.lookAt(to.code);
  const club = preview.to === "club";
  return gate(
    {
      over: invitation(preview),
      title: club ? t("gate.club") : preview.room_name ?? t("gate.room"),
      text: t(club ? "gate.as_member" : `gate.as.${preview.role ?? "listener"}`),
      yes: t(club ? "gate.become_member" : "gate.come_in"),
      name: preview.name ?? "",
    },
    (name) => follow(to.code, name),
  );
}

/** @param {import("./api.js").Preview} preview */
function invitation({ inviter, by_operator }) {
  if (by_operator) return t("gate.invited_by_operator");
  return inviter ? t("gate.invited_by", { name: inviter }) : t("gate.invited");
}

/** @param {Route} to */
async function planDoor(to) {
  return to.at === "plan" ? planPage(await api.showPlan(to.plan, await keyring.houseToken()), go) : undefined;
}

/** @param {Route} to */
async function cohostDoor(to) {
  return to.at === "cohost" ? cohostPage(await api.showPlan(to.plan, await keyring.houseToken()), to.code, go) : undefined;
}

/**
 * @param {string} code
 * @param {string} name
 */
async function follow(code, name) {
  const mine = turn;
  const { key, to, ...session } = await api.redeem(code, name, await keyring.houseToken());
  if (to === "club") {
    vault.identity.set(session);
    vault.key.set(key ?? null);
    if (mine === turn) goInstead({ at: "home" }); // the code is used
    return;
  }
  const id = session.room ?? "";
  vault.redeemed.set(code, session);
  vault.seat.set(id, session);
  const title = (await api.showRoom(id, session.token)).name;
  if (mine !== turn) return; // they went somewhere else meanwhile
  // The code is used; the address keeps only the room.
  history.replaceState(null, "", route.write({ at: "room", room: id }));
  await comeIn(id, title, name, false);
}

/**
 * Goes in and shows the room.
 * @param {string} id
 * @param {string} title
 * @param {string} name
 * @param {boolean} open whether the server is
 */
async function comeIn(id, title, name, open) {
  const mine = turn;
  const ticket = { room: id, name, token: () => keyring.roomToken(id), role: (open && vault.role.get(id)) || undefined };
  const call = new Call(ticket, {
    change: () => update(),
    levels: () => view.levels(),
    news: ({ kind, key, values, message }) => {
      if (kind === "info") return toast(aside(key, values));
      const words = ending(key, message);
      return toast(words.title, { error: true, detail: words.text });
    },
  });
  let view = room(call, { title, open }, spokenAnew);
  /** Draws the room in another language. The call goes on. */
  function spokenAnew() {
    if (current !== call) return; // it ended while the language was loaded
    view.close();
    view = room(call, { title, open }, spokenAnew, view.meter);
    show(view.element);
    view.update();
    view.showLanguage();
  }
  let closed = false;
  const update = () => {
    if (call.state === "live") {
      vault.role.set(id, call.roster.role);
      if (open) call.ticket.role = call.roster.role;
    }
    view.update();
    if (call.state !== "over") return;
    if (!closed) view.close();
    closed = true;
    if (current === call) over(call);
  };
  await call.enter();
  if (mine !== turn) return void call.leave(); // they went somewhere else meanwhile
  current?.leave();
  current = call;
  show(view.element);
  view.update();
}

/** @param {Call} call that has ended */
function over(call) {
  current = undefined;
  const back = { label: t(call.reason === "replaced" ? "gate.here" : "gate.again"), act: () => void arrive(), first: true };
  const final = ["removed", "banned", "barred", "ended", "room_ended", "not_found"];
  show(farewell(call.reason, final.includes(call.reason) ? [{ ...start(), first: true }] : [back, start()]));
}

document.body.append(...toasts());
addEventListener("hashchange", () => void spoken.then(moved));
void spoken.then(arrive);
