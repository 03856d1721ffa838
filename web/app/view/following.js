import { h } from "../dom.js";
import { t } from "../language.js";
import { avatar } from "./avatar.js";

/**
 * @typedef {import("../api.js").RoomInfo} RoomInfo
 * @typedef {import("../api.js").Profile} Profile
 * @typedef {(route: import("../route.js").Route) => void} Go
 */

/**
 * Whom the user follows and who is in a room now, and where; nothing if they follow nobody.
 * @param {RoomInfo[]} rooms
 * @param {Profile[]} followed
 * @param {Go} go
 */
export function followedHere(rooms, followed, go) {
  if (followed.length === 0) return null;
  const known = new Set(followed.map((p) => p.profile));
  const here = rooms.flatMap((room) => [
    ...room.stage.filter((m) => m.profile && known.has(m.profile)).map((m) => ({ m, where: t("following.where", { room: room.name }), room })),
    ...(room.followed ?? []).map((m) => ({ m, where: t("following.listens", { room: room.name }), room })),
  ]);
  const items = here.map(({ m, where, room }) =>
    h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "room-item", "data-to": `${room.room}/${m.profile}`, onclick: () => go({ at: "room", room: room.room }) },
        h("span", { class: "room-item-text" }, h("strong", { dir: "auto" }, m.name), h("span", { class: "quiet" }, where)),
        avatar(m.name, "small", m.picture),
      ),
    ),
  );
  return h(
    "section",
    { class: "card rooms", "aria-labelledby": "following-title" },
    h("h2", { id: "following-title" }, t("following.title")),
    items.length ? h("ul", {}, ...items) : h("p", { class: "quiet" }, t("following.nobody")),
  );
}
