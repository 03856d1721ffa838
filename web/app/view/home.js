import * as api from "../api.js";
import { h } from "../dom.js";
import * as keyring from "../keyring.js";
import { another, slug } from "../route.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { count, ending } from "../words.js";
import { avatar } from "./avatar.js";
import { bundles } from "./bundles.js";
import { followedHere } from "./following.js";
import { icon, mark } from "./icon.js";
import { membership } from "./membership.js";
import { planned } from "./plans.js";
import { isMember } from "./profile.js";

/**
 * @typedef {import("../api.js").RoomInfo} RoomInfo
 * @typedef {(route: import("../route.js").Route) => void} Go
 */

/**
 * The first page: the visible rooms, and a form to create one.
 * @param {Go} go
 */
export async function home(go) {
  const content = h("div", { class: "home-content" });
  const element = h(
    "main",
    { class: "home" },
    h(
      "header",
      { class: "hero" },
      h("p", { class: "brand" }, mark(), "earshot"),
      h("h1", {}, "Come in, listen, speak up."),
      h("p", { class: "lead" }, "Live rooms for conversation. No video, no feed: a stage, an audience, and whoever has something to say."),
    ),
    content,
  );
  content.append(...(await rooms(go)));
  return element;
}

/** @param {Go} go */
async function rooms(go) {
  try {
    const token = await keyring.houseToken();
    const [list, plans, followed] = await Promise.all([api.listRooms(token), token ? api.listPlans(token) : [], isMember() ? api.listFollowing(token) : []]);
    return [opening(go, token), h("div", { class: "hallway" }, listing(list, go), followedHere(list, followed, go), planned(plans, go)), token && membership()];
  } catch (problem) {
    const { code, message } = refusalOf(problem);
    if (code === "unauthorized") return [door(go)];
    const { title, text } = ending(code, message);
    return [h("section", { class: "card" }, h("h2", {}, title), h("p", {}, text))];
  }
}

/**
 * The form that opens a room.
 * @param {Go} go
 * @param {string} token "" on an open server
 */
function opening(go, token) {
  const open = token === "";
  const problem = h("p", { class: "problem", role: "alert" });
  const title = h("input", { id: "title", name: "title", maxlength: 60, required: true, autocomplete: "off", placeholder: "Friday night radio" });
  const name = h("input", { id: "name", name: "name", maxlength: 80, required: true, autocomplete: "nickname", placeholder: "Ada", value: vault.name.get() });
  const who = h(
    "select",
    { id: "visibility", name: "visibility" },
    h("option", { value: "closed" }, "Only people with an invite"),
    h("option", { value: "members" }, "Members of the club"),
    h("option", { value: "open" }, "Everybody in this house"),
  );
  const sending = bundles("bundles");
  const submit = h("button", { class: "primary big" }, "Open the room");
  return h(
    "form",
    {
      class: "card form",
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        submit.disabled = true;
        problem.textContent = "";
        vault.name.set(name.value.trim());
        try {
          go({ at: "room", room: await create(title.value, open, { visibility: who.value, audience_hold_ms: sending.value() }, token) });
        } catch (e) {
          const { code, message } = refusalOf(e);
          problem.textContent = ending(code, message).text;
        } finally {
          submit.disabled = false;
        }
      },
    },
    h("h2", {}, "Open a room"),
    h("label", { for: "title" }, "What is it about?"),
    title,
    h("label", { for: "name" }, "Your name"),
    name,
    !open && h("label", { for: "visibility" }, "Who may come in?"),
    !open && who,
    sending.label,
    sending.select,
    problem,
    submit,
  );
}

/**
 * Opens a room and takes the host's seat in it.
 * @param {string} title
 * @param {boolean} open whether the server is
 * @param {{visibility: string, audience_hold_ms: number}} how
 * @param {string} token
 * @returns {Promise<string>} the room's id
 */
async function create(title, open, { visibility, audience_hold_ms }, token) {
  if (open) {
    const about = { name: title.trim(), audience_hold_ms };
    const made = await api.createRoom({ ...about, room: slug(title) }, "").catch((problem) => {
      if (refusalOf(problem).code !== "conflict") throw problem;
      return api.createRoom({ ...about, room: another(slug(title)) }, "");
    });
    vault.role.set(made.room, "host");
    return made.room;
  }
  const { room, host_token: seat, expires_at, refresh_token } = await api.createRoom({ name: title.trim(), visibility, audience_hold_ms }, token);
  vault.seat.set(room, { token: seat, expires_at, refresh_token, role: "host" });
  return room;
}

/**
 * @param {RoomInfo[]} list
 * @param {Go} go
 */
function listing(list, go) {
  const alive = list.toSorted((a, b) => b.audience + b.stage.length - a.audience - a.stage.length);
  const items = alive.map((room) => {
    const faces = h("span", { class: "faces" }, ...room.stage.slice(0, 4).map((m) => avatar(m.name, "small", m.picture)));
    const names = room.stage.slice(0, 2).map((m) => m.name).join(", ");
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "room-item", onclick: () => go({ at: "room", room: room.room }) },
        h(
          "span",
          { class: "room-item-text" },
          h("strong", {}, room.name),
          h("span", { class: "quiet" }, `${names ? names + " · " : ""}${count(room.audience, "listener")}`),
        ),
        room.stage.length > 0 && faces,
      ),
    );
  });
  return h(
    "section",
    { class: "card rooms", "aria-labelledby": "rooms-title" },
    h("h2", { id: "rooms-title" }, "Happening now"),
    items.length ? h("ul", {}, ...items) : h("p", { class: "quiet" }, "All is quiet. Open a room and invite somebody."),
  );
}

/**
 * What people see who have not signed in, on a server that asks for it.
 * @param {Go} go
 */
function door(go) {
  const problem = h("p", { class: "problem", role: "alert" });
  const key = h("input", { id: "key", name: "key", type: "password", required: true, autocomplete: "off", spellcheck: "false" });
  return h(
    "form",
    {
      class: "card form",
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        try {
          await keyring.use(key.value.trim());
          go({ at: "home" });
        } catch (e) {
          const { code, message } = refusalOf(e);
          problem.textContent = code === "unauthorized" ? "That is no login key of this house, and not its operator’s token." : ending(code, message).text;
        }
      },
    },
    h("h2", {}, "This house is by invitation"),
    h("p", {}, "Got a link from somebody? Open it, and you are in. If you are a member, your login key brings you in; if you run this server, the operator’s token does."),
    h("label", { for: "key" }, "Login key or operator’s token"),
    key,
    problem,
    h("button", { class: "primary big" }, icon("key"), "Sign in"),
  );
}
