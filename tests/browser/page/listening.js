// Notes what a page hears: `heard[event]` is a list of what came with it, in order.
window.heard = {};
window.listenTo = (events) => {
  for (const event of events) {
    const [name, ...whom] = [event].flat();
    window.sdk.listen(name, ...whom, (data, event) => {
      (window.heard[event] ??= []).push(data);
    });
  }
};
/**
 * Whether the library's channels are there, on another connection than `before`, which it takes for
 * open until it tries again. With a helper the library itself does not know.
 */
window.isListening = (before) => {
  const { messenger } = window.Muxy.default;
  if (!messenger.client) return true;
  const { state, socket_id: now } = messenger.client.connection;
  const subscribed = [messenger.channel, messenger.globalChannel].every((of) => of?.subscribed);
  return state === 'connected' && now !== before && subscribed;
};
window.connectionId = () => window.Muxy.default.messenger.client?.connection.socket_id;
