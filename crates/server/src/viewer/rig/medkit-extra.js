// Adds to the page library's SDK class three calls that published guides use and version 2.4.18
// does not have (spec 4.6). Load it after the library, or before it.
(() => {
  const calls = {
    /** Resolves to `{pin}`, to be typed into the game. */
    getAuthPin() {
      return this.signedRequest('POST', 'gamelink/pin', {});
    },
    getAllConfig() {
      return this.getConfig();
    },
    /** Takes a list of operations (RFC 6902) or an object to merge (RFC 7396). */
    patchChannelConfig(patch) {
      return this.signedRequest('PATCH', 'config/channel', patch);
    },
  };
  const add = (library) => {
    const sdk = library?.default?.SDK?.prototype;
    if (!sdk) return false;
    for (const [name, call] of Object.entries(calls)) sdk[name] ??= call;
    return true;
  };
  if (add(window.Muxy)) return;

  // The library sets this before it has run to its end.
  let library = window.Muxy;
  Object.defineProperty(window, 'Muxy', {
    configurable: true,
    enumerable: true,
    get: () => library,
    set: (value) => {
      library = value;
      queueMicrotask(() => add(value));
    },
  });
})();
