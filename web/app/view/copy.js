import { aside, ending } from "../words.js";
import { toast } from "./toast.js";

/**
 * Copies what a field holds, and says so; where the browser refuses, it is selected.
 * @param {HTMLInputElement} field
 */
export async function copyText(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    toast(aside("copied"));
  } catch {
    field.select();
    const { title, text } = ending("insecure_clipboard");
    toast(title, { detail: text });
  }
}
