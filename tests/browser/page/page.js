// A page as an extension developer writes it. Who looks at it stands in the address after `#`:
// the library reads the query string itself and would lose its server's address to it.
const who = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const muxy = window.Muxy.default;
const options = new muxy.DebuggingOptions()
  .channelID(who.channel)
  .userID(who.user)
  .role(who.role);
if (who.server) options.url(who.server);
muxy.debug(options);
// What pages offered for sale before there were products: the library reads it, nothing sets it.
muxy.SKUs = ['hat'];
muxy.setup({
  clientID: who.extension,
  quiet: true,
  transactionsEnabled: true,
  uaString: who.analytics && 'UA-1-1',
});
const sdk = new muxy.SDK();
window.sdk = sdk;

const show = (id, text) => {
  document.getElementById(id).textContent = text;
};
const onClick = (id, act) => {
  document.getElementById(id).addEventListener('click', async () => {
    show('refusal', '');
    try {
      await act();
    } catch (refusal) {
      show('refusal', JSON.stringify(refusal));
    }
  });
};

onClick('ask', async () => {
  const { token } = await sdk.signedRequest('POST', 'gamelink/token', {});
  show('pin', token);
});
onClick('pair', async () => {
  await sdk.validateCode(document.getElementById('typed').value);
  show('pairing', 'paired');
});
onClick('unpair', async () => {
  await sdk.revokeAllPINCodes();
  show('pairing', 'not paired');
});
onClick('paired', async () => {
  const { exists } = await sdk.pinTokenExists();
  show('pairing', exists ? 'a game is paired' : 'no game is paired');
});
onClick('whoami', async () => {
  show('who', JSON.stringify(await sdk.signedRequest('GET', 'user_info')));
});

sdk.loaded().then(
  () => show('status', 'loaded'),
  (error) => show('status', `not loaded: ${JSON.stringify(error)}`),
);
