import { lookAgain } from "../again.js";
import * as api from "../api.js";
import { h } from "../dom.js";
import * as keyring from "../keyring.js";
import { list, t } from "../language.js";
import { another, slug } from "../route.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { ending } from "../words.js";
import { avatar } from "./avatar.js";
import { bundles } from "./bundles.js";
import { nameField, titleField } from "./field.js";
import { followedHere } from "./following.js";
import { icon, mark } from "./icon.js";
import { languagePicker } from "./language.js";
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
      h("h1", {}, t("home.title")),
      h("p", { class: "lead" }, t("home.lead")),
    ),
    content,
    languagePicker(),
  );
  content.append(...(await rooms(go)));
  return element;
}

/** @param {Go} go */
async function rooms(go) {
  try {
    const token = await keyring.houseToken();
    const [now, followed] = await Promise.all([happening(token), isMember() ? api.listFollowing(token) : []]);
    const form = opening(go, token);
    const named = (/** @type {string} */ name) => {
      /** @type {HTMLInputElement} */ (form.querySelector("#name")).value = name;
    };
    return [hallway(now, followed, go), form, token && membership(named), toForm(form)];
  } catch (problem) {
    if (refusalOf(problem).code === "unauthorized") return [door(go)];
    throw problem;
  }
}

/**
 * The rooms that are open and planned, as far as the visitor may see them.
 * @param {string} token
 */
async function happening(token) {
  const [rooms, plans] = await Promise.all([api.listRooms(token), token ? api.listPlans(token) : []]);
  return { rooms, plans };
}

/**
 * What happens, and what will. It stays up to date.
 * @param {Awaited<ReturnType<typeof happening>>} now
 * @param {import("../api.js").Profile[]} followed
 * @param {Go} go
 */
function hallway(now, followed, go) {
  const draw = () => h("div", { class: "hallway" }, listing(now.rooms, go), followedHere(now.rooms, followed, go), planned(now.plans, go));
  const element = draw();
  lookAgain(element, async () => {
    const later = await happening(await keyring.houseToken());
    if (JSON.stringify(later) === JSON.stringify(now)) return;
    now = later;
    const focused = element.contains(document.activeElement) ? document.activeElement?.getAttribute("data-to") : undefined;
    element.replaceChildren(...draw().childNodes);
    if (typeof focused === "string") /** @type {HTMLElement | null} */ (element.querySelector(`[data-to="${CSS.escape(focused)}"]`))?.focus();
  });
  return element;
}

/**
 * A button at the bottom of a narrow screen, where the form is below the rooms. It goes there, and
 * is gone once the form is in view.
 * @param {HTMLElement} form
 */
function toForm(form) {
  const go = () => {
    form.scrollIntoView();
    /** @type {HTMLElement} */ (form.querySelector("#title")).focus({ preventScroll: true });
  };
  const bar = h("div", { class: "start-bar" }, h("button", { type: "button", class: "primary big", onclick: go }, icon("mic"), t("open.title")));
  new IntersectionObserver(([entry]) => (bar.hidden = Boolean(entry && (entry.isIntersecting || entry.boundingClientRect.top < 0))), { rootMargin: "0px 0px -35% 0px" }).observe(form);
  return bar;
}

/**
 * The form that opens a room.
 * @param {Go} go
 * @param {string} token "" on an open server
 */
function opening(go, token) {
  const open = token === "";
  const problem = h("p", { class: "problem", role: "alert" });
  const title = titleField("title");
  const name = nameField("name", vault.name.get());
  const who = h(
    "select",
    { id: "visibility", name: "visibility" },
    h("option", { value: "closed" }, t("visibility.closed")),
    h("option", { value: "members" }, t("visibility.members")),
    h("option", { value: "open" }, t("visibility.open")),
  );
  const sending = bundles("bundles");
  const submit = h("button", { class: "primary big" }, t("open.submit"));
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
    h("h2", {}, t("open.title")),
    h("label", { for: "title" }, t("open.about")),
    title,
    h("label", { for: "name" }, t("name.label")),
    name,
    !open && h("label", { for: "visibility" }, t("visibility.label")),
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
 * @param {RoomInfo[]} rooms
 * @param {Go} go
 */
function listing(rooms, go) {
  const alive = rooms.toSorted((a, b) => b.audience + b.stage.length - a.audience - a.stage.length);
  const items = alive.map((room) => {
    const faces = h("span", { class: "faces" }, ...room.stage.slice(0, 4).map((m) => avatar(m.name, "small", m.picture)));
    const names = list(room.stage.slice(0, 2).map((m) => m.name));
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "room-item", "data-to": room.room, onclick: () => go({ at: "room", room: room.room }) },
        h(
          "span",
          { class: "room-item-text" },
          h("strong", { dir: "auto" }, room.name),
          h("span", { class: "quiet" }, `${names ? names + " · " : ""}${t("listeners", { n: room.audience })}`),
        ),
        room.stage.length > 0 && faces,
      ),
    );
  });
  return h(
    "section",
    { class: "card rooms", "aria-labelledby": "rooms-title" },
    h("h2", { id: "rooms-title" }, t("rooms.title")),
    items.length ? h("ul", {}, ...items) : h("p", { class: "quiet" }, t("rooms.none")),
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
          problem.textContent = code === "unauthorized" ? t("door.wrong") : ending(code, message).text;
        }
      },
    },
    h("h2", {}, t("door.title")),
    h("p", {}, t("door.text")),
    h("label", { for: "key" }, t("door.key")),
    key,
    problem,
    h("button", { class: "primary big" }, icon("key"), t("door.submit")),
  );
}
