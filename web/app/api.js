import { languages } from "./language.js";
import { Refusal } from "./types.js";

/**
 * @typedef {import("./types.js").Role} Role
 * @typedef {import("./types.js").StageMember} StageMember
 * @typedef {import("./vault.js").Session} Session
 *
 * @typedef {object} RoomInfo
 * @property {string} room its id
 * @property {string} name
 * @property {string} visibility
 * @property {number} capacity
 * @property {number} audience
 * @property {StageMember[]} stage
 * @property {import("./types.js").AudienceMember[]} [followed] those in the audience whom the user follows
 *
 * @typedef {object} Profile what somebody shows of themselves
 * @property {string} profile its id
 * @property {string} name
 * @property {string} [about]
 * @property {string} [picture]
 * @property {boolean} [following] whether the user follows them
 * @property {boolean} [self] whether it is the user's own
 *
 * @typedef {object} Plan a room that is to open at a time
 * @property {string} plan its id, which the room will have
 * @property {string} name
 * @property {string} visibility
 * @property {string} starts_at
 * @property {string} ends_at
 * @property {string[]} hosts their names
 * @property {boolean} [host] whether the user is one
 * @property {boolean} [owner] whether the user planned it
 * @property {boolean} [open] whether the room is open
 * @property {string} url its link, with a preview
 *
 * @typedef {object} Preview what an invite is for
 * @property {"room" | "club"} to
 * @property {string} [room_name]
 * @property {Role} [role]
 * @property {string} [name] whom it is for
 * @property {string} [inviter] the name of who made it
 * @property {boolean} [by_operator] whether the operator made it, who has no name
 */

/**
 * Makes a request of the server's HTTP API.
 * @param {string} method
 * @param {string} path
 * @param {{token?: string, body?: object}} [how]
 * @returns {Promise<any>}
 */
async function request(method, path, { token, body } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) headers["Authorization"] = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    if (body instanceof Blob) headers["Content-Type"] = body.type;
    response = await fetch(path, { method, headers, body: body instanceof Blob ? body : body && JSON.stringify(body) });
  } catch {
    throw new Refusal("unreachable", "the server cannot be reached");
  }
  if (response.status === 204) return undefined;
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Refusal(answer.error?.code ?? "failed", answer.error?.message);
}

const room = (/** @type {string} */ id) => `/api/rooms/${encodeURIComponent(id)}`;
const invite = (/** @type {string} */ code) => `/api/invites/${encodeURIComponent(code)}`;

/**
 * The rooms that the user may see. Without a token it works only on an open server,
 * so the page uses it to find out whether the server is open.
 * @param {string} token
 * @returns {Promise<RoomInfo[]>}
 */
export const listRooms = async (token) => (await request("GET", "/api/rooms", { token })).rooms;

/**
 * @param {string} id
 * @param {string} token
 * @returns {Promise<RoomInfo>}
 */
export const showRoom = (id, token) => request("GET", room(id), { token });

/**
 * @param {{name: string, room?: string, visibility?: string, audience_hold_ms?: number}} body
 * @param {string} token
 * @returns {Promise<RoomInfo & {host_token: string, expires_at: string, refresh_token?: string}>}
 */
export const createRoom = (body, token) => request("POST", "/api/rooms", { token, body });

/**
 * @param {string} id of a room
 * @param {{role: Role, uses?: number, ttl_s?: number}} body
 * @param {string} token
 * @returns {Promise<{url: string}>}
 */
export const inviteToRoom = (id, body, token) => request("POST", room(id) + "/invites", { token, body });

const plan = (/** @type {string} */ id) => `/api/plans/${encodeURIComponent(id)}`;

/**
 * The planned rooms that the user may see, the soonest first.
 * @param {string} token
 * @returns {Promise<Plan[]>}
 */
export const listPlans = async (token) => (await request("GET", "/api/plans", { token })).plans;

/**
 * @param {{name: string, starts_at: string, minutes: number, visibility: string}} body
 * @param {string} token a member's
 * @returns {Promise<Plan>}
 */
export const createPlan = (body, token) => request("POST", `/api/plans?lang=${languages().current}`, { token, body });

