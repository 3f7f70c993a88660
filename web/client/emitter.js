/** A small event emitter: the same few methods in browsers, Node and React Native. */
export class Emitter {
  /** @type {Map<string, Set<Function>>} */
  #listeners = new Map();

  /**
   * Calls `listener` for every `name` from now on.
   * @param {string} name
   * @param {(value: any) => void} listener
   * @returns {() => void} stops it again
   */
  on(name, listener) {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listener);
    return () => this.off(name, listener);
  }

  /** @param {string} name @param {(value: any) => void} listener */
  off(name, listener) {
    this.#listeners.get(name)?.delete(listener);
  }

  /**
   * Resolves with the next `name` for which `accept` returns true (with the very next one when it is left out).
   * @param {string} name
   * @param {(value: any) => boolean} [accept]
   * @returns {Promise<any>}
   */
  once(name, accept = () => true) {
    return new Promise((resolve) => {
      const stop = this.on(name, (value) => {
        if (!accept(value)) return;
        stop();
        resolve(value);
      });
    });
  }

  /** @param {string} name @param {any} [value] */
  emit(name, value) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(value);
      } catch (error) {
        // One faulty listener must neither stop the others nor the log; its error still surfaces as uncaught.
        report(error);
      }
    }
  }
}

function report(error) {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else {
    setTimeout(() => {
      throw error;
    });
  }
}
