import { Refusal } from "./types.js";

/** @typedef {import("./types.js").Message} Message */

/** How long the server may take to answer, in milliseconds. */
const patience = 15_000;

/**
 * One WebSocket to the server: requests, their answers, and what the server says
 * by itself. It does not reconnect; a new conversation is a new Signal.
 */
export class Signal {
  /** @type {WebSocket} */
  #socket;
  /** @type {Map<string, {resolve: (m: Message) => void, reject: (e: Refusal) => void, timer: number}>} */
  #waiting = new Map();
  #last = 0;
  #over = false;

  /**
   * @param {WebSocket} socket open
   * @param {(m: Message) => void} onMessage a message that answers no request
   * @param {() => void} onEnd the socket is gone, once
   */
  constructor(socket, onMessage, onEnd) {
    this.#socket = socket;
    socket.onmessage = (event) => this.#take(event.data, onMessage);
    socket.onclose = () => this.#end(onEnd);
  }

  /**
   * Opens a socket.
   * @param {string} address of the socket; empty: this page's server
   * @param {(m: Message) => void} onMessage
   * @param {() => void} onEnd
   * @returns {Promise<Signal>}
   */
  static open(address, onMessage, onEnd) {
    const url = new URL(address || "/ws", location.href);
    if (!address) url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const timer = setTimeout(() => socket.close(), patience);
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(new Signal(socket, onMessage, onEnd));
      };
      socket.onclose = () => {
        clearTimeout(timer);
        reject(new Refusal("unreachable", "the server cannot be reached"));
      };
    });
  }

  /**
   * Sends a request and waits for its answer.
   * @param {{type: string, [field: string]: any}} request without an id
   * @returns {Promise<Message>}
   */
  ask(request) {
    const id = String(++this.#last);
    return new Promise((resolve, reject) => {
      if (this.#over) {
        reject(new Refusal("unreachable", "the connection to the server is gone"));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Refusal("timeout", "the server did not answer"));
        this.#socket.close();
      }, patience);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...request, id }));
    });
  }

  /** Hangs up, and thereby leaves. What waits for an answer is refused. */
  close() {
    this.#socket.close(1000);
  }

  /**
   * @param {unknown} data
   * @param {(m: Message) => void} onMessage
   */
  #take(data, onMessage) {
    if (typeof data !== "string") return;
    /** @type {Message} */
    const message = JSON.parse(data);
    const waiter = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if (!waiter) {
      onMessage(message);
      return;
    }
    this.#waiting.delete(String(message.id));
    clearTimeout(waiter.timer);
    if (message.type === "error") waiter.reject(new Refusal(message.code, message.message));
    else waiter.resolve(message);
  }

  /** @param {() => void} onEnd */
  #end(onEnd) {
    this.#over = true;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Refusal("unreachable", "the connection to the server is gone"));
    }
    this.#waiting.clear();
    onEnd();
  }
}
