// Brings the page library to this server where there is no platform (spec 4.2). Load it before the
// page calls `Muxy.setup`:
//   <script src="http://127.0.0.1:5050/rig/medkit-local.js?ext=YOUR_CLIENT_ID"></script>
// Without `?ext=` the client id is the one that the page gives to `Muxy.setup`.
(() => {
  const here = new URL(document.currentScript.src);

  // The library opens a socket to a hosted message service; it comes here instead.
  const HOSTED = /^ws-[a-z0-9-]+\.pusher\.com$/;
  const local = (address) => {
    const url = new URL(address, location.href);
    if (!HOSTED.test(url.hostname)) return address;
    const scheme = here.protocol === 'https:' ? 'wss:' : 'ws:';
    return `${scheme}//${here.host}${url.pathname}${url.search}`;
  };
  const callClean = (closed) => Object.defineProperty(closed, 'wasClean', { value: true });
  window.WebSocket = class WebSocket extends window.WebSocket {
    constructor(address, ...rest) {
      const wanted = local(address);
      super(wanted, ...rest);
      // The library gives WebSockets up for good once two in a row ended within minutes and not
      // cleanly, as they do when this server is killed while it is being worked on.
      if (wanted !== address) this.addEventListener('close', callClean);
    }
  };

  // Every 25 minutes the library asks for a new token with the client id of `window` (spec 4.6).
  let named = here.searchParams.get('ext') ?? undefined;
  Object.defineProperty(window, 'extensionID', {
    configurable: true,
    get: () => named ?? window.Muxy?.default?.twitchClientID,
    set: (value) => {
      named = value;
    },
  });
})();
