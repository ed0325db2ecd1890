// Loads the script of the server that the test asks for, before the library, as a page does that
// runs with no platform: the shim, or the helper.
{
  const { script } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  if (script) document.write(`<script src="${script}"></` + 'script>');
}