/**
 * @param {string} id
 * @param {string} token or ""
 * @returns {Promise<Plan>}
 */
export const showPlan = (id, token) => request("GET", plan(id), { token });

/**
 * @param {string} id
 * @param {string} token its owner's
 * @returns {Promise<void>}
 */
export const cancelPlan = (id, token) => request("DELETE", plan(id), { token });

/**
 * Opens its room.
 * @param {string} id
 * @param {string} token a host's
 * @returns {Promise<RoomInfo & {host_token: string, expires_at: string, refresh_token?: string}>}
 */
export const openPlan = (id, token) => request("POST", plan(id) + "/open", { token });

/**
 * @param {string} id
 * @param {string} token its owner's
 * @returns {Promise<{url: string}>} a link for members who are to host it too
 */
export const inviteToHost = (id, token) => request("POST", plan(id) + "/hosts", { token });

/**
 * @param {string} id
 * @param {string} code
 * @param {string} token a member's
 * @returns {Promise<Plan>}
 */
export const hostPlan = (id, code, token) => request("POST", `${plan(id)}/hosts/${encodeURIComponent(code)}`, { token });

/**
 * @param {string} id
 * @param {string} token of one who hosts another's
 * @returns {Promise<void>}
 */
export const stepBack = (id, token) => request("DELETE", plan(id) + "/hosts", { token });

/**
 * @param {string} token a member's
 * @returns {Promise<{url: string, invites?: number}>}
 */
export const inviteToClub = (token) => request("POST", "/api/invites", { token, body: {} });

/**
 * @param {string} code
 * @returns {Promise<Preview>}
 */
export const lookAt = (code) => request("GET", invite(code));

/**
 * @param {string} code
 * @param {string} name
 * @param {string} token a member's, or ""
 * @returns {Promise<Session & {to?: "room" | "club", key?: string}>}
 */
export const redeem = (code, name, token) => request("POST", invite(code) + "/redeem", { token, body: { name } });

/**
 * @param {string} key
 * @returns {Promise<Session>}
 */
export const login = (key) => request("POST", "/api/login", { body: { key } });

/**
 * @param {string} refresh_token
 * @returns {Promise<Session>}
 */
export const refresh = (refresh_token) => request("POST", "/api/refresh", { body: { refresh_token } });

/**
 * @param {string} token
 * @returns {Promise<{kind: string, name?: string, invites?: number, about?: string, picture?: string}>}
 */
export const me = (token) => request("GET", "/api/me", { token });

/**
 * @param {string} id
 * @param {string} token
 * @returns {Promise<Profile>}
 */
export const showProfile = (id, token) => request("GET", `/api/profiles/${encodeURIComponent(id)}`, { token });

/**
 * @param {{name?: string, about?: string}} profile what is left out stays
 * @param {string} token a member's
 * @returns {Promise<Profile>}
 */
export const setProfile = (profile, token) => request("PUT", "/api/me/profile", { token, body: profile });

/**
 * @param {Blob} picture
 * @param {string} token a member's
 * @returns {Promise<Profile>}
 */
export const setPicture = (picture, token) => request("PUT", "/api/me/picture", { token, body: picture });

/**
 * @param {string} token a member's
 * @returns {Promise<Profile>}
 */
export const removePicture = (token) => request("DELETE", "/api/me/picture", { token });

/**
 * Whom a member follows.
 * @param {string} token
 * @returns {Promise<Profile[]>}
 */
export const listFollowing = async (token) => (await request("GET", "/api/me/following", { token })).following;

/**
 * @param {string} id of a profile
 * @param {boolean} on false: not any more
 * @param {string} token a member's
 * @returns {Promise<void>}
 */
export const follow = (id, on, token) => request(on ? "PUT" : "DELETE", `/api/me/following/${encodeURIComponent(id)}`, { token });

/**
 * All that the server holds about a member.
 * @param {string} token
 * @returns {Promise<object>}
 */
export const exportMe = (token) => request("GET", "/api/me?export=true", { token });

/**
 * Deletes a member's account.
 * @param {string} token
 * @returns {Promise<void>}
 */
export const deleteMe = (token) => request("DELETE", "/api/me", { token });
