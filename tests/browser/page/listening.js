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
/** Whether the library's channels are there; with a helper the library itself does not know. */
window.isListening = () => {
  const { messenger } = window.Muxy.default;
  if (!messenger.client) return true;
  return messenger.client.connection.state === 'connected'
    && messenger.channel?.subscribed && messenger.globalChannel?.subscribed;
};
