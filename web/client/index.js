/**
 * The Tidings client. Plain ES modules without dependencies, for browsers, Node 20 and React Native.
 * @module tidings-client
 */
export { Tidings } from './tidings.js';
export { HttpApi } from './http.js';
export { TidingsError } from './errors.js';
export { memoryStorage, browserStorage } from './storage.js';
export { followPage } from './browser.js';
export { uuid as newClientId } from './ids.js';
