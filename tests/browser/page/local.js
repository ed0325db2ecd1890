// Loads the shim of the server where the test asks for it: before the library, as a page does that
// runs with no platform.
{
  const { server, local } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  if (local) document.write(`<script src="${server}/rig/medkit-local.js"></` + 'script>');
}
