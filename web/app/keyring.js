import * as api from "./api.js";
import { Refusal } from "./types.js";
import * as vault from "./vault.js";

/** @typedef {import("./vault.js").Session} Session */

/** How long before its end a token is renewed, in milliseconds. */
const early = 60_000;

/** Whether a token is still good for a while. @param {Session} session */
export function good({ expires_at: end }) {
  return !end || Date.parse(end) - Date.now() > early;
}

/**
 * The token to join a room with: the seat's in that room, else the member's or
 * operator's, else none. It is renewed shortly before it expires.
 * @param {string} room
 * @returns {Promise<string>}
 */
export async function roomToken(room) {
  const seat = vault.seat.get(room);
  if (!seat) return houseToken();
  if (good(seat) || !seat.refresh_token) return seat.token;
  const renewed = { ...seat, ...(await renew(seat)) };
  vault.seat.set(room, renewed);
  return renewed.token;
}

/**
 * The token to create and list rooms with, or "".
 * @returns {Promise<string>}
 */
export async function houseToken() {
  const identity = vault.identity.get();
  if (!identity) return "";
  if (good(identity) || !identity.refresh_token) return identity.token;
  try {
    const renewed = { ...identity, ...(await renew(identity)) };
    vault.identity.set(renewed);
    return renewed.token;
  } catch (problem) {
    if (problem instanceof Refusal && problem.code === "unauthorized") vault.identity.set(null);
    throw problem;
  }
}

/**
 * Logs in with a pasted key: the operator's token or a member's key.
 * @param {string} key
 * @returns {Promise<Session>}
 */
export async function use(key) {
  /** @type {Session} */
  let session;
  try {
    session = { token: key, kind: (await api.me(key)).kind };
  } catch (problem) {
    if (!(problem instanceof Refusal) || problem.code !== "unauthorized") throw problem;
    session = await api.login(key);
  }
  vault.identity.set(session);
  return session;
}

/** @type {Map<string, Promise<Session>>} */
const renewals = new Map();

/**
 * Renews a session. Callers at the same time share one request.
 * @param {Session} session
 */
function renew(session) {
  const key = session.refresh_token ?? "";
  let renewal = renewals.get(key);
  if (!renewal) {
    renewal = api.refresh(key).finally(() => renewals.delete(key));
    renewals.set(key, renewal);
  }
  return renewal;
}
